"""The table of all commands, options and values; ``python -m auxnas.completion.table`` writes it.

Parameters are written by their names, an argument by its metavar, with what they take: null for
a flag, values, ``FILE`` among them, or a kind: a key of ``values`` (``trained``: genotypes, the
trials of runs among them), ``file``, ``run`` (of results), ``setting``, or empty for what nothing
is known of. A star behind a name: it may be repeated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from auxnas.backends.targets import AUTO, TARGETS
from auxnas.compiler.decoders import DECODERS
from auxnas.compiler.encoders import ENCODERS
from auxnas.compiler.files import atomic_write
from auxnas.compiler.passes import INFERENCE
from auxnas.compiler.tasks import TASKS, find_task
from auxnas.completion.answer import FILES, TIMM
from auxnas.genotype.zoo import NAMES
from auxnas.search.seams import DATA_FORMS, EXECUTORS, SEARCHERS
from auxnas.search.settings.listing import KINDS, setting_schemas
from auxnas.search.settings.presets import PRESETS
from auxnas.search.settings.recorded import CODE
from auxnas.search.storage.folders import RESULT_MARKS
from auxnas.search.storage.rescue import NAME as JOURNAL
from auxnas.trackers.finding import TRACKERS

FILE = Path(__file__).with_name("table.json")
PROGRAMS = {
    "auxnas": "auxnas.doctor.cli",
    "nascompile": "auxnas.nascompile.cli",
    "nasrun": "auxnas.nasrun.cli",
    "nassearch": "auxnas.nassearch.cli",
    "nasspace": "auxnas.nasspace.cli",
}
"""Modules of the console scripts."""
_VALUES: dict[str, list[str]] = {
    "data": [f"{name}:" if form.is_path else name for name, form in DATA_FORMS.items()],
    "encoder": [*ENCODERS, TIMM],
    "disable_pass": [each.name for each in INFERENCE],
    "executor": EXECUTORS.names,
    "genotype": [*NAMES, *DECODERS, FILES],
    "trained": [*NAMES, *DECODERS, FILES],
    "head": [*dict.fromkeys(head for task in TASKS for head in find_task(task).heads)],
    "log": [*TRACKERS],
    "preset": [*PRESETS],
    "searcher": SEARCHERS.names,
    "target": [*TARGETS, AUTO],
    "targets": [*TARGETS],
    "task": [*TASKS],
    "vocabulary": ["cvpr2019"],
}
"""Values of the options and arguments of these names."""
_KINDS = {
    "--genotype": "trained",
    "nascompile genotype": "trained",
    "sets": "setting",
    "name": "setting",
    "run_": "run",
    "against": "run",
    "folder": "run",
    "source": "data",
    "artefact": "file",
    "images": "file",
    "files": "file",
}
"""Kinds of parameters whose own names, or types, do not tell; of one option alone by it, of one
program by its name before."""
_WORD = re.compile(r"(?:^|\|)([a-z]+:?)(?=\||$|[A-Z])")
"""Of a metavar like ``auto|HOST:PORT`` or ``ssh:USER``, what is written as it stands."""


def make_table() -> dict[str, Any]:
    """All that completion knows, as JSON has it."""
    programs = {name: _command(import_module(place).main, name) for name, place in PROGRAMS.items()}
    settings = {
        command: {name: _setting(name, schema) for name, schema in setting_schemas(kind)}
        for command, kind in KINDS.items()
    }
    marks = [name for names in RESULT_MARKS.values() for name in names]
    known = {"values": _VALUES, "settings": settings, "marks": marks, "journal": JOURNAL}
    return {"programs": programs, **known}


def table_text() -> str:
    """The table as it is written: lists on one line each."""
    text = json.dumps(make_table(), indent=1)
    return re.sub(r"\[\s+([^][{}]*?)\s+\]", _joined, text) + "\n"


def _joined(match: re.Match[str]) -> str:
    return f"[{' '.join(match[1].split())}]"


def _command(
    command: click.Command, name: str, parent: click.Context | None = None
) -> dict[str, Any]:
    context = click.Context(command, parent=parent, info_name=name)
    found: dict[str, Any] = {"params": dict(_params(command, context))}
    if isinstance(command, click.Group):
        inner = {name: command.commands[name] for name in command.list_commands(context)}
        found["help"] = {name: each.get_short_help_str(limit=80) for name, each in inner.items()}
        found["commands"] = {name: _command(each, name, context) for name, each in inner.items()}
    return found


def _params(command: click.Command, context: click.Context) -> Iterator[tuple[str, Any]]:
    """Each parameter that is no option of click's own, nor hidden."""
    for each in command.get_params(context):
        several = "*" * (each.nargs == -1 or getattr(each, "multiple", False))
        if isinstance(each, click.Argument):
            yield each.make_metavar(context).strip("[].") + several, _takes(each, context)
        elif isinstance(each, click.Option) and not each.hidden and "--help" not in each.opts:
            flag = each.is_flag or each.count
            yield (
                " ".join([*each.opts, *each.secondary_opts]) + several,
                (None if flag else _takes(each, context)),
            )


def _takes(parameter: click.Parameter, context: click.Context) -> str | list[str]:
    """Values, or a kind of them."""
    name = parameter.name or ""
    if kind := _KINDS.get(f"{context.command_path} {name}"):
        return kind
    if parameter.opts[-1] in _KINDS:
        return _KINDS[parameter.opts[-1]]
    if isinstance(parameter.type, click.Choice):
        return [str(each) for each in parameter.type.choices]
    if words := getattr(parameter.type, "words", ()):
        return [*words, *([FILES] if _is_file(parameter) else [])]
    if name in _KINDS:
        return _KINDS[name]
    if name in _VALUES:
        return name
    return "file" if _is_file(parameter) else _WORD.findall(parameter.metavar or "") or ""


def _is_file(parameter: click.Parameter) -> bool:
    names = ("FILE", "file", "path", "directory")
    return isinstance(parameter.type, click.Path) or parameter.type.name in names


def _setting(name: str, schema: Any) -> str | list[str]:
    """Values of a setting that has few, or a kind of them."""
    kind = CODE.get(name, "").removeprefix("--")
    if kind in _VALUES:
        return kind
    if schema.get("type") == "boolean":
        return ["true", "false"]
    one = next((each for each in schema.get("anyOf", ()) if "enum" in each), schema)
    return [str(each) for each in one.get("enum", ())] or ""


def write_table(path: Path = FILE) -> None:
    """Writes the table."""
    with atomic_write(path) as temporary:
        temporary.write_text(table_text(), encoding="utf-8")


if __name__ == "__main__":
    write_table()
