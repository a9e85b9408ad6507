"""A user's operation of a primitive of its own, searched and compiled by the real commands."""

from __future__ import annotations

import json
import subprocess
import sys
from random import Random

import pytest

from auxnas.compiler.passes import INFERENCE, run_passes
from auxnas.genotype import SearchSpace
from auxnas.genotype.vocabulary import find_vocabulary
from auxnas.nascompile.cli import main as nascompile
from auxnas.nassearch.cli import main as nassearch
from auxnas.nasspace.cli import main as nasspace
from tests.compiler.test_passes import check_laws
from tests.compiler.test_primitives import PrimitiveContract
from tests.seams.test_encoder import TINY, WORDS
from tests.strategies import program

OWN = "operation:VOCABULARY"
SEARCH = [
    "--vocabulary",
    OWN,
    "--set",
    'space.operations=["softsign3x3", "gap", "skip"]',
]


@pytest.fixture
def vocabulary(user):
    return find_vocabulary(OWN)


class TestSoftsign(PrimitiveContract):
    @pytest.fixture
    def line(self, vocabulary):
        return "y = softsign(x)"


def test_every_pass_keeps_its_laws(vocabulary):
    space, draw = SearchSpace(vocabulary=vocabulary), Random(0)
    row = len(vocabulary) - 1
    for seed in range(3):
        choices = list(space.sample(draw).tokens)
        choices[6] = row
        network = program(space.genotype(choices), dead=seed == 1)
        assert "softsign" in {node.op for node in network.graph.nodes}
        for each in INFERENCE:
            check_laws(each, network)
        check_laws(lambda p: run_passes(INFERENCE, p)[0], network)


@pytest.mark.parametrize("workers", [0, 1])
def test_it_is_searched_and_compiled(user, command, workers):
    command(nassearch, "run", *WORDS, *TINY, *SEARCH, "--workers", workers, "--out", "run")
    command(nassearch, "resume", "run", "--trials", 3)
    files = ["run/best.json", "--weights", "run/best.safetensors"]
    made = command(nascompile, *files, "--vocabulary", OWN, "--output", "a.onnx", "--json")
    assert json.loads(made.stdout)["checks"]
    assert '"softsign"' in (user / "run" / "best.json").read_text()


def test_its_space_is_counted_and_drawn_from(user, command):
    drawn = json.loads(command(nasspace, "sample", "--vocabulary", OWN, "--json").stdout)
    assert any("softsign3x3" in json.dumps(each) for each in drawn["genotypes"])
    counted = json.loads(
        command(nasspace, "count", "--level", "raw", "--vocabulary", OWN, "--json").stdout
    )
    assert "softsign3x3" in counted["space"]["operations"]
    few = ("--operations", "softsign3x3,zero")
    chosen = command(nasspace, "count", "--level", "raw", "--vocabulary", OWN, *few, "--json")
    assert json.loads(chosen.stdout)["space"]["operations"] == ["softsign3x3", "zero"]
    refused = command(nasspace, "count", *few, fails=True)
    assert "--operations: no 'softsign3x3', expected some of conv1x1, " in refused.stderr


def test_files_alone_import_nothing(user, command):
    """In another process, which has not seen the vocabulary."""
    command(nassearch, "run", *WORDS, *TINY, *SEARCH, "--out", "run")

    def anew(module, *words):
        call = [sys.executable, "-c", f"from auxnas.scripts import {module}; {module}()", *words]
        return subprocess.run(call, capture_output=True, text=True, check=False)

    found = anew("nascompile", "run/best.json", "--dry-run")
    assert found.returncode == 2
    assert found.stderr.count("\n") == 1
    assert "unknown primitive 'softsign'" in found.stderr
    assert "--vocabulary" in found.stderr
    assert anew("nassearch", "status", "run").returncode == 0
    words = ["nassearch", "resume", "run", "--trials", "3"]
    refused = anew(*words)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    named = f"--vocabulary {OWN}"
    assert f"expected {named}, if that code is to run" in refused.stderr
    assert anew(*words, *named.split()).returncode == 0
    own = ("--vocabulary", OWN)
    exported = anew("nassearch", "export", "run", *own, "--output", "found")
    assert " ".join(own) in exported.stdout
    trained = ("--learner", "null", "--epochs", "4", "--out", "trained")
    made = anew("nassearch", "train", "--genotype", "run:best", *own, *trained)
    assert " ".join(own) in made.stdout.partition("next: ")[2]


def test_it_is_trained_by_torch(user, command):
    pytest.importorskip("torch")
    torch = ["torch" if word == "null" else word for word in TINY]
    command(nassearch, "run", *WORDS, *torch, *SEARCH, "--trials", 1, "--out", "run")
    files = ["run/best.json", "--weights", "run/best.safetensors", "--vocabulary", OWN]
    command(nascompile, *files, "--output", "a.onnx", "--json")
