"""Does the demo print what README says?

    python bench/search/demo.py --output bench/results/demo.txt

Runs README's three commands in an empty folder with an empty cache and records what they
print. README's sample is checked against the record line by line, and the record against the
beginning of a fresh run (``tests/test_demo.py``), within ``RANGES`` in ``make explore``: so all
three stay together.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import click

ROOT = Path(__file__).parent.parent.parent
RECORD = ROOT / "bench" / "results" / "demo.txt"

PATTERNS = {
    "encoder mIoU": r"^encoder: pre-trained, mIoU (\S+) on",
    "reward": r"^trial \d+/\d+: reward (\S+) \(",
    "mIoU": r"^trial \d+/\d+: reward \S+ \(miou ([^,]+),",
    "best trial": r"^best: .*\n(?:.*\n)*?trial (\d+): \[\[\[",
    "parameters": r"^(?:as described|optimised) +(\S+) parameters",
    "nodes": r" (\d+) nodes$",
    "labels changed": r"([\d.]+)% of pixels change label",
}
"""Where the figures are that README quotes, in the order printed."""
OF_THE_BEST = ("best trial", "parameters", "nodes")
"""Figures that depend on which trial is the best, which the rewards' range may leave open."""
OF_EACH_TRIAL = ("reward", "mIoU")
RANGES = {"encoder mIoU": 0.05, "reward": 0.05, "mIoU": 0.05}
"""How far a figure may be from the record where processors round otherwise, since training
magnifies that; all others are the same everywhere."""


def commands() -> list[str]:
    """The demo's commands as README has them."""
    return re.findall(r"^    (nas(?:search|compile) .*runs/demo\S*)$", _readme(), re.M)


def sample() -> list[str]:
    """The lines of README's sample of what they print, those that it breaks put together."""
    block = _readme().partition("They print, ")[2].partition("\n\n")[2].partition("\n\nand ")[0]
    return re.sub(r"\n {12,}", " ", block).splitlines()


def _readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


def run(folder: Path, *more: str) -> str:
    """What the commands print, started in ``folder``; ``more``: words for the search.

    Raises:
        CalledProcessError: when one fails.
    """
    scripts = Path(sys.executable).parent
    environment = {**os.environ, "AUXNAS_CACHE": str(folder / "cache"), "COLUMNS": "100"}
    printed = []
    for command in commands():
        name, *words = shlex.split(command)
        done = subprocess.run(
            [scripts / name, *words, *(more if words[0] == "run" else ())],
            cwd=folder,
            env=environment,
            check=True,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        printed.append(f"$ {command}\n{done.stdout}")
    return "".join(printed).replace(f"{folder}/", "")


def figures(text: str) -> dict[str, list[str]]:
    """The figures in what was printed, by name."""
    return {name: re.findall(pattern, text, re.M) for name, pattern in PATTERNS.items()}


def proposals(text: str) -> dict[str, tuple[str, ...]]:
    """What does not depend on training, by trial: genotype, parameters and multiply-adds."""
    genotypes = dict(re.findall(r"^trial (\d+): (\[\[\[.*\]\]\])$", text, re.M))
    cells = [re.split("[│┃]", line) for line in text.splitlines()]
    costs = {row[1].strip(): (row[5].strip(), row[6].strip()) for row in cells if len(row) > 7}
    return {trial: (genotype, *costs[trial]) for trial, genotype in genotypes.items()}


def lacking(text: str, record: str, trials: int) -> Iterator[str]:
    """Figures of ``record``, of its first trials alone, that ``text`` has not as often."""
    today = figures(text)
    for name, recorded in figures(record).items():
        expected = len(recorded[:trials] if name in OF_EACH_TRIAL else recorded)
        if len(today[name]) != expected:
            yield f"{name}: {len(today[name])} times, recorded {expected} times"


def differences(text: str, record: str, trials: int | None = None) -> Iterator[str]:
    """In which figures ``text`` is not what ``record`` says, each in a line.

    Args:
        text: what was printed.
        record: what had been.
        trials: how many ``text`` is of, where that are not all of them.
    """
    expected, today = figures(record), figures(text)
    for name in OF_EACH_TRIAL:
        expected[name] = expected[name][:trials]
    for name, found in today.items():
        if name in OF_THE_BEST and found and today["best trial"] != expected["best trial"]:
            continue
        within = RANGES.get(name)
        if within is None or len(found) != len(expected[name]):
            alike = found == expected[name]
        else:
            pairs = zip(found, expected[name], strict=True)
            alike = all(abs(float(one) - float(other)) <= within for one, other in pairs)
        if not alike:
            yield f"{name}: {found}, recorded {expected[name]}, at most {within or 0} apart"


def unprinted(lines: list[str], record: str) -> list[str]:
    """The lines of a sample that ``record`` has not, in this order, blanks and frames apart.

    ``...`` ends a line that goes on, and stands for others.
    """
    printed = [_plain(line) for line in record.splitlines()]
    missing = []
    for line in filter(None, map(_plain, lines)):
        start = line.removesuffix("...")
        found = (n for n, p in enumerate(printed, 1) if p.startswith(start))
        place = next((n for n in found if start != line or printed[n - 1] == line), None)
        if place is None:
            missing.append(line)
        printed = printed[place or 0 :]
    return missing


def _plain(line: str) -> str:
    """A line without a table's frame, white space collapsed."""
    return " ".join(re.sub("[\u2500-\u257f]", " ", line).split())


@click.command(help="Records what the demo prints.")
@click.option("--output", type=click.Path(path_type=Path), default=RECORD, show_default=True)
def main(output: Path) -> None:
    with TemporaryDirectory() as folder:
        text = run(Path(folder))
    output.write_text(text, encoding="utf-8")
    click.echo(text)
    for line in unprinted(sample(), text):
        click.echo(f"README has another line: {line}", err=True)


if __name__ == "__main__":
    main()
