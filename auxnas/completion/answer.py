"""Answers to a shell: click's own completion, on commands that are made of the table."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
    shell_complete,
)

from auxnas.completion.found import timm_names, trial_names

TABLE = Path(__file__).with_name("table.json")
SHELLS = ("bash", "zsh", "fish")
FILES = "FILE"
"""Among values: a file will do too."""
TIMM = "timm:"
_OPEN = "[=:/]"
"""Pattern of the ends of what is not whole yet, after which no space is put."""
_PARTING = ("=", ":")
"""Characters that are words of their own in bash."""


class WordsType(click.ParamType[str]):
    """Values of one parameter.

    Args:
        takes: its entry in the table.
        table: the table.
        command: name of the subcommand.
    """

    name = "text"

    def __init__(self, takes: str | Sequence[str], table: Mapping[str, Any], command: str) -> None:
        self._takes, self._table, self._command = takes, table, command

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem[str]]:
        """The values that begin so; all files of the shell's own choice for a file."""
        if self._takes == "file":
            return [CompletionItem(incomplete, type="file")]
        return [CompletionItem(each) for each in self._words(self._takes, incomplete)]

    def _words(self, takes: str | Sequence[str], incomplete: str) -> Iterator[str]:
        if takes == "setting":
            yield from self._settings(incomplete)
        elif takes == "run":
            yield from paths(incomplete, self._table["marks"])
        elif takes == "encoder" and incomplete.startswith(TIMM):
            yield from (e for e in (TIMM + n for n in timm_names()) if e.startswith(incomplete))
        elif takes == "trained" and ":" in incomplete:
            trials = trial_names(incomplete.rpartition(":")[0], self._table["journal"])
            yield from (each for each in trials if each.startswith(incomplete))
        elif takes == "data" and ":" in incomplete:
            before, _, path = incomplete.rpartition(":")
            yield from (f"{before}:{each}" for each in paths(path))
        else:
            known = self._table["values"].get(takes, ()) if isinstance(takes, str) else takes
            yield from (each for each in known if each.startswith(incomplete) and each != FILES)
            yield from paths(incomplete) if FILES in known else ()
            yield from self._runs(incomplete) if takes == "trained" else ()

    def _runs(self, incomplete: str) -> Iterator[str]:
        """Runs that begin so, with the colon that is before a trial."""
        journal = self._table["journal"]
        for each in paths(incomplete, [journal]):
            if not each.endswith("/"):
                yield f"{each}:"

    def _settings(self, incomplete: str) -> Iterator[str]:
        """``stage1.epochs=``, and after the sign its values; names alone where none are set."""
        tables = self._table["settings"]
        known = tables.get(self._command, tables["run"])
        name, equals, value = incomplete.partition("=")
        if equals:
            yield from (f"{name}={each}" for each in self._words(known.get(name, ()), value))
        else:
            end = "" if self._command == "settings" else "="
            yield from (f"{each}{end}" for each in known if each.startswith(incomplete))


def paths(incomplete: str, marks: Sequence[str] = ()) -> Iterator[str]:
    """Files and folders that begin so, a folder with a slash; only folders where marks are given,
    those that hold such a file without one.
    """
    folder, _, start = incomplete.rpartition("/")
    place = Path(folder or ("/" if incomplete.startswith("/") else "."))
    try:
        entries = sorted(place.iterdir())
    except OSError:
        return
    for each in entries:
        if not each.name.startswith(start) or (each.name.startswith(".") and not start):
            continue
        whole = any((each / mark).exists() for mark in marks)
        if each.is_dir() or not marks:
            yield (
                incomplete[: len(incomplete) - len(start)]
                + each.name
                + ("/" if each.is_dir() and not whole else "")
            )


