"""How long does one PPO update of the paper's controller take?

    python bench/search/policy_update.py --output policy-update.json

The controller of the paper's space (LSTM of two layers, 100 hidden units), 100 sequences,
the default number of passes and minibatches. It works on one thread. Wall and processor time
of the fastest and of the median update, and the machine's load then: on a busy machine only
the fastest processor time says something of the update.
"""

from __future__ import annotations

import json
import os
import statistics
from pathlib import Path
from time import perf_counter, process_time

import click

from auxnas.genotype import SearchSpace
from auxnas.search.searchers import make_searcher
from auxnas.search.settings.search import SearchSettings
from auxnas.search.storage.environment import run_environment
from auxnas.search.trials.records import COMPLETE, Trial


@click.command(help="Times one PPO update.")
@click.option("--sequences", default=100, show_default=True)
@click.option("--updates", default=30, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), required=True)
def main(sequences: int, updates: int, output: Path) -> None:
    settings = SearchSettings.model_validate({"controller": {"update_every": sequences}})
    searcher = make_searcher(settings, SearchSpace.cvpr2019(), 0)
    wall, processor = [], []
    for _ in range(updates):
        genotypes = searcher.ask(sequences)
        rewards = [0.1 * (n % 7) for n in range(sequences)]
        pairs = enumerate(zip(genotypes, rewards, strict=True))
        trials = [Trial(n, 0, g, "", 0, COMPLETE, (), r) for n, (g, r) in pairs]
        started = perf_counter(), process_time()
        searcher.tell(trials)
        wall.append(perf_counter() - started[0])
        processor.append(process_time() - started[1])
    result = {
        "sequences": sequences,
        "passes": settings.controller.update_epochs,
        "minibatches": settings.controller.minibatches,
        "wall_s": {"fastest": min(wall), "median": statistics.median(wall)},
        "processor_s": {"fastest": min(processor), "median": statistics.median(processor)},
        "load": os.getloadavg()[0],
        "environment": run_environment("cpu", 1),
    }
    output.write_text(json.dumps(result, indent=2) + "\n")
    click.echo(json.dumps({name: result[name] for name in ("wall_s", "processor_s", "load")}))


if __name__ == "__main__":
    main()
