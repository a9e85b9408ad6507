"""How many synthetic scenes one core renders a second.

    python bench/training/scenes.py --output scenes.json

Processor time of 128x128 scenes, image and labels together; the goal is 150 a second.
"""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path

import click

from auxnas.search.data import render_scene


def rate(first: int, count: int, size: tuple[int, int]) -> float:
    start = time.process_time()
    for index in range(first, first + count):
        render_scene(0, index, size)
    return count / (time.process_time() - start)


@click.command()
@click.option("--output", type=click.Path(path_type=Path), required=True)
@click.option("--rounds", default=9, show_default=True)
@click.option("--count", default=100, show_default=True)
@click.option("--size", default=128, show_default=True)
def main(output: Path, rounds: int, count: int, size: int) -> None:
    rate(0, count, (size, size))
    rates = [rate(number * count, count, (size, size)) for number in range(rounds)]
    found = {
        "size": size,
        "scenes_per_second": {"median": statistics.median(rates), "least": min(rates)},
    }
    output.write_text(json.dumps(found, indent=2) + "\n")
    click.echo(f"{statistics.median(rates):.0f} scenes a second, at least {min(rates):.0f}")


if __name__ == "__main__":
    main()
