"""The published architectures, found by name (paper, figures 10-12)."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from auxnas.genotype.errors import GenotypeError, short_repr, truncate
from auxnas.genotype.formats import parse, read
from auxnas.genotype.notation import Document

NAMES = ("arch0", "arch1", "arch2")

EXPECTED = f"a genotype file or one of {', '.join(NAMES)}"
"""Of a genotype's name."""


def load_published(name: str) -> Document:
    """The published architecture ``arch0``, ``arch1`` or ``arch2``.

    Raises:
        GenotypeError: for any other name.
    """
    if name not in NAMES:
        raise GenotypeError("zoo", short_repr(name), f"one of {', '.join(NAMES)}")
    return parse(resources.files("auxnas.genotype.zoo").joinpath(f"{name}.json").read_text("utf-8"))


def find_genotype(source: str) -> Document:
    """Find a genotype as a command line names it: a file, a published name, or the text itself.

    A file of the given name comes before the published architecture of that name;
    ``arch0.json`` finds arch0 when there is no such file.

    Raises:
        GenotypeError: naming what was found and what was expected.
    """
    if source.lstrip().startswith(("[", "{")) or "genotype: [" in source:
        return parse(source)
    if not source:
        raise GenotypeError("genotype", "an empty name", EXPECTED)
    if _exists(source):
        return read(source)
    stem = source.removesuffix(".json")
    if stem in NAMES:
        return load_published(stem)
    raise GenotypeError(truncate(source), "no such file", EXPECTED)


def _exists(source: str) -> bool:
    try:
        return Path(source).exists()
    except (OSError, ValueError):  # no name that a file can have
        return False
