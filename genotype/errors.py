"""The one error of this package."""

from __future__ import annotations


class GenotypeError(ValueError):
    """Something is not a genotype of its space.

    Attributes:
        place: where, for example ``cell.branches[1].locations[0]``.
        found: what was found there.
        expected: what would have been right there; may be empty.
    """

    def __init__(self, place: str, found: str, expected: str = "") -> None:
        self.place, self.found, self.expected = place, found, expected
        super().__init__(f"{place}: {found}" + (f", expected {expected}" if expected else ""))

    def within(self, outer: str) -> GenotypeError:
        """The same error, its place seen from outside (a file, a line)."""
        return GenotypeError(f"{outer}: {self.place}", self.found, self.expected)
