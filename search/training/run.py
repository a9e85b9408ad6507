"""A whole long training: from settings to a folder with the trained network and its scores."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from auxnas.backends.base import Examples
from auxnas.compiler import Program
from auxnas.compiler.architecture import blueprint_of
from auxnas.compiler.files import atomic_write
from auxnas.compiler.tasks import Sums
from auxnas.compiler.weights import initial_params
from auxnas.genotype import Genotype, to_json
from auxnas.search.evaluation.scoring import network_figures, scores
from auxnas.search.examples.context import DataContext, Part
from auxnas.search.networks.networks import WEIGHTS, save_network
from auxnas.search.networks.searched import comparison_lines
from auxnas.search.storage.cache import params_digest
from auxnas.search.storage.checkpoint import Checkpoint, Entry
from auxnas.search.storage.folders import TRAINING, check_folder_kind
from auxnas.search.storage.identity import begun_encoder, write_json, write_or_compare
from auxnas.search.storage.lock import run_lock
from auxnas.search.training.context import TrainingContext
from auxnas.search.training.training import LongTraining, phases, with_teacher

RESULT, GENOTYPE = "result.json", "genotype.json"
"""Names of a training's result, and of its genotype, in its folder."""


def train_network(context: TrainingContext) -> dict[str, Any]:
    """Trains to the end, or goes on with the training in the folder; what came out, as data.

    A finished training is not repeated.

    Raises:
        RunLockedError: when another process trains in this folder.
        SettingsError: naming what differs from the training that was begun here, or what
            else is in the folder.
        TrialFailure: when training fails.
    """
    with opened_training(context) as found:
        return found or finish_training(context, *long_training(context).run())


@contextmanager
def opened_training(context: TrainingContext) -> Iterator[dict[str, Any] | None]:
    """Holds the lock of a training's folder: what a finished one came to, None of any other.

    Raises:
        RunLockedError: when another process trains in this folder.
        SettingsError: as ``train_network``.
    """
    check_folder_kind(context.folder, "a training")
    if not context.folder.exists():
        check_training(context)
    context.folder.mkdir(parents=True, exist_ok=True)
    with run_lock(context.folder):
        if (digest := begun_encoder(context.folder / TRAINING)) is not None:
            context.model.keep_encoder(digest)
        write_or_compare(context.folder / TRAINING, context.settings, _identity(context))
        if (context.folder / RESULT).is_file():
            found: dict[str, Any] = json.loads((context.folder / RESULT).read_text())
            context.display.say(f"{context.folder}: trained already")
            Checkpoint.remove(context.folder)
            yield found
            return
        context.display.say(_introduction(context))
        for line in (*comparison_lines(context.comparison or {}), *_changes(context)):
            context.display.say(line)
        yield None


def check_training(context: TrainingContext) -> None:
    """Finds what is wrong with framework, data and files before a folder is made for them."""
    data, model = context.data, context.model
    _ = context.teacher, context.network.graph()
    data.check_enough_data(data.training_split)
    _ = context.earlier
    if context.settings.encoder_weights is not None:
        _ = model.encoder


def long_training(context: TrainingContext) -> LongTraining:
    """The training itself, on the whole training part."""
    data, learner, teacher = context.data, context.model.learner, context.teacher
    train, val = data.training_split

    def images(part: Part) -> Examples:
        found = data.examples(part, context.settings.data.scale)
        return found if teacher is None else with_teacher(found, learner, teacher)

    return LongTraining(
        learner=learner,
        program=start_program(context),
        train=images(train),
        earlier=tuple(map(images, context.earlier)),
        val=data.examples(val),
        task=data.task,
        settings=context.settings.train,
        seed=context.seed,
        folder=context.folder,
        display=context.display,
        told=context.told,
    )


def start_program(context: TrainingContext) -> Program:
    """The network before training: the encoder as given, the rest from the seed."""
    network, encoder = context.network, context.model.encoder_params
    graph, data = network.graph(), context.data
    start = data.output_start(data.training_split.train)
    return Program(graph, {**initial_params(graph, context.seed, start), **encoder}, network.name)


