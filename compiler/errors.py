"""Errors of this package."""

from __future__ import annotations

from auxnas.genotype.errors import InputError


class CompilerError(InputError):
    """A graph, a pass or a set of weights is not what it must be.

    Attributes:
        place: where, for example a node's or a parameter's name.
        found: what was found there.
        expected: what would have been right there; may be empty.
    """

    def __init__(self, place: str, found: str, expected: str = "") -> None:
        self.place, self.found, self.expected = place, found, expected
        super().__init__(f"{place}: {found}" + (f", expected {expected}" if expected else ""))
