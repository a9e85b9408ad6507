"""Errors of this package."""

from __future__ import annotations

from auxnas.genotype.errors import InputError


class SearchError(ValueError):
    """A search cannot go on as asked; the message says where, what and what to do.

    Attributes:
        place: a file, a run's folder, a setting.
        found: what was found there.
        expected: what would have been right there; may be empty.
    """

    def __init__(self, place: str, found: str, expected: str = "") -> None:
        self.place, self.found, self.expected = place, found, expected
        super().__init__(f"{place}: {found}" + (f", expected {expected}" if expected else ""))


class RequestError(SearchError, InputError):
    """What was asked for does not fit what is there."""


class SettingsError(SearchError, InputError):
    """A setting is unknown, out of range, or differs from the run's."""


class RunLockedError(SearchError):
    """Another process writes to the run's folder."""


class JournalError(SearchError, InputError):
    """A journal is missing, damaged or of another version."""
