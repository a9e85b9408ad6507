"""The error of pictures, folders of pictures and datasets."""

from __future__ import annotations

from auxnas.genotype.errors import InputError


class DataError(InputError):
    """Data cannot be used as described.

    Attributes:
        place: a file (and the line that names it), an argument, a dataset.
        found: what was found there.
        expected: what would have been right there; may be empty.
    """

    def __init__(self, place: str, found: str, expected: str = "") -> None:
        self.place, self.found, self.expected = place, found, expected
        super().__init__(f"{place}: {found}" + (f", expected {expected}" if expected else ""))

    def __reduce__(self) -> tuple[type[DataError], tuple[str, str, str]]:
        """Its three parts, for a copy in another process."""
        return type(self), (self.place, self.found, self.expected)
