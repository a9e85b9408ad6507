"""Options of all our commands: one meaning, one name; one name, one way of being written."""

from __future__ import annotations

import re
from collections import defaultdict

import click
import pytest

from auxnas.compiler.encoders import ENCODERS
from auxnas.compiler.tasks import TASKS
from auxnas.nascompile.cli import main as nascompile
from auxnas.nasrun.cli import main as nasrun
from auxnas.nassearch.cli import main as nassearch
from auxnas.nasspace.cli import main as nasspace

PROGRAMS = {
    "nassearch": nassearch,
    "nascompile": nascompile,
    "nasrun": nasrun,
    "nasspace": nasspace,
}
WRITTEN_OTHERWISE = {
    "--against": "a cost to top, another run to report",
    "--out": "a file to pretrain, a folder to the others",
    "--output": "a file, or a folder where several are written",
}
"""Options whose value is of another kind from command to command."""
OF_EACH = {
    *("--against", "--batch", "--count", "--device", "--epochs", "--out", "--output", "--picture"),
    *("--runs", "--seed", "--target"),
}
"""Options whose words say what the command does with them."""


def commands():
    """Every command by its name, with its options as its help shows them."""
    for program, main in PROGRAMS.items():
        above = click.Context(main, info_name=program, **main.context_settings)
        if not isinstance(main, click.Group):
            yield program, above
            continue
        waiting = [(program, above)]
        while waiting:
            group, inside = waiting.pop()
            for name, command in inside.command.commands.items():
                own = click.Context(command, inside, name, **command.context_settings)
                if isinstance(command, click.Group):
                    waiting.append((f"{group} {name}", own))
                else:
                    yield f"{group} {name}", own


def shown(context):
    """Each option of a command with its value's name, its words, and how those end."""
    for option in context.command.get_params(context):
        if isinstance(option, click.Option) and not option.hidden:
            words = option.get_help_record(context)[1]
            metavar = "" if option.is_flag else option.make_metavar(context)
            for name in option.opts:
                yield name, option.get_default(context), metavar, words


def differing(rows):
    """Names that have several values."""
    found = defaultdict(set)
    for name, value in rows:
        found[name].add(value)
    return {name: values for name, values in found.items() if len(values) > 1}


EVERY = [(name, row) for name, context in commands() for row in shown(context)]


def test_one_name_is_one_kind_of_value():
    found = differing((name, metavar) for _, (name, _, metavar, _) in EVERY)
    assert found.keys() <= WRITTEN_OTHERWISE.keys(), found
    assert {metavar for _, (_, _, metavar, _) in EVERY}.isdisjoint(
        {"TEXT", "PATH", "INTEGER", "INTEGER RANGE", "FLOAT", "FLOAT RANGE"}
    )


def test_one_meaning_is_said_in_one_way():
    rows = ((name, re.split("[.,]", words)[0]) for _, (name, _, _, words) in EVERY)
    found = differing(rows)
    assert found.keys() <= OF_EACH, found


def test_a_difference_is_seen():
    assert differing([("--a", "N"), ("--b", "N"), ("--a", "X")]) == {"--a": {"N", "X"}}


def test_every_option_says_what_it_is_and_its_default():
    for command, (name, default, _, words) in EVERY:
        assert not words.startswith(("[", " ")), (command, name)
        given = isinstance(default, int | float | str) and default is not False
        assert not given or "default: " in words, (command, name, words)


def test_every_command_gives_json():
    assert all("--json" in {row[0] for row in shown(context)} for _, context in commands())


def test_an_empty_path_is_refused():
    """As one of a variable that is not set: it would stand for the current folder, or nothing."""
    found = [
        (context, each)
        for _, context in commands()
        for each in context.command.params
        if each.make_metavar(context).split(" ")[0] in ("FILE", "DIR", "RUN")
    ]
    assert len(found) > 30
    for context, each in found:
        with pytest.raises(click.BadParameter, match="expected a "):
            each.type.convert("", each, context)


def test_what_there_is_by_name_is_listed():
    words = {name: text for _, (name, _, _, text) in EVERY}
    for option, table in (("--encoder", ENCODERS), ("--task", TASKS)):
        assert all(name in words[option] for name in table), words[option]
