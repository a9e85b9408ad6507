"""``nassearch train``: one network, for long."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click

from auxnas.backends.caching import cache_dir
from auxnas.backends.progress import format_duration
from auxnas.compiler.architecture import Architecture, blueprint_of
from auxnas.compiler.decoders import DECODERS
from auxnas.compiler.tasks import Task
from auxnas.console import OneLineCommand, print_json, say
from auxnas.nassearch import options
from auxnas.progress import display_on_stderr
from auxnas.search.errors import SettingsError
from auxnas.search.executors.base import evaluates_elsewhere
from auxnas.search.networks.searched import Searched
from auxnas.search.networks.sources import (
    find_source,
    layer_of,
    searched_as,
    searched_in,
    without_old,
)
from auxnas.search.settings.search import Settings
from auxnas.search.settings.training import TrainingSettings, preset_layers
from auxnas.search.storage.export import own_code
from auxnas.search.training.context import TrainingContext
from auxnas.search.training.run import train_network as execute
from auxnas.trackers.epochs import EpochLog
from auxnas.trackers.session import Trackers, names_of

OPTIONS = options.SETTINGS | {
    "epochs": "train.epochs",
    "seed": "seed",
    "teacher": "train.teacher",
    "earlier": "train.data",
}
"""The settings that have an option of their own."""
EXECUTION = {
    "workers": "workers",
    "cluster": "cluster.address",
    "mixed": "cluster.mixed",
    "search.executor": "search.executor",
    "trial_timeout": "trial_timeout",
}
"""Settings of what executes trainings of a run's architectures, by option or by their own name."""

GENOTYPE_HELP = (
    "A file, arch0 to arch2, the list itself, RUN:TRIAL or RUN:best of a search, a trained "
    "network (its folder or model.safetensors), or a hand-made rival: "
    f"{', '.join(DECODERS)}. The encoder of a run or a trained network is carried over, "
    "whatever the --task."
)
RUN_HELP = "Data, encoder and its width as in this search.  [default: the genotype's RUN]"

_LEAST = ", one for each of train.phases at least: 4, where no other are set."
as_searched = click.option(
    "--as-searched", is_flag=True, help="Keep the encoder's width, agg_size and sep_repeats."
)


def options_of_trainings(out_help: str) -> Callable[[options.F], options.F]:
    """Options of a command that trains architectures of a run.

    Args:
        out_help: words on ``--out``.
    """
    found = (
        *(options.preset, options.data, options.parts_of("run"), as_searched),
        click.option("--epochs", type=int, metavar="N", help=f"Epochs of each training{_LEAST}"),
        click.option("--seed", type=int, metavar="N", help="Seed of all trainings."),
        click.option("--out", type=options.PATH, metavar="DIR", help=out_help),
        *(options.workers, options.cluster, options.mixed),
        *(options.learner, options.sets, options.cache, options.as_json),
    )

    def decorate(command: options.F) -> options.F:
        for option in reversed(found):
            command = option(command)
        return command

    return decorate


def settings_of_trainings(
    folder: Path,
    preset: str,
    as_searched: bool,
    named: Mapping[str, Any],
    sets: tuple[tuple[str, Any], ...],
) -> tuple[TrainingSettings, Searched | None, Settings]:
    """Settings of trainings of architectures of the run in ``folder``, what it searched in, and
    the settings of what executes them."""
    searched = searched_in(folder)
    layers = layers_like(preset, folder, searched if as_searched else None)
    executing = [each for each in sets if each[0] in EXECUTION or each[0].startswith("cluster.")]
    own = [each for each in sets if each not in executing]
    known = {name: value for name, value in named.items() if name not in EXECUTION}
    settings = options.settings_of(TrainingSettings, layers, OPTIONS, known, own)
    if as_searched:
        check_as_searched(settings, searched)
    given = {name: value for name, value in named.items() if name in EXECUTION}
    below = [{"threads": settings.threads, "learner": settings.learner}]
    executor = options.settings_of(Settings, below, EXECUTION, given, executing)
    _check_elsewhere(settings, executor)
    return settings, searched, executor


def _check_elsewhere(settings: TrainingSettings, executor: Settings) -> None:
    """Checks that trainings outside this process come to what they would in it.

    Raises:
        UsageError: naming the setting.
    """
    try:
        if not evaluates_elsewhere(executor):
            return
        if settings.threads is None:
            found = "none, with trainings elsewhere"
            raise SettingsError("threads", found, "a number: --set threads=1")
        if settings.train.processes > 1:
            found = f"{settings.train.processes}, with trainings elsewhere"
            raise SettingsError("train.processes", found, "1: each has a process of its own")
    except SettingsError as error:
        raise click.UsageError(str(error)) from None


