"""``auxnas``: the installation itself."""

from __future__ import annotations

import click

from auxnas.console import OneLineGroup
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
