"""What a user would pick instead, side by side in one run: the same images, recipe and weights.

    python -m venv peers
    peers/bin/pip install '.[torch,ort,openvino,bench]' torchvision segmentation-models-pytorch \\
        ultralytics
    peers/bin/python bench/deploy/peers.py --data list:DATA --encoder WEIGHTS --tune 3 \\
        --work RUNS --output peers.json
    peers/bin/python bench/deploy/peers.py ... --times

The environment is one of its own: ultralytics is under the AGPL, and nothing of it is copied or
needed. Every network is trained by the one loop of ``peer_training.py`` with one recipe on the
training list, from ImageNet's WEIGHTS of MobileNet-v2 where it takes them, else from scratch, as
ours then are too, and scored on the validation list; ours in int8, too, as nascompile makes it with
photographs of the training list. With ``--tune`` the rates of each are first chosen out of RATES by
so many epochs on nine tenths of the training list, judged on the rest. ``--times`` trains nothing,
but takes each network through the ways to run it, each in a process of its own, finds its fastest,
and times these in turns; it wants the machine alone. A training that was interrupted begins again;
what is there already is kept. ``--report`` prints what is there so far.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from peer_tables import (
    FROM_SCRATCH,
    INT8,
    OURS,
    VARIANTS,
    Entry,
    draw,
    entry_of,
    files_of_trainings,
    front_genotypes,
    table,
)
from peer_times import race_networks

from auxnas.compiler.files import atomic_write
from auxnas.genotype.errors import InputError
from auxnas.genotype.texts import parse_json
from auxnas.progress import display_on_stderr
from auxnas.search.settings.resolving import nest, resolve
from auxnas.search.settings.search import SCRATCH
from auxnas.search.settings.training import TrainingSettings, preset_layers

if TYPE_CHECKING:
    from auxnas.search.training.context import TrainingContext

RECIPE = """data.crop=null data.fit=stretch threads=1 model.encoder=mobilenet_v2_torchvision
    train.batch_size=8 train.epsilon=1e-8 train.beta2=0.999 train.schedule=poly
    train.phases=[1] train.auxiliary=[0] train.frozen=0"""
ADAM = "train.encoder_optimiser=adam train.encoder_rate={} train.decoder_rate={}"
RATES = {
    "imagenet": {
        "Adam 0.0005": ADAM.format(0.0005, 0.003),
        "Adam 0.0002": ADAM.format(0.0002, 0.001),
        "SGD 0.001": "train.encoder_rate=0.001 train.decoder_rate=0.001",
    },
    "scratch": {
        "Adam 0.003": ADAM.format(0.003, 0.003),
        "Adam 0.001": ADAM.format(0.001, 0.001),
        "Adam 0.0005": ADAM.format(0.0005, 0.003),
    },
}
"""Of the encoder, by rule and rate; the decoder's rule is Adam, at a rate of its own."""
STARTS = {
    "imagenet": ("fpn", "unet", "deeplabv3plus", "segformer", "lwrf", *OURS),
    "scratch": ("lraspp", "yolo26n-sem", *OURS, *FROM_SCRATCH),
}


