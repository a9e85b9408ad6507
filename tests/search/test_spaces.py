"""A run searches the space that its settings describe, and nothing that says nothing."""

from __future__ import annotations

import json
import random

import pytest

from auxnas.compiler import ModelSpec, lower
from auxnas.genotype import CVPR2019, SearchSpace, parse
from auxnas.search.errors import SettingsError
from auxnas.search.settings.search import LimitSettings, SpaceSettings
from auxnas.search.settings.spaces import search_space
from auxnas.search.storage.journal import Journal
from auxnas.search.trials.limits import first_excess
from auxnas.search.trials.records import Figures

OWN = """
from auxnas.genotype import CVPR2019, Operation
from auxnas.genotype.vocabulary import BN, RELU, conv, depthwise

ROW = Operation("mixed7x7", "mix7", "depthwise 7x7", (depthwise(7), BN, RELU, conv(1), BN))
VOCABULARY = CVPR2019.extended(ROW)
NONE = 3
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A module of a user's in the current directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_operations.py").write_text(OWN)
    return "own_operations:VOCABULARY"


def test_the_default_is_the_paper_s():
    assert search_space(SpaceSettings()) is SearchSpace.cvpr2019()


def test_sizes_and_operations_are_settings(own):
    names = ("skip", "mixed7x7", "zero")
    space = search_space(SpaceSettings(blocks=2, branches=1, operations=names, vocabulary=own))
    assert (space.encoder_outputs, space.blocks, space.branches) == (4, 2, 1)
    assert space.vocabulary.names == names


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"operations": ["skip", "sep9x9"]}, "space.operations: no 'sep9x9', expected some of con"),
        ({"operations": ["skip", "skip"]}, "space.operations: 'skip' again"),
        ({"vocabulary": "absent:ROWS"}, "space.vocabulary: 'absent:ROWS' cannot be"),
        ({"vocabulary": "own_operations:NONE"}, "space.vocabulary: own_operations:NONE is 3, exp"),
        ({"vocabulary": "cvpr2091"}, "space.vocabulary: no 'cvpr2091', expected per"),
    ],
)
@pytest.mark.usefixtures("own")
def test_what_there_is_not_is_named(settings, message):
    with pytest.raises(SettingsError) as error:
        search_space(SpaceSettings(**settings))
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(("name", "most"), [("blocks", 6), ("branches", 7)])
def test_sizes_have_bounds(run, tmp_path, name, most):
    for size in (1, most):
        space = search_space(SpaceSettings(**{name: size}))
        assert getattr(space, name) == size
        assert space.violation(space.sample(random.Random(0))) is None
    for size, bound in ((0, "at least 1"), (most + 1, f"at most {most}")):
        words = ("--data", "synthetic:12", "--set", f"space.{name}={size}", "--out", tmp_path / "r")
        found = run("run", *words)
        assert found.exit_code == 2
        assert f"space.{name}: {size}, expected {bound}" in found.stderr


@pytest.mark.parametrize(
    "searcher", ["random", "evolution", "nsga2", "predictor", "ppo", "reinforce"]
)
def test_every_searcher_stays_in_the_space(place_of, searcher):
    from auxnas.search.loop.run import execute

    names = ("sep3x3", "skip", "gap")
    place = place_of(
        search__searcher=searcher, space__blocks=2, space__branches=2, space__operations=names
    )
    execute(place)
    with Journal(place.folder) as journal:
        spaces = {trial.genotype.space for trial in journal.trials()}
    assert spaces == {search_space(place.settings.space)}


def test_an_operation_of_one_s_own_is_searched_and_resumed(run, tmp_path, own):
    from tests.auxnas.nassearch.test_cli import TINY

    words = [*TINY, "--searcher", "random", "--out", "run", "--set", f"space.vocabulary={own}"]
    words += ["--set", 'space.operations=["mixed7x7","sep3x3"]']
    assert run("run", *words).exit_code == 0
    best = json.loads((tmp_path / "run" / "best.json").read_text())
    found = parse(json.dumps(best)).genotype.space.vocabulary.names
    assert found == ("mixed7x7", "sep3x3")
    assert run("resume", "run", "--trials", "6").exit_code == 0
    assert len(json.loads(run("top", "run", "--count", "9", "--json").stdout)) == 6
    other = run("run", *words[:-2])
    assert other.exit_code == 2
    assert "begun with other settings: space.operations was" in other.stderr


# Networks that say nothing ---------------------------------------------------------------


def test_a_constant_network_is_over_a_limit_unless_that_is_off():
    figures = Figures(7, 8, constant=True)
    assert first_excess(LimitSettings(), figures) == (
        "constant",
        "its output does not depend on the image",
    )
    assert first_excess(LimitSettings(constant=False), figures) is None
    assert first_excess(LimitSettings(), Figures(7, 8)) is None


ZEROS = {"space__operations": ("zero", "skip"), "search__searcher": "random", "trials": 20}


def constant(genotype) -> bool:
    return not lower(genotype, ModelSpec(width=0.1, agg_size=8)).depends_on_input()


def test_constant_networks_are_rejected_before_training(place_of):
    from auxnas.search.loop.run import execute

    place = place_of(**ZEROS)
    assert not any(constant(trial.genotype) for trial in execute(place))
    with Journal(place.folder) as journal:
        rejected = list(journal.rejections())
    assert rejected
    assert all(constant(each.genotype) for each in rejected)
    assert {each.limit for each in rejected} == {"constant"}


def test_constant_networks_are_kept_where_asked(place_of):
    from auxnas.search.loop.run import execute

    place = place_of(**ZEROS, limits__constant=False)
    assert any(constant(trial.genotype) for trial in execute(place))


def test_a_space_of_nothing_else_is_refused(run, tmp_path):
    from tests.auxnas.nassearch.test_cli import TINY

    words = [*TINY, "--out", tmp_path / "run", "--set", 'space.operations=["zero"]']
    result = run("run", *words)
    assert result.exit_code == 2
    found = "none of 200 random networks is within them (no output depends on the image)"
    assert result.stderr.endswith(f"error: limits: {found}, expected looser ones\n")


def test_the_share_of_the_paper_s_space_is_as_known():
    """Two in a hundred uniform genotypes: 79 of 4,000."""
    import random

    draw, space = random.Random(0), SearchSpace.cvpr2019()
    found = sum(constant(space.sample(draw)) for _ in range(300))
    assert 0 < found < 18
    assert CVPR2019.names[-1] == "zero"
