"""``nassearch settings``."""

from __future__ import annotations

import json
import textwrap
from dataclasses import asdict
from typing import Any

import click

from auxnas.console import OneLineCommand, print_json, say
from auxnas.nassearch import options
from auxnas.search.errors import SettingsError
from auxnas.search.settings.listing import KINDS, Setting, settings_list

_WIDTH = 88


@click.command(cls=OneLineCommand)
@click.argument("name", required=False, default="")
@click.option(
    "--for", "command", type=click.Choice(list(KINDS)), help="Only the settings of this command."
)
@options.preset
@options.as_json
def settings(name: str, command: str | None, preset: str, as_json: bool) -> None:
    """List what --set and --config take: default, range and meaning.

    NAME is a setting (stage1.epochs) or a group (stage1); all are listed without one.
    Where --preset gives another value than the default, both are shown.
    """
    try:
        rows = settings_list(name, command, options.known_preset(preset))
    except SettingsError as error:
        raise click.UsageError(str(error)) from None
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    for one in KINDS:
        _print_command(one, [row for row in rows if row.command == one], preset)


def _print_command(command: str, rows: list[Setting], preset: str) -> None:
    """The settings of one command under a heading; nothing where there are none."""
    if not rows:
        return
    say(f"nassearch {command} --set NAME=VALUE, with preset {preset}:\n")
    for row in rows:
        value = _shown(row.preset)
        if row.preset != row.default:
            value += f" (default {_shown(row.default)})"
        say(f"{row.name} = {value}")
        for text in (row.takes, row.description):
            say(textwrap.fill(text, _WIDTH, initial_indent="    ", subsequent_indent="    "))
    say("")


def _shown(value: Any) -> str:
    """A value as ``--set`` takes it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
