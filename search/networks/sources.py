"""Genotypes named on a command line, and the facts that their runs or files record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from os.path import exists
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from auxnas.compiler import ModelSpec
from auxnas.compiler.architecture import (
    Architecture,
    ArchitectureDocument,
    blueprint_of,
    find_architecture,
)
from auxnas.genotype.errors import short_repr
from auxnas.genotype.texts import parse_json, read_text
from auxnas.search.errors import RequestError
from auxnas.search.networks.networks import read_network
from auxnas.search.networks.searched import Searched
from auxnas.search.settings.recorded import recorded_settings, recorded_space
from auxnas.search.settings.search import (
    DataSettings,
    LatencySettings,
    LimitSettings,
    ModelSettings,
    Settings,
)
from auxnas.search.settings.training import TrainingSettings, like_search
from auxnas.search.storage.export import trial_document
from auxnas.search.storage.folders import SEARCH, TRAINING, folder_kinds
from auxnas.search.storage.journal import Journal
from auxnas.search.storage.rescue import NAME
from auxnas.search.trials.records import Trial, best_of


@dataclass(frozen=True)
class GenotypeSource:
    """Architecture to train, and where it is from.

    Attributes:
        architecture: a genotype, or a hand-made network.
        run: the folder of the run that it comes from, if it does.
        searched: how the file that it comes from says it was built, if there is one that does.
        layer: settings of the trained network that it comes from, whose encoder is carried over.
    """

    architecture: Architecture
    run: Path | None = None
    searched: Searched | None = None
    layer: Mapping[str, Any] = field(default_factory=dict)


def find_source(text: str) -> GenotypeSource:
    """A genotype file, a published or hand-made network's name, the list, or ``RUN:TRIAL``.

    TRIAL is a number as nassearch top shows it, or ``best``; ``RUN`` alone is its best. A trained
    network, as a training's folder or a safetensors file, is its genotype with its encoder.

    Raises:
        RequestError: when the run has no such trial, or there is no such run.
        CompilerError: when a trained network cannot be read.
        GenotypeError: when it is none of these.
    """
    if text.endswith(".safetensors") or (Path(text) / TRAINING).is_file():
        return _of_trained(Path(text))
    folder, _, trial = text.rpartition(":")
    for place, which in ((text, "best"), (folder, trial)):
        if _is_run(place):
            return GenotypeSource(_read_trial(Path(place), which)[0].genotype, Path(place))
    check_run(text)
    document = find_architecture(text)
    return GenotypeSource(document.architecture, None, _described(text, document))


def check_run(text: str) -> None:
    """Refuses ``RUN:TRIAL`` where RUN is no run.

    Raises:
        RequestError: likewise.
    """
    folder, _, trial = text.rpartition(":")
    if folder and (trial == "best" or trial.isdecimal()) and not exists(text):
        raise RequestError(folder, "no search in it", "the folder of one: nassearch run --out")


def _of_trained(place: Path) -> GenotypeSource:
    """A network that was trained: its model, task and encoder, and of a folder its data."""
    trained = read_network(place)
    network, names = trained.network, ModelSettings.model_fields.keys() - {"auxiliary"}
    layer: dict[str, Any] = {
        "encoder_weights": str(trained.path),
        "model": {name: getattr(network.spec, name) for name in sorted(names)},
        "task": {"name": network.spec.task},
        "data": {name: trained.known[name] for name in ("size", "fit") if name in trained.known},
    }
    channels = blueprint_of(network.architecture).channels
    if channels is not None:
        layer["train"] = {"channels": channels}
    if (place / TRAINING).is_file():
        known = _training_settings(place).model_dump(mode="json")
        layer |= {name: known[name] for name in ("data", "task")}
    return GenotypeSource(network.architecture, layer=layer)


def without_old(layer: Mapping[str, Any], data: bool, task: bool) -> dict[str, Any]:
    """A layer of earlier work without what is said of its own data, or of its own task.

    Args:
        layer: of a run or a training.
        data: whether other data are given: they have a unit and numbers of their own.
        task: whether a task is given: the classes are the earlier one's.
    """
    old = [("data", name) for name in ("depth_scale", "map") if data]
    old += [("data", "classes"), ("task", "ignore")] if task else []
    return {
        section: {n: v for n, v in values.items() if (section, n) not in old}
        if isinstance(values, Mapping)
        else values
        for section, values in layer.items()
    }


def _described(text: str, document: ArchitectureDocument) -> Searched | None:
    """Conditions of the search in a genotype's document; None where it records none."""
    model, size = document.extra.get("model"), document.extra.get("size")
    if not isinstance(model, Mapping) or not model:
        return None
    spec = ModelSpec.from_dict(model, f"{text}: model")
    known = isinstance(size, list) and len(size) == 2 and all(type(n) is int for n in size)
    try:
        limits = LimitSettings.model_validate(document.extra.get("limits", {}))
        latency = LatencySettings.model_validate(document.extra.get("latency", {}))
    except ValidationError as error:
        section = "limits" if error.title == "LimitSettings" else "latency"
        found = short_repr(document.extra[section])
        raise RequestError(f"{text}: {section}", found, "those that nassearch exports") from None
    sides = (size[0], size[1]) if known and size else None
    return Searched(text, spec, sides, limits, latency=latency)


