"""Executors: which of ours suits the settings, what each refuses, and contact before any work."""

from itertools import product

import pytest

from auxnas.search.errors import SettingsError
from auxnas.search.executors.base import contact_executor, evaluates_elsewhere, executor_name
from auxnas.search.executors.inline import Inline
from auxnas.search.loop.run import execute
from auxnas.search.seams import EXECUTORS
from tests.search.conftest import make_settings

GIVEN = {"workers": (0, 2), "trial_timeout": (None, 9.0), "cluster.address": (None, "auto")}
EVERY = [dict(zip(GIVEN, values, strict=True)) for values in product(*GIVEN.values())]


@pytest.mark.parametrize("given", EVERY, ids=str)
def test_one_of_ours_suits_any_settings_and_does_what_they_ask(given):
    settings = make_settings({**given, "threads": 1})
    (name,) = [name for name in EXECUTORS.table if EXECUTORS.find(name).suits(settings)]
    assert executor_name(settings) == name
    assert evaluates_elsewhere(settings) == any(given.values())


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("inline", {"workers": 2}, "inline, which has no workers, expected processes, or none of"),
        ("inline", {"cluster.address": "auto"}, "inline, with a cluster.address, expected ray"),
        ("processes", {"cluster.address": "auto"}, "processes, with a cluster.address, expected"),
        ("ray", {}, "threads: none, with a cluster, expected a number"),
        (None, {"cluster.address": "auto"}, "threads: none, with a cluster, expected a number"),
    ],
)
def test_what_an_executor_cannot_do_is_said(name, given, message):
    with pytest.raises(SettingsError, match=message):
        executor_name(make_settings({"threads": None, "search.executor": name, **given}))


class Unreachable(Inline):
    """Its machines are never there."""

    @staticmethod
    def contact(settings):
        raise SettingsError("cluster.address", "nobody there")


def bare(evaluate, settings):
    """An executor that declares nothing."""
    return Inline(evaluate)


def test_machines_are_looked_for_before_anything_is_computed(place_of):
    place = place_of("unreachable", search__executor=f"{__name__}:Unreachable")
    with pytest.raises(SettingsError, match="nobody there"):
        execute(place)
    assert not place.folder.exists()


def test_what_an_executor_does_not_declare_is_not_asked():
    settings = make_settings({"search.executor": f"{__name__}:bare", "workers": 2})
    contact_executor(settings)
    assert evaluates_elsewhere(settings)