@dataclass(frozen=True)
class Bench:
    """Trainings and times of one command, kept in a folder.

    Attributes:
        data: images.
        encoder: file with ImageNet's weights.
        epochs: of a training.
        tuning: epochs of one that chooses rates; 0 for none.
        sets: of the recipe, for all networks alike.
        work: the folder.
    """

    data: str
    encoder: str
    epochs: int
    tuning: int
    sets: Sequence[str]
    work: Path

    def context(
        self, name: str, start: str, size: str, seed: int = 0, epochs: int = 1, rates: str = ""
    ) -> TrainingContext:
        """Images, recipe and, of a network of ours, its first weights."""
        from peer_networks import architecture_of

        from auxnas.search.training.context import TrainingContext

        words = [*self.recipe, *RATES[start].get(rates, "").split()]
        words += (VARIANTS | FROM_SCRATCH).get(name, "").split()
        given = dict(map(assignment, words)) | {
            "data.source": self.data,
            "data.size": list(sides(size)),
            "encoder_weights": self.encoder if start == "imagenet" else SCRATCH,
            "train.epochs": epochs,
            "seed": seed,
        }
        settings = resolve(*preset_layers("paper"), nest(given), kind=TrainingSettings)
        where = (self.work, self.work / "cache", display_on_stderr())
        return TrainingContext(settings, architecture_of(name), *where)

    def check(self) -> None:
        """Refuses a folder whose trainings have another recipe."""
        mine = {
            "data": self.data,
            "epochs": self.epochs,
            "recipe": self.recipe,
            "rates": RATES,
            "found": front_genotypes(),
        }
        path = self.work / "recipe.json"
        if not path.is_file():
            write(path, mine)
        theirs = json.loads(path.read_text())
        for name, value in mine.items():
            if theirs[name] != value:
                found = f"--work {self.work}: trainings with {name} {theirs[name]}"
                raise click.UsageError(f"{found}, expected {value}, or another folder")

    @property
    def recipe(self) -> list[str]:
        """Settings of every training, as ``NAME=VALUE``."""
        return [*RECIPE.split(), *self.sets]

    def train(self, name: str, start: str, size: str, seed: int) -> None:
        """A training with the best of RATES, unless it is there."""
        path = self.work / size / f"{name}-{start}-{seed}.json"
        if path.is_file():
            return
        rates = next(iter(RATES[start]))
        if self.tuning:
            tried = {each: self._tuned(name, start, size, each) for each in RATES[start]}
            rates = max(tried, key=tried.__getitem__)
        from peer_networks import trained

        context = self.context(name, start, size, seed, self.epochs, rates)
        shipped = self._int8(size) / f"{name}-{start}-{seed}.onnx"
        found = trained(name, context, context.data.training_split, shipped)
        write(path, {"rates": rates, **found})

    def _tuned(self, name: str, start: str, size: str, rates: str) -> float:
        """mIoU of a short training on images kept apart from those that count."""
        from peer_networks import trained

        path = self.work / size / "tuning" / f"{name}-{start}-{slug(rates)}-{self.tuning}.json"
        if not path.is_file():
            context = self.context(name, start, size, 0, self.tuning, rates)
            write(path, trained(name, context, context.data.search_split))
        miou: float = json.loads(path.read_text())["miou"]
        return miou

    def time(self, names: Sequence[str], size: str, rounds: int) -> None:
        """Times of some networks, unless they are there."""
        from peer_networks import files_of

        path = self._times(size)
        if path.is_file():
            return
        folder = self.work / size / "files"
        folder.mkdir(parents=True, exist_ok=True)
        image = folder / "image.npy"
        rng = np.random.default_rng(0)
        np.save(image, rng.normal(size=(1, 3, *sides(size))).astype(np.float32))
        files = {}
        for name in names:
            start = next(start for start, own in STARTS.items() if name in own)
            files[name] = files_of(name, self.context(name, start, size), np.load(image), folder)
            for made in files_of_trainings(self._int8(size), name, start, ".onnx")[:1]:
                files[f"{name} {INT8}"] = {"nascompile": made}
        write(path, race_networks(files, image, rounds))

    def _int8(self, size: str) -> Path:
        return self.work / size / INT8

    def _times(self, size: str) -> Path:
        return self.work / size / "times.json"

    def entries(self, sizes: Sequence[str]) -> Iterator[Entry]:
        """What is known of each network by now."""
        for size in sizes:
            path = self._times(size)
            times = json.loads(path.read_text())["fastest in turns"] if path.is_file() else {}
            for start, names in STARTS.items():
                for name in names:
                    paths = files_of_trainings(self.work / size, name, start, ".json")
                    runs = [json.loads(each.read_text()) for each in paths]
                    forms = {name: runs, f"{name} {INT8}": [r | r[INT8] for r in runs if INT8 in r]}
                    for form, scores in forms.items():
                        if scores:
                            yield entry_of(form, start, size, scores, times.get(form, {}))

    def report(self, sizes: Sequence[str], output: Path) -> None:
        """Writes all that is known."""
        found, times = list(self.entries(sizes)), {}
        for size in sizes:
            if self._times(size).is_file():
                times[size] = json.loads(self._times(size).read_text())
        known = {
            "recipe": self.recipe,
            "rates": RATES,
            "epochs": self.epochs,
            "epochs of tuning": self.tuning,
            "networks": [asdict(each) for each in found],
            "times": times,
        }
        write(output, known)
        output.with_suffix(".md").write_text(table(found))
        if any(each.milliseconds is not None for each in found):
            draw(found, output.with_suffix(".png"))


def sides(size: str) -> tuple[int, int]:
    height, width = map(int, size.split("x"))
    return height, width


def assignment(word: str) -> tuple[str, Any]:
    """``NAME=VALUE``, the value as JSON or as text."""
    name, _, text = word.partition("=")
    try:
        return name, parse_json(text)
    except json.JSONDecodeError:
        return name, text


def slug(words: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in words)


def write(path: Path, found: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(found, indent=1) + "\n")


NAMES = tuple(dict.fromkeys(name for names in STARTS.values() for name in names))


@click.command()
@click.option("--data", required=True)
@click.option("--encoder", required=True, help="Weights of MobileNet-v2, torchvision's names.")
@click.option("--size", "sizes", multiple=True, default=["96x128"], show_default=True)
@click.option("--epochs", default=10, show_default=True)
@click.option("--tune", default=0, show_default=True, help="Epochs that choose rates; 0: none.")
@click.option("--seeds", default=1, show_default=True)
@click.option("--only", multiple=True, type=click.Choice(NAMES), help="[default: all]")
@click.option("--start", multiple=True, type=click.Choice(list(STARTS)), help="[default: both]")
@click.option("--set", "sets", multiple=True, metavar="NAME=VALUE", help="For every network.")
@click.option("--work", type=click.Path(path_type=Path), required=True)
@click.option("--output", type=click.Path(path_type=Path), required=True)
@click.option("--times", is_flag=True, help="Train nothing, but time the networks.")
@click.option("--rounds", default=15, show_default=True, help="Of --times.")
@click.option("--report", is_flag=True, help="Neither train nor time.")
def main(
    data: str,
    encoder: str,
    sizes: tuple[str, ...],
    epochs: int,
    tune: int,
    seeds: int,
    only: tuple[str, ...],
    start: tuple[str, ...],
    sets: tuple[str, ...],
    work: Path,
    output: Path,
    times: bool,
    rounds: int,
    report: bool,
) -> None:
    bench = Bench(data, encoder, epochs, tune, sets, work)
    bench.check()
    names = only or NAMES
    plan = [
        (name, begin, size, seed)
        for seed in range(seeds)
        for size in sizes
        for begin in start or tuple(STARTS)
        for name in STARTS[begin]
        if name in names
    ]
    try:
        for size in sizes if times else ():
            bench.time(names, size, rounds)
        for each in () if times or report else plan:
            bench.train(*each)
            bench.report(sizes, output)
    except InputError as error:
        raise click.UsageError(str(error)) from None
    bench.report(sizes, output)
    click.echo(output.with_suffix(".md").read_text())


if __name__ == "__main__":
    main()
