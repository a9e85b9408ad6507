"""``auxnas``: the installation itself."""

from __future__ import annotations

import click

from auxnas.completion.answer import SHELLS, scripts_of
from auxnas.console import OneLineGroup, say
from auxnas.doctor.text import tell
from auxnas.options import json_option


@click.group(cls=OneLineGroup)
def main() -> None:
    """Look at this installation of auxnas."""


@main.command()
@json_option
def doctor(as_json: bool) -> int:
    """Tell what is installed, what it can do here, and what is in its way.

    Versions against those that are needed; what each missing extra would bring, and how it is
    installed; runtimes, with their targets and precisions; the machine; the cache; files and
    packages that hide ours. Ends with 0 where the core works, with 1 where it does not.
    """
    return tell(as_json)


@main.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the lines that let SHELL complete our commands, options and values by the key Tab.

    They belong into ~/.bashrc, into ~/.zshrc behind compinit, or into a file of
    ~/.config/fish/conf.d.
    """
    say(scripts_of(shell))
