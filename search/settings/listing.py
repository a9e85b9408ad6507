"""The list of all settings: default, range and documentation of each, read off the models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from auxnas.search.settings.fields import SettingsSection
from auxnas.search.settings.presets import PRESETS
from auxnas.search.settings.resolving import flatten, resolve, unknown_setting
from auxnas.search.settings.search import Settings
from auxnas.search.settings.training import TrainingSettings, preset_layers

KINDS: dict[str, type[SettingsSection]] = {"run": Settings, "train": TrainingSettings}
"""The settings of each command that has its own."""

_BOUNDS = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "maximum": "at most",
    "exclusiveMaximum": "less than",
}
_TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "string": "text",
    "null": "null",
}


@dataclass(frozen=True)
class Setting:
    """One setting of one command.

    Attributes:
        command: the subcommand that takes it, ``run`` or ``train``.
        name: dotted, as ``--set`` takes it.
        default: its value without a preset, as plain data.
        preset: its value under the preset asked for.
        takes: its range, in words.
        description: its documentation, one line.
    """

    command: str
    name: str
    default: Any
    preset: Any
    takes: str
    description: str


def settings_list(name: str, command: str | None, preset: str) -> list[Setting]:
    """The settings called ``name`` or in the group of that name; all for an empty one.

    Args:
        name: dotted; a whole name or the groups that it begins with.
        command: a key of ``KINDS``; None for all.
        preset: a key of ``PRESETS``.

    Raises:
        SettingsError: with the nearest names, when there is no such setting.
    """
    kinds = KINDS if command is None else {command: KINDS[command]}
    rows = [row for one in kinds for row in _settings_of(one, preset)]
    found = [row for row in rows if not name or f"{row.name}.".startswith(f"{name}.")]
    if not found:
        raise unknown_setting(name, *kinds.values())
    return found


def _settings_of(command: str, preset: str) -> Iterator[Setting]:
    kind = KINDS[command]
    layers = [PRESETS[preset]] if kind is Settings else preset_layers(preset)
    under = dict(flatten(resolve(*layers, kind=kind).model_dump(mode="json")))
    defaults = dict(flatten(kind().model_dump(mode="json")))
    for name, schema in setting_schemas(kind):
        takes, description = range_in_words(schema), " ".join(schema["description"].split())
        yield Setting(command, name, defaults[name], under[name], takes, description)


def setting_schemas(
    section: type[SettingsSection], prefix: str = ""
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The JSON schema of every setting by dotted name."""
    properties = section.model_json_schema()["properties"]
    for name, field in section.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, SettingsSection):
            yield from setting_schemas(kind, f"{prefix}{name}.")
        else:
            yield prefix + name, properties[name]


def range_in_words(schema: Mapping[str, Any]) -> str:
    """The values that a JSON schema admits, in words."""
    if "takes" in schema:
        return str(schema["takes"])
    if "anyOf" in schema:
        return ", or ".join(map(range_in_words, schema["anyOf"]))
    if "enum" in schema:
        return f"one of {', '.join(schema['enum'])}"
    if schema["type"] == "array":
        return f"a list, each {range_in_words(schema['items'])}"
    bounds = [f"{words} {schema[key]:g}" for key, words in _BOUNDS.items() if key in schema]
    return ", ".join([_TYPES[schema["type"]], *bounds])
