"""README's demo, the record of what it printed, and what it prints today are one thing."""

import re
import shlex
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import settings

from auxnas.genotype import parse, to_json
from auxnas.nascompile.cli import main as nascompile
from auxnas.nassearch.cli import main as nassearch
from auxnas.search.settings.presets import PRESETS
from bench.search.demo import (
    RANGES,
    RECORD,
    ROOT,
    commands,
    differences,
    figures,
    lacking,
    proposals,
    run,
    sample,
    unprinted,
)

SCRIPT = Path(sys.executable).with_name("nassearch")
RECORDED = RECORD.read_text(encoding="utf-8")


def test_readme_shows_what_was_printed():
    assert len(sample()) > 10
    assert unprinted(sample(), RECORDED) == []


def test_readme_makefile_and_record_have_the_same_commands():
    assert [line.split()[:2] for line in commands()] == [
        ["nassearch", "run"],
        ["nascompile", "runs/demo/best.json"],
        ["nassearch", "report"],
    ]
    assert re.findall(r"^\$ (.*)$", RECORDED, re.M) == commands()
    recipe = (ROOT / "Makefile").read_text().replace("$(DEMO)", "runs/demo").replace("$(BIN)/", "")
    assert "".join(f"\t{line}\n" for line in commands()) + "\n" in recipe


def test_another_figure_in_readme_is_found():
    changed = [(n, re.sub(r"\d(?=\D*$)", _other, line)) for n, line in enumerate(sample())]
    for number, line in changed:
        if line != sample()[number]:
            lines = [*sample()[:number], line, *sample()[number + 1 :]]
            assert unprinted(lines, RECORDED)
    assert unprinted(list(reversed(sample())), RECORDED)


def _other(digit: re.Match[str]) -> str:
    return str((int(digit[0]) + 1) % 10)


@pytest.mark.parametrize("name", [name for name in figures(RECORDED) if name != "best trial"])
def test_another_figure_in_the_record_is_found(name):
    found = figures(RECORDED)[name]
    assert found, "each is in the record"
    within = RANGES.get(name, 0)
    value = found[0]
    if within:
        near, far = (f"{float(value) + within * times:.3f}" for times in (0.9, 1.1))
        assert not list(differences(RECORDED.replace(value, near), RECORDED))
        assert list(differences(RECORDED.replace(value, far), RECORDED))
    else:
        assert list(differences(RECORDED.replace(value, "7" + value[1:] + "7"), RECORDED))


def test_another_trial_may_be_the_best_where_rewards_are_near():
    found = figures(RECORDED)
    (best,) = found["best trial"]
    other = RECORDED.replace(f"\ntrial {best}: [[[", "\ntrial 99: [[[")
    assert figures(other)["best trial"] == ["99"]
    assert not list(differences(other.replace(found["parameters"][0], "1"), RECORDED))


def test_a_figure_that_is_missing_is_found():
    without = RECORDED.replace("encoder: pre-trained", "encoder")
    assert list(differences(without, RECORDED)) != []


def test_the_trials_are_those_that_were_recorded(tmp_path):
    """What they propose and cost does not depend on training, which is left out here."""
    search, *_ = commands()
    small = ("--data", "synthetic:20", "--learner", "null", "--set", "latency.measure=false")
    words = [*shlex.split(search)[1:], *small, "--out", str(tmp_path / "run")]
    done = CliRunner().invoke(
        nassearch, words, env={"AUXNAS_CACHE": str(tmp_path), "COLUMNS": "100"}
    )
    assert done.exit_code == 0, done.output
    found = proposals(done.stdout)
    assert found == proposals(RECORDED)
    assert sorted(found) == ["1", "2", "3", "4", "5", "6"]
    assert proposals(RECORDED.replace("0.300 M", "0.301 M")) != found


def test_the_best_costs_what_was_recorded(tmp_path):
    genotype, *_ = proposals(RECORDED)[figures(RECORDED)["best trial"][0]]
    model = {"classes": 12, "sep_repeats": 1, **PRESETS["demo"]["model"]}
    path = tmp_path / "best.json"
    path.write_text(to_json(parse(genotype).genotype, model=model))
    words = [str(path), "--input-size", "96x96", "--output", str(tmp_path / "a.onnx"), "--dry-run"]
    done = CliRunner().invoke(nascompile, words)
    assert done.exit_code == 0, done.output
    for name in ("parameters", "nodes"):
        assert figures(done.stdout)[name] == figures(RECORDED)[name]


FEW = ("--data", "synthetic:40", "--set", "pretrain.epochs=2")


@pytest.mark.skipif(not SCRIPT.exists(), reason="the commands are not installed")
def test_the_demo_prints_what_was_recorded(tmp_path):
    """The commands themselves, with the first trial alone.

    In ``make explore`` as they are, a minute and a half of one core, and figures are compared; else
    on few scenes, where those of training are others: each that was recorded must be there.
    """
    whole = settings.get_current_profile_name() == "explore"
    found = run(tmp_path, "--trials", "1", *(() if whole else FEW))
    assert list(lacking(found, RECORDED, 1)) == []
    for name in ("encoder", "trial 1/1", "optimised", "numerics"):
        without = "".join(
            line for line in found.splitlines(keepends=True) if not line.startswith(name)
        )
        assert list(lacking(without, RECORDED, 1)) != []
    if whole:
        assert list(differences(found, RECORDED, 1)) == []
        assert list(differences(found.replace(": reward 0", ": reward 9"), RECORDED, 1)) != []