def searched_as(source: GenotypeSource, run: Path | None) -> Searched | None:
    """Conditions of the search that found an architecture, with those of all runs named.

    Args:
        source: the architecture, with its file's or its run's own conditions.
        run: named beside it, if one is; where nothing else is known its conditions count.

    Raises:
        JournalError: when there is no run.
    """
    folders = dict.fromkeys(each for each in (source.run, run) if each is not None)
    found = [each for each in (source.searched, *map(searched_in, folders)) if each is not None]
    if not found:
        return None
    return replace(found[0], others=tuple(found[1:]))


def searched_in(run: Path) -> Searched | None:
    """Conditions of a run's search; None where it ended before they were recorded.

    Raises:
        JournalError: when there is no run.
    """
    with Journal(run) as journal:
        meta = journal.meta()
    if "model" not in meta:
        return None
    settings = recorded_settings(meta["settings"], Settings)
    spec = ModelSpec.from_dict(meta["model"])
    known = (meta.get("data"), meta.get("encoder"))
    size, limits = settings.data.size, settings.limits
    vocabulary, latency = settings.space.vocabulary, settings.latency
    return Searched(str(run), spec, size, limits, *known, vocabulary, latency=latency)


def document_of_trial(text: str) -> str | None:
    """The document that nassearch exports of ``RUN:TRIAL``; None where ``text`` names no trial.

    Raises:
        RequestError: when the run has no such trial, or there is no such folder.
    """
    folder, _, which = text.rpartition(":")
    if not _is_run(folder) or exists(text):
        if not exists(folder):
            check_run(text)
        return None
    run = Path(folder).resolve().name
    trial, meta = _read_trial(Path(folder), which)
    return trial_document(trial, f"{run}-{which}", run, meta)


def _is_run(place: str) -> bool:
    return (
        bool(place) and "\n" not in place and len(place) < 4096 and (Path(place) / NAME).is_file()
    )


def _read_trial(folder: Path, which: str) -> tuple[Trial, Mapping[str, Any]]:
    """A trial by its number or as the best, and its run's metadata."""
    with Journal(folder) as journal:
        meta, trials = journal.meta(), journal.trials()
    if "settings" in meta:
        recorded_space(meta["settings"])  # which adds primitives of the user's own
    if which == "best" and best_of(trials):
        return best_of(trials)[0], meta
    return trial_by_number(folder, trials, which), meta


def trial_by_number(folder: Path, trials: Sequence[Trial], number: str) -> Trial:
    """The trial that ``nassearch top`` gives this number.

    Raises:
        RequestError: when there is none.
    """
    if number.isdecimal() and 1 <= int(number) <= len(trials):
        return trials[int(number) - 1]
    raise RequestError(f"{folder}:{number}", "no such trial", f"best, or 1..{len(trials)}")


@dataclass(frozen=True)
class OwnData:
    """The data that a run or a training was on.

    Attributes:
        settings: data, and split of them.
        ignore: the classes that counted in no score.
        key: names the pixels of their training part by content.
    """

    settings: DataSettings
    ignore: tuple[str, ...]
    key: str | None


def own_data(folder: Path) -> OwnData:
    """Data recorded in the folder of a run or of a training.

    Raises:
        RequestError: when it is neither.
        JournalError: when a run's journal cannot be read.
        SettingsError: when the settings in it are none of ours.
    """
    if SEARCH in folder_kinds(folder):
        with Journal(folder) as journal:
            meta = journal.meta()
        settings = recorded_settings(meta.get("settings", {}), Settings, "data.source")
        return OwnData(settings.data, settings.ignored, meta.get("data"))
    if (folder / TRAINING).is_file():
        begun, known = parse_json(read_text(folder / TRAINING)), _training_settings(folder)
        return OwnData(known.data, known.task.ignore or (), begun.get("data"))
    raise RequestError(str(folder), "neither a run nor a training", "--data")


def _training_settings(folder: Path) -> TrainingSettings:
    begun = parse_json(read_text(folder / TRAINING))
    return recorded_settings(begun["settings"], TrainingSettings, "data.source")


def layer_of(run: Path) -> dict[str, Any]:
    """Training settings as in the run: its data and its own encoder.

    Raises:
        JournalError: when there is no run.
    """
    with Journal(run) as journal:
        layer = like_search(
            recorded_settings(journal.meta()["settings"], Settings).model_dump(mode="json")
        )
    own = run / "encoder.safetensors"
    if own.is_file():
        layer["encoder_weights"] = str(own)
    return layer
