"""Fixtures of a whole tiny run, those of the search's own tests."""

from tests.search.conftest import cache, place_of, run, settings_of

__all__ = ["cache", "place_of", "run", "settings_of"]
