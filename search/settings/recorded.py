"""Settings from untrusted files: no code is run that only a file names.

A setting can name code, ``package.module:attribute``. It is imported where the user's own words
name it: an option, ``--set``, ``--config``, an argument of the library.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, TypeVar

from auxnas.genotype import SearchSpace
from auxnas.genotype.errors import truncate
from auxnas.genotype.plugins import may_run, trust_place
from auxnas.search.data.spec import reader_of, sources
from auxnas.search.errors import SettingsError
from auxnas.search.settings.fields import SettingsSection
from auxnas.search.settings.resolving import flatten, former_defaults, resolve
from auxnas.search.settings.search import Settings
from auxnas.search.settings.spaces import search_space

S = TypeVar("S", bound=SettingsSection)

CODE = {
    "model.encoder": "--encoder",
    "search.searcher": "--searcher",
    "search.executor": "--executor",
    "space.vocabulary": "--vocabulary",
    "task.name": "--task",
    "latency.command": "--device-command",
    "data.source": "--data",
    "train.data": "--data",
}
"""The settings that can name code, and the option of every command that runs it."""


def trust_code(values: Mapping[str, Any]) -> None:
    """Trusts the code that nested ``values``, the user's own words, ask for."""
    for _, place, _ in _places(values):
        trust_place(place)


def check_trusted(values: Mapping[str, Any], uses: Collection[str] = CODE.keys()) -> None:
    """Checks that no code is about to run that a file alone asks for.

    Args:
        values: nested settings.
        uses: those of ``CODE`` whose code is about to run.

    Raises:
        SettingsError: saying how to name it.
    """
    for name, place, value in _places(values):
        if name in uses and not may_run(place):
            found = f"{truncate(place)}, code that a file alone asks for"
            raise SettingsError(name, found, f"{CODE[name]} {value}, if that code is to run")


def recorded_settings(values: Mapping[str, Any], kind: type[S], *uses: str) -> S:
    """The settings that a run or a training keeps, of which those in ``uses`` are about to run.

    Raises:
        SettingsError: as ``resolve`` and ``check_trusted``.
    """
    settings = resolve(former_defaults(kind), values, kind=kind)
    check_trusted(settings.model_dump(mode="json"), uses)
    return settings


def recorded_space(values: Mapping[str, Any]) -> SearchSpace:
    """The space of a run's settings, whose vocabulary may add primitives.

    Raises:
        SettingsError: as ``recorded_settings``, for a vocabulary that the user did not name.
    """
    return search_space(recorded_settings(values, Settings, "space.vocabulary").space)


def _places(values: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Setting, place of the code, and value, of each setting that names any."""
    for name, value in flatten(values):
        if CODE.get(name) == "--data":
            for source in [value] if isinstance(value, str) else value or ():
                yield from ((name, reader_of(each), source) for each in sources(source))
        elif name == "latency.command" and isinstance(value, str):
            yield name, f"command:{value.replace(',', ' ')}", value
        elif name in CODE and isinstance(value, str):
            yield name, value, value