@click.command(cls=OneLineCommand)
@click.option("--genotype", metavar="GENOTYPE", required=True, help=GENOTYPE_HELP)
@options.data_of_phases
@click.option("--run", "run_", metavar="RUN", type=options.PATH, help=RUN_HELP)
@options.preset
@options.classes
@options.size
@options.task
@options.encoder
@options.vocabulary
@options.depth_scale
@options.label_map
@as_searched
@click.option("--epochs", type=int, metavar="N", help=f"Passes over the training images{_LEAST}")
@click.option(
    "--seed",
    type=int,
    metavar="N",
    help="Seed of the decoder's first weights and of the images' order.",
)
@click.option(
    "--out", type=options.PATH, metavar="DIR", required=True, help="The training's folder."
)
@options.encoder_weights
@options.teacher
@options.learner
@options.log
@options.sets
@options.cache
@options.as_json
def train(
    genotype: str,
    run_: Path | None,
    preset: str,
    as_searched: bool,
    vocabulary: str | None,
    out: Path,
    cache: Path | None,
    log: tuple[str, ...],
    sets: tuple[tuple[str, Any], ...],
    as_json: bool,
    **named: Any,
) -> int:
    """Train an architecture for long, or go on with the training in --out.

    Trains on the whole training part of the data and scores on their validation part, the last
    one's where --data is given several times.
    An architecture out of a search is trained at the paper's size for training, which is larger
    than the one it was searched at, unless --as-searched is given.
    Ctrl-C or a kill loses what came after the last checkpoint; the same command goes on
    from there to the same network.
    """
    *earlier, named["data"] = named["data"] or [None]
    named["earlier"] = earlier or None
    source = find_source(genotype)
    if not (run_ or source.run):
        options.require_data(out, named, sets, source.layer)
    run = run_ or source.run
    searched = searched_as(source, run_)
    new = (named["data"] is not None, named["task"] is not None)
    layers = layers_like(preset, run, searched if as_searched else None, source.layer)
    layers = [without_old(layer, *new) for layer in layers]
    layers += encoder_layers(source.architecture, layers)
    try:
        settings = options.settings_of(TrainingSettings, layers, OPTIONS, named, sets)
    except click.UsageError as error:
        raise click.UsageError(_of_several_data(error.message, len(earlier))) from None
    if as_searched:
        known = searched if blueprint_of(source.architecture).genotype is not None else None
        check_as_searched(settings, known)
    where = (out, cache_dir(cache), display_on_stderr())
    trackers = Trackers(names_of(out, log), where[-1])
    told = EpochLog(trackers, out, settings)
    context = TrainingContext(settings, source.architecture, *where, searched, told)

    def work() -> int:
        with trackers:
            result = execute(context)
            trackers.log_files(result["files"].values())
        task, model = context.data.task, context.network.spec.to_dict()
        own = own_code(model, vocabulary or (searched.vocabulary if searched else None))
        print_json(result) if as_json else _print(result, task, own)
        return 0

    return options.run_resumable(work, "the same command goes on from the last checkpoint")


def _of_several_data(message: str, earlier: int) -> str:
    """A message on ``train.data`` as it is written: as so many --data before the last."""
    found = re.match(r"train\.data(?:\.(\d+))?: ", message)
    if found is None or not earlier:
        return message
    if found[1]:
        return f"--data {int(found[1]) + 1} of {earlier + 1}: {message[found.end() :]}"
    expected = "one for each of train.phases at most: --preset paper has four"
    return f"--data: given {earlier + 1} times, expected {expected}"


def layers_like(
    preset: str,
    run: Path | None,
    searched: Searched | None,
    trained: Mapping[str, Any] = MappingProxyType({}),
) -> list[Mapping[str, Any]]:
    """Layers of training settings: of the preset, of what is there, of a model as searched.

    Args:
        preset: the preset's name.
        run: the run's folder, if it is like one.
        searched: whose model to keep, if anyone's.
        trained: of a trained network; empty without one.
    """
    of_run = layer_of(run) if run else {}
    of_search = searched.layer if searched else {}
    return [*preset_layers(options.known_preset(preset)), trained, of_run, of_search]


def encoder_layers(
    architecture: Architecture, layers: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """A layer of the encoder that a hand-made network is made of; the weights of another go.

    Args:
        architecture: the network.
        layers: those below.
    """
    encoder = blueprint_of(architecture).encoder
    if encoder is None:
        return []
    below = [each["model"]["encoder"] for each in layers if "encoder" in each.get("model", {})]
    model = {"model": {"encoder": encoder}}
    same = below[-1:] == [encoder]
    return [model if same else {**model, "encoder_weights": None}]


def check_as_searched(settings: TrainingSettings, searched: Searched | None) -> None:
    """Checks that --as-searched has a search, and no settings that contradict it.

    Raises:
        UsageError: naming them.
    """
    if searched is None:
        found = "--as-searched: nothing is known of a search"
        raise click.UsageError(f"{found}, expected --genotype RUN:TRIAL, its file, or --run RUN")
    for name, value in searched.layer["model"].items():
        if getattr(settings.model, name) != value:
            found = f"--as-searched: model.{name} was {value} in {searched.place}"
            raise click.UsageError(f"{found}, expected no other")


def _print(result: Mapping[str, Any], task: Task, own: Sequence[str]) -> None:
    """The result for people, and what to do with it; ``own`` names code of the user's own."""
    scores = ", ".join(
        f"{m.title} {result[name]:.4f}" for name, m in task.metrics.items() if name in result
    )
    height, width = result["size"]
    say(f"{scores} on {result['images']['val']} images, {format_duration(result['seconds'])}")
    say(
        f"{result['parameters'] / 1e6:.3f} M parameters, "
        f"{result['multiply_adds'] / 1e6:.1f} M multiply-adds at {height}x{width}"
    )
    files = result["files"]
    for path in files.values():
        say(path)
    artefact = Path(files["weights"]).with_suffix(".onnx")
    genotype = files.get("genotype", result["network"])
    words = ["nascompile", genotype, "--weights", files["weights"]]
    say(f"next: {shlex.join([*words, *own, '--output', str(artefact)])}")
