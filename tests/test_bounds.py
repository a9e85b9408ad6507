"""Lower bounds are pinned as pyproject.toml has them; README names the extras that there are."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = (ROOT / "pyproject.toml").read_text("utf-8")
EXTRAS = tomllib.loads(PROJECT)["project"]["optional-dependencies"]


def lowest():
    spec = importlib.util.spec_from_file_location("lowest", ROOT / ".ci" / "lowest.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_bound_of_every_extra_becomes_a_pin():
    pins = lowest().pins(PROJECT, list(EXTRAS))
    assert "click==8.4" in pins
    assert len({pin.partition("==")[0] for pin in pins}) == len(pins)
    rows = [row for rows in EXTRAS.values() for row in rows]
    assert {row.replace(">=", "==") for row in rows} <= set(pins)


@pytest.mark.parametrize("row", ["click", "click>=8,<9", "click==8"])
def test_a_requirement_without_a_plain_bound_is_named(row):
    text = f'[project]\ndependencies = ["{row}"]\n[project.optional-dependencies]\n'
    with pytest.raises(ValueError, match=re.escape(repr(row))):
        lowest().pins(text, [])


def test_make_installs_the_bounds_of_every_extra_but_those_of_gpus_and_of_the_site():
    lines = (ROOT / "Makefile").read_text("utf-8").splitlines()
    line = next(line for line in lines if "lowest.py torch" in line)
    named = set(line.partition("lowest.py ")[2].partition(" >")[0].split())
    others = {"gpu", "tensorrt", "docs", "timm", "executorch", "mlflow", "wandb", "trackio"}
    assert named == EXTRAS.keys() - others


def test_readme_names_every_extra_and_no_other():
    table = (ROOT / "README.md").read_text("utf-8").partition("| extra |")[2].partition("\n\n")[0]
    named = set(re.findall(r"`([a-z]+)`", " ".join(re.findall(r"^\|([^|]*)\|", table, re.M))))
    assert named == EXTRAS.keys()
