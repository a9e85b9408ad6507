"""From layers of values to settings: presets, files and options laid over each other.

Names are dotted, ``stage1.epochs``; what is unknown or out of bounds is one clear error.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from typing import Any, TypeVar, overload

from pydantic import ValidationError

from auxnas.genotype.errors import short_repr
from auxnas.search.errors import SettingsError
from auxnas.search.settings.fields import SettingsSection
from auxnas.search.settings.search import HARMLESS, Settings

S = TypeVar("S", bound=SettingsSection)


@overload
def resolve(*layers: Mapping[str, Any]) -> Settings: ...
@overload
def resolve(*layers: Mapping[str, Any], kind: type[S]) -> S: ...
def resolve(*layers: Mapping[str, Any], kind: type[SettingsSection] = Settings) -> SettingsSection:
    """The settings of nested values, each layer over the ones before, all over the defaults.

    A layer that says where a run ends, by a number of trials or a budget, says it all:
    neither is left over from the layers before.

    Raises:
        SettingsError: naming the setting, what was found, and the nearest known name or
            the values that it takes.
    """
    values = kind().model_dump(mode="json")
    known = _by_last_part(values)
    for layer in layers:
        _check_plain(layer, "")
        _overlay(values, {**_lifted(layer, values), **layer}, "", known)
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise _settings_error(error) from None


def _check_plain(value: Any, place: str) -> None:
    """Checks that numbers are finite and in range, and that text can stand in TOML and JSON.

    That is lone surrogates, which also stand for the bytes of a file name that is not UTF-8.

    Raises:
        SettingsError: naming the setting.
    """
    if isinstance(value, Mapping):
        for name, inner in value.items():
            _check_plain(name, place)
            _check_plain(inner, f"{place}.{name}" if place else str(name))
    elif isinstance(value, list | tuple):
        for inner in value:
            _check_plain(inner, place)
    elif isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
        raise SettingsError(place, short_repr(value), "an integer of 64 bits at most")
    elif isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise SettingsError(place, short_repr(value), "text or a path in UTF-8") from None


def unknown_setting(name: str, *kinds: type[SettingsSection]) -> SettingsError:
    """The error of a dotted ``name`` that is no setting of any of the ``kinds``.

    Groups of one name in several kinds have the same settings.
    """
    values: dict[str, Any] = {}
    for kind in kinds:
        values |= kind().model_dump(mode="json")
    near = [known for known, _ in flatten(values) if name.startswith(f"{known}.")]
    try:
        _overlay(values, nest({name: {}}), "", _by_last_part(values))
    except SettingsError as error:
        return error
    return SettingsError(name, "no such setting", f"perhaps {' or '.join(near)}")


def _by_last_part(values: Mapping[str, Any]) -> dict[str, list[str]]:
    """The dotted names of nested values, by their last part."""
    known: dict[str, list[str]] = {}
    for name, _ in flatten(values):
        known.setdefault(name.rpartition(".")[2], []).append(name)
    return known


def _lifted(layer: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, None]:
    """The bounds of earlier layers that a layer with bounds of its own lifts."""
    ends = [name for name in ("trials", "budget") if name in known]
    return dict.fromkeys(ends) if any(layer.get(name) is not None for name in ends) else {}


def nest(values: Mapping[str, Any]) -> dict[str, Any]:
    """Nested values of dotted ones: ``{"data.size": x}`` is ``{"data": {"size": x}}``."""
    result: dict[str, Any] = {}
    for name, value in values.items():
        *sections, last = name.split(".")
        place = result
        for section in sections:
            place = place.setdefault(section, {})
            if not isinstance(place, dict):
                raise SettingsError(name, f"{section} has a value already", "one of the two")
        place[last] = value
    return result


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of nested values by dotted name."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


BEFORE: Mapping[str, Any] = {
    "task.name": "segmentation",
    "model.encoder": "mobilenet_v2",
    "space.encoder_outputs": 4,
    "space.blocks": 3,
    "space.branches": 3,
    "space.operations": None,
    "space.vocabulary": None,
    "search.executor": None,
    "search.retries": 0,
    "search.lag": 0,
    "search.give_up": 0.0,
    "cluster.address": None,
    "cluster.cpus": None,
    "cluster.gpus": None,
    "cluster.mixed": False,
    "search.update_every": None,
    "search.predictor.initial": 10,
    "search.predictor.candidates": 400,
    "search.predictor.memory": 400,
    "search.nsga2.population": 20,
    "search.nsga2.cost": "madds",
    "limits.constant": False,
    "latency.device": None,
    "latency.command": None,
    "data.crop": None,
    "data.fit": "stretch",
    "data.depth_scale": None,
    "data.map": None,
    "data.photometric.brightness": 0.0,
    "data.photometric.contrast": 0.0,
    "data.photometric.saturation": 0.0,
    "data.photometric.hue": 0.0,
    "data.photometric.blur": 0.0,
    "data.photometric.jpeg": 0.0,
    "loss.balance": 0.0,
    "loss.hard": 1.0,
    "loss.kept": 0.1,
    "loss.dice": 0.0,
    "loss.lovasz": 0.0,
    "stage1.precision": "fp32",
    "stage2.precision": "fp32",
    "train.warm_up": 0.0,
    "train.accumulate": 1,
    "train.precision": "fp32",
    "train.processes": 1,
    "train.decoder_decay": 0.0,
    "train.encoder_decay": 0.0,
    "train.data": [],
    "train.rates": None,
    "train.poly_epochs": 0,
    "train.decoder_optimiser": "adam",
    "train.encoder_optimiser": "sgd",
}
"""Settings that 0.1.0 had not, each with the value that does what was done before it existed:
whatever their defaults are, runs recorded without them are continued so."""


def former_defaults(kind: type[SettingsSection]) -> dict[str, Any]:
    """The layer of ``BEFORE`` that goes under the settings of ``kind`` that a folder keeps."""
    known = dict(flatten(kind().model_dump(mode="json")))
    return nest({name: value for name, value in BEFORE.items() if name in known})


def first_difference(stored: Mapping[str, Any], given: SettingsSection) -> str | None:
    """The first setting in which ``given`` would not continue a run; None if there is none."""
    then = dict(flatten(former_defaults(type(given)))) | dict(flatten(stored))
    now = dict(flatten(given.model_dump(mode="json")))
    for name in sorted((then.keys() | now.keys()) - set(HARMLESS)):
        if name not in then:
            return f"{name} was not recorded and is {now[name]!r}"
        if name not in now or then[name] != now[name]:
            return f"{name} was {then[name]!r} and is {now.get(name)!r}"
    return None


def _overlay(
    values: dict[str, Any], layer: Mapping[str, Any], prefix: str, known: Mapping[str, list[str]]
) -> None:
    """Writes ``layer`` over ``values``, in place, section by section."""
    for name, value in layer.items():
        if name not in values:
            raise _unknown(prefix, name, values, known)
        if not isinstance(values[name], dict):
            values[name] = value
        elif isinstance(value, Mapping):
            _overlay(values[name], value, f"{prefix}{name}.", known)
        else:
            raise SettingsError(f"{prefix}{name}", repr(value), "a group of settings")


ALIKE, NEARER = 0.6, 0.1
"""Ratio of difflib's from which a name may have been meant; what a sibling has more of it."""


