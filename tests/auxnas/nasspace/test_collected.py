"""Genotypes of many files, grouped: as ``genotype.dedupe`` does it."""

from __future__ import annotations

import random

import pytest

from auxnas.genotype import dedupe
from auxnas.genotype.identity import LEVELS
from auxnas.genotype.notation import Document
from auxnas.nasspace import collected
from auxnas.nasspace.collected import Collected
from tests.strategies import FIVE, PAPER, SMALL


@pytest.mark.parametrize("at_once", [1, 10**9])
@pytest.mark.parametrize("level", LEVELS)
def test_groups_are_those_of_dedupe(monkeypatch, level, at_once):
    monkeypatch.setattr(collected, "_AT_ONCE", at_once)
    rng = random.Random(0)
    some = [rng.choice((PAPER, SMALL, FIVE)).sample(rng, "raw") for _ in range(60)]
    genotypes = [rng.choice(some) for _ in range(200)]
    found = Collected()
    for number, genotype in enumerate(genotypes):
        found.add(Document(genotype, "paper", {}, f"f:{number}"))
    groups = found.groups(level, lambda rows, count: rows)
    expected = dedupe(genotypes, level)
    assert [group.genotype for group in groups] == list(expected.genotypes)
    assert [group.number for group in groups] == list(expected.kept)
    numbers = {place: group.number for group in groups for place in group.places}
    assert [numbers[f"f:{number}"] for number in range(200)] == list(expected.same_as)
    assert len(found) == 200
