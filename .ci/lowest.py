"""Lower bounds of pyproject.toml as pins for pip: ``click>=8.4`` becomes ``click==8.4``.

Prints one pin a line, of the core and of the extras named on the command line.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

_BOUND = re.compile(r"([A-Za-z0-9._-]+)>=([0-9][0-9.]*)")


def pins(pyproject: str, extras: list[str]) -> list[str]:
    """The pins of the text of a pyproject.toml.

    Raises:
        ValueError: naming a requirement that is no plain lower bound.
        KeyError: for an extra that there is not.
    """
    project = tomllib.loads(pyproject)["project"]
    known = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(row for extra in extras for row in known[extra])]
    found = set()
    for row in wanted:
        match = _BOUND.fullmatch(row)
        if match is None:
            raise ValueError(f"{row!r}: expected NAME>=VERSION")
        found.add(f"{match[1]}=={match[2]}")
    return sorted(found)


if __name__ == "__main__":
    text = Path(__file__).parents[1].joinpath("pyproject.toml").read_text("utf-8")
    print("\n".join(pins(text, sys.argv[1:])))