class TableGroup(click.Group):
    """A command with subcommands, each made when it is asked for."""

    def __init__(self, name: str, row: Mapping[str, Any], table: Mapping[str, Any]) -> None:
        super().__init__(name, params=list(table_parameters(name, row, table)))
        self._row, self._table = row, table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names."""
        return [*self._row["commands"]]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The subcommand."""
        row = self._row["commands"].get(cmd_name)
        found = None if row is None else command_of(cmd_name, row, self._table)
        if found is not None:
            found.short_help = self._row["help"][cmd_name]
        return found


def command_of(name: str, row: Mapping[str, Any], table: Mapping[str, Any]) -> click.Command:
    """The command that a row of the table describes; it does nothing."""
    if "commands" in row:
        return TableGroup(name, row, table)
    return click.Command(name, params=list(table_parameters(name, row, table)))


def table_parameters(
    name: str, row: Mapping[str, Any], table: Mapping[str, Any]
) -> Iterator[click.Parameter]:
    """The parameters of a row."""
    for number, (words, takes) in enumerate(row["params"].items()):
        several = words.endswith("*")
        names = words.rstrip("*").split()
        kind = WordsType(takes or "", table, name)
        if not words.startswith("-"):
            yield click.Argument(
                [f"a{number}"], type=kind, nargs=-1 if several else 1, required=False
            )
        elif takes is None:
            for each in names:
                yield click.Option([each, f"o{number}"], is_flag=True)
        else:
            yield click.Option([*names, f"o{number}"], type=kind, multiple=several)


class WordsBash(BashComplete):
    """bash, which takes = and : for words of their own."""

    source_template = BashComplete.source_template.replace(
        "    return 0\n",
        f"    [[ ${{COMPREPLY[0]}} == *{_OPEN} ]] && compopt -o nospace\n    return 0\n",
    )

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words with those joined that bash has parted."""
        args, incomplete = super().get_completion_args()
        words: list[str] = []
        for word in [*args, incomplete]:
            parted = word in _PARTING or (words and words[-1].endswith(_PARTING))
            if words and word and parted and not word.startswith("-"):
                words[-1] += word
            else:
                words.append(word)
        last = words[-1]
        option = last.find("=") + 1 if last.startswith("-") else 0
        self._cut = len(last) - option - (0 if incomplete in _PARTING else len(incomplete))
        return words[:-1], last

    def format_completion(self, item: CompletionItem[str]) -> str:
        """The part that stands for the last of bash's words."""
        if item.type != "plain":
            return super().format_completion(item)
        return super().format_completion(CompletionItem(item.value[max(0, self._cut) :]))


class WordsZsh(ZshComplete):
    """zsh, which puts a space after every value."""

    source_template = ZshComplete.source_template.replace(
        "        compadd -U -V unsorted -a completions\n",
        f"        compadd -U -V unsorted -S '' -- ${{(M)completions:#*{_OPEN}}}\n"
        f"        compadd -U -V unsorted -- ${{completions:#*{_OPEN}}}\n",
    )


def answer(program: str) -> int:
    """Prints what a shell asks for in the environment; the exit status.

    Args:
        program: name of a console script.
    """
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    command = command_of(program, table["programs"][program], table)
    _register()
    name = variable_of(program)
    return shell_complete(command, {}, program, name, os.environ[name])


def scripts_of(shell: str) -> str:
    """The script that switches completion of all our commands on."""
    _register()
    kinds: dict[str, type[ShellComplete]] = {
        "bash": WordsBash,
        "zsh": WordsZsh,
        "fish": FishComplete,
    }
    programs = json.loads(TABLE.read_text(encoding="utf-8"))["programs"]
    made = (kinds[shell](click.Command(each), {}, each, variable_of(each)) for each in programs)
    return "\n".join(each.source() for each in made)


def variable_of(program: str) -> str:
    """The environment variable that a shell asks by."""
    return f"_{program.upper()}_COMPLETE"


def _register() -> None:
    for each in (WordsBash, WordsZsh):
        add_completion_class(each)
