"""Does a first stage on photographs rank the same for less?

    OMP_NUM_THREADS=1 python bench/search/shorter.py --data list:DATA --encoder WEIGHTS \\
        --work runs/shorter --output shorter.json

Architectures of the paper's space, uniform over isomorphism classes, are trained as a search's
first stage at 96x128 with 48 channels on stored outputs of MobileNet-v2 with ImageNet's WEIGHTS,
scored on meta-val after every epoch: in full, ``again`` from other weights, which tells how well
such a stage agrees with itself, without auxiliary outputs, and so in bfloat16; and with classes of
equal weight, which tells what the class balance does to the ranking. Times are processor seconds of
training. Interrupted, it goes on where it was. Needs the extra torch.
"""

from __future__ import annotations

import json
import random
from functools import partial
from pathlib import Path

import click
from cheaper import EPOCHS, compared, open_bench

from auxnas.backends.torch.training import Training
from auxnas.compiler.files import atomic_write
from auxnas.genotype import SearchSpace
from auxnas.genotype.errors import InputError
from auxnas.search.errors import SearchError
from auxnas.search.storage.environment import package_versions
from auxnas.search.trials.records import trial_seed

COUNT = 20
BF16 = partial(Training, precision="bf16")
KINDS = {
    "whole": (Training, False, 0),
    "no auxiliary": (Training, True, 0),
    "no auxiliary, bfloat16": (BF16, True, 0),
    "again": (Training, False, 1),
    "no auxiliary, again": (Training, True, 1),
}
"""How each is trained, whether without auxiliary outputs, and the seed of its weights."""
EQUAL = {
    "equal weights": (Training, True, 0),
    "equal weights, again": (Training, True, 1),
}
"""Likewise of those without class balance."""
BALANCED = ("no auxiliary", "no auxiliary, again")
"""With it, from the weights of ``EQUAL``."""


@click.command(help="Measures cheaper first stages on photographs.")
@click.option("--data", required=True)
@click.option("--encoder", required=True, help="Weights of MobileNet-v2.")
@click.option("--work", type=click.Path(path_type=Path), required=True)
@click.option("--output", type=click.Path(path_type=Path), required=True)
def main(data: str, encoder: str, work: Path, output: Path) -> None:
    settings = {
        "threads": 1,
        "data.source": data,
        "data.size": [96, 128],
        "encoder_weights": encoder,
        "model.width": 1.0,
        "model.agg_size": 48,
        "loss.balance": 0.9,
        "stage1.epochs": EPOCHS,
        "stage1.batch_size": 16,
    }
    try:
        bench = open_bench(work, settings)
        equal = open_bench(work / "equal", settings | {"loss.balance": 0.0})
    except (InputError, SearchError) as error:
        raise click.ClickException(str(error)) from None
    known = work / "settings.json"
    if not known.is_file():
        known.write_text(json.dumps(settings))
    if json.loads(known.read_text()) != settings:
        raise click.UsageError(
            f"--work {work}: trainings of other settings, expected another folder"
        )
    space, rng = SearchSpace.cvpr2019(), random.Random(0)
    for number in range(COUNT):
        genotype = space.sample(rng, "isomorphism")
        for place, kinds in ((bench, KINDS), (equal, EQUAL)):
            for kind, (how, alone, seed) in kinds.items():
                start = trial_seed(seed, number)
                row = place.trained(kind, number, genotype, start, how=how, alone=alone)
                bench.known[kind, number] = row
    found = {
        "settings": settings,
        "count": COUNT,
        "compared": compared(bench, "whole", list(KINDS)[1:], COUNT),
        "compared with other weights": compared(bench, "again", list(KINDS)[:-2], COUNT),
        "compared without balance": compared(
            bench, "equal weights", ["equal weights, again", *BALANCED], COUNT
        ),
        "trainings": list(bench.known.values()),
        "versions": package_versions(),
    }
    with atomic_write(output) as temporary:
        temporary.write_text(json.dumps(found) + "\n")
    for against in ("compared", "compared with other weights", "compared without balance"):
        for kind, row in found[against].items():
            click.echo(f"{kind:42} {row}")


if __name__ == "__main__":
    main()