def _identity(context: TrainingContext) -> dict[str, Any]:
    """Everything that decides what the training comes to, apart from its settings."""
    data, teacher = context.data, context.teacher
    earlier = [part.stored.key for part in context.earlier]
    return {
        "network": context.network.describe(),
        "data": data.training.key,
        **({"data of earlier phases": earlier} if earlier else {}),
        "validation": data.validation and data.validation.key,
        "encoder": params_digest(context.model.encoder_params),
        "teacher": teacher and params_digest(teacher.params),
    }


def _changes(context: TrainingContext) -> Iterator[str]:
    """In words, what beside the network is not as it was in the search."""
    first = context.searched
    for known in (first, *first.others) if first is not None else ():
        same_size = known.size == tuple(context.settings.data.size)
        if known.data and same_size and context.data.training.key != known.data:
            yield f"warning: other data than those that {known.place} searched on"
        if known.encoder and params_digest(context.model.encoder_params) != known.encoder:
            yield f"warning: another encoder than the one that {known.place} searched with"


def judged_on(data: DataContext) -> str:
    """In words, the images that a training is validated on."""
    count = len(data.training_split.val)
    if data.validation is None:
        return f"{count} images of meta-val (the data have no part for it)"
    return f"{count} images of their validation part"


def _introduction(context: TrainingContext) -> str:
    """Announcement of a training."""
    data, (height, width) = context.data, context.settings.data.size
    parts = (*context.earlier, data.training_split.train)
    names = ", then on ".join((*(p.name for p in context.earlier), data.training.dataset.name))
    counts = " and ".join(str(len(part)) for part in parts)
    return (
        f"training {context.architecture} on {names}: {counts} images at {height}x{width}, "
        f"{context.settings.train.epochs} epochs on {context.model.learner.where}; "
        f"validating on {judged_on(data)}"
    )


def finish_training(
    context: TrainingContext, program: Program, sums: Sums, history: Sequence[Entry]
) -> dict[str, Any]:
    """Writes the folder's files, ``result.json`` last; returns what is in that.

    Args:
        context: of the training.
        program: the trained network.
        sums: its statistics.
        history: an entry for every part.
    """
    data, size, folder = context.data, context.settings.data.size, context.folder
    dataset, files = data.training.dataset, {"weights": folder / WEIGHTS}
    look = (dataset.classes, dataset.palette.tolist(), size, context.settings.data.fit)
    save_network(files["weights"], context.network, program.params, *look)
    result = {
        **network_figures(context.network, size),
        **scores(data.task, sums),
        "epochs": context.settings.train.epochs,
        "seed": context.settings.seed,
        "seconds": history[-1]["seconds"],
        "images": dict(zip(("train", "val"), map(len, data.training_split), strict=True)),
    }
    if context.earlier:
        result["phases"] = phase_records(context)
    if context.comparison is not None:
        result["searched"] = context.comparison
    genotype = blueprint_of(context.architecture).genotype
    if genotype is not None:
        files["genotype"] = folder / GENOTYPE
        with atomic_write(files["genotype"]) as path:
            path.write_text(_document(context, genotype, result) + "\n", encoding="utf-8")
    result["files"] = {kind: str(path) for kind, path in files.items()}
    write_json(folder / RESULT, result)
    Checkpoint.remove(folder)
    return result


def phase_records(context: TrainingContext) -> list[dict[str, Any]]:
    """Data, images and epochs of each phase, as plain data."""
    train = context.data.training_split.train
    last = (context.data.training.dataset.name, len(train))
    own = [(part.name, len(part)) for part in context.earlier]
    found = phases(context.settings.train)
    own += [last] * (len(found) - len(own))
    return [
        {"data": name, "images": images, "epochs": len(phase.epochs)}
        for phase, (name, images) in zip(found, own, strict=True)
    ]


def _document(context: TrainingContext, genotype: Genotype, result: Mapping[str, Any]) -> str:
    kept = ("reward", *context.data.task.metrics, "parameters", "multiply_adds")
    return to_json(
        genotype,
        name=context.folder.name,
        model=context.network.shipped().spec.to_dict(),
        classes=list(context.data.training.dataset.classes),
        size=list(context.settings.data.size),
        result={name: result[name] for name in kept if name in result},
    )