def _unknown(
    prefix: str, name: str, siblings: Collection[str], known: Mapping[str, list[str]]
) -> SettingsError:
    """Names the nearest of siblings and of the ``known``, these by their last part.

    In a group where none is near, all of the group are named.
    """

    def likeness(other: str) -> float:
        ratio = difflib.SequenceMatcher(None, name, other).ratio()
        return ratio + NEARER * (other in siblings)

    nearest = max([*siblings, *known], key=likeness)
    near = [prefix + nearest] if nearest in siblings else known[nearest]
    is_near = not prefix or likeness(nearest) >= ALIKE
    expected = f"perhaps {' or '.join(near)}" if is_near else f"one of {', '.join(siblings)}"
    return SettingsError(f"{prefix}{name}" or "''", "no such setting", expected)


_PLAIN = {
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    "string_type": "text",
    "tuple_type": "a list such as [1, 2]",
    "too_long": "at most {max_length} of them",
    "too_short": "at least {min_length} of them",
    "finite_number": "a finite number",
    "missing": "one more of them",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
}
"""Our words for pydantic's errors, by error type."""


def _settings_error(error: ValidationError) -> SettingsError:
    """The first error that pydantic found, in one line."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    message = _PLAIN.get(first["type"], first["msg"]).format(**first.get("ctx", {}))
    for words in ("Value error, ", "Input ", "should be "):
        message = message.removeprefix(words)
    return SettingsError(place, repr(first["input"])[:80], message)
