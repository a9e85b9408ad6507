"""Trials of a run as genotypes of ``nascompile``: as the files that ``nassearch export`` writes."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from auxnas.nascompile.cli import main
from auxnas.search.loop.run import execute
from auxnas.search.storage.export import trial_document
from auxnas.search.storage.journal import Journal
from auxnas.search.trials.records import best_of


def nascompile(*words: object):
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.mark.parametrize("which", ["1", "2", "best"])
def test_a_trial_compiles_as_its_export_does(which, place_of, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    place = place_of("run", trials=2, search__proceed=1.0)
    trials = execute(place)
    trial = best_of(trials)[0] if which == "best" else trials[int(which) - 1]
    with Journal(place.folder) as journal:
        document = trial_document(trial, f"{place.folder.name}-{which}", "r", journal.meta())
    (tmp_path / "exported.json").write_text(document)
    found, expected = (
        json.loads(nascompile(genotype, "--dry-run", "--json").stdout)
        for genotype in (f"{place.folder}:{which}", "exported.json")
    )
    changing = {"seconds"}
    assert found.keys() == expected.keys()
    assert {k: v for k, v in found.items() if k not in changing} == {
        k: v for k, v in expected.items() if k not in changing
    }
    assert found["output"] == f"{place.folder.name}-{which}.onnx"
    gone = nascompile(f"{place.folder}:3", "--dry-run")
    assert (gone.exit_code, gone.stderr.count("\n")) == (2, 1)
    assert "no such trial, expected best, or 1..2" in gone.stderr
