"""Settings as TOML files: read with their place in errors, written to be read again."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from auxnas.compiler.files import atomic_write
from auxnas.genotype.texts import encoding_fault, read_text
from auxnas.search.errors import SettingsError
from auxnas.search.settings.fields import SettingsSection
from auxnas.search.settings.resolving import resolve
from auxnas.search.settings.search import Settings


def read_settings(path: Path, kind: type[SettingsSection] = Settings) -> dict[str, Any]:
    """The values in a file, nested, each of them a setting in its range.

    Raises:
        SettingsError: naming file and line of what is no TOML, no setting or out of range.
        OSError: when the file cannot be read.
    """
    try:
        text = read_text(path)
        values = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise SettingsError(str(path), encoding_fault(error), "TOML in UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        what, _, where = str(error).partition(" (at ")
        place = f"{path}, {where.rstrip(')')}" if where else str(path)
        raise SettingsError(place, what, "TOML") from None
    except RecursionError:
        raise SettingsError(str(path), "nested too deep", "settings in groups") from None
    except ValueError as error:  # an integer of more digits than Python reads
        raise SettingsError(str(path), str(error).partition(";")[0], "TOML") from None
    try:
        resolve(values, kind=kind)
    except SettingsError as error:
        line = _line(text, error.place)
        place = f"{path}, line {line}" if line else str(path)
        raise SettingsError(f"{place}: {error.place}", error.found, error.expected) from None
    return values


def _line(text: str, name: str) -> int | None:
    """The line on which the dotted ``name``, or else the group that it is in, is written."""
    found = dict(_lines(text))
    while name and name not in found:
        name = name.rpartition(".")[0]
    return found.get(name)


def _lines(text: str) -> Iterator[tuple[str, int]]:
    """The dotted names of headers and plain assignments, with their lines."""
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[\s*([\w.-]+)\s*\]", line):
            section = f"{header[1]}."
            yield header[1], number
        elif assignment := re.match(r"\s*([\w.-]+)\s*=", line):
            yield section + assignment[1], number


def write_settings(path: Path, settings: SettingsSection, remarks: Iterable[str] = ()) -> None:
    """Writes all settings that have a value, so that ``read_settings`` gives them again.

    Args:
        path: the file; it appears whole or not at all.
        settings: to be written.
        remarks: lines of comment above them.
    """
    text = "".join(f"# {line}\n" for line in remarks)
    text += "".join(_section("", settings.model_dump(mode="json")))
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _section(name: str, values: Mapping[str, Any]) -> Iterator[str]:
    """A header and assignments, then the sections within."""
    plain = {key: value for key, value in values.items() if not isinstance(value, Mapping)}
    shown = {key: value for key, value in plain.items() if value is not None}
    if name and shown:
        yield f"\n[{name}]\n"
    for key, value in shown.items():
        yield f"{key} = {json.dumps(value, ensure_ascii=False)}\n"
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _section(f"{name}.{key}" if name else key, value)
