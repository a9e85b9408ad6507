"""Results that are there, and files of others, are written over by no command."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from auxnas.nascompile.cli import main as nascompile
from auxnas.nassearch.cli import main as nassearch
from auxnas.search.storage.folders import TRAINING

PRETRAIN = ("pretrain", "--data", "synthetic:12", "--learner", "null", "--size", "32x32", "--out")
COMMANDS = {
    "pretrain": (nassearch, *PRETRAIN, "{}/model.safetensors"),
    "report": (nassearch, "report", "{}", "--output", "{}/genotype.json"),
    "picture": (nassearch, "eval", "{}", "--picture", "{}/result.json"),
    "draw": (nascompile, "arch0", "--dry-run", "--draw", "{}/genotype.json"),
    "compile report": (nascompile, "arch0", "--dry-run", "--report", "{}/genotype.json"),
}
RESULTS = ("model.safetensors", "genotype.json", "result.json", TRAINING)


@pytest.mark.parametrize("command", COMMANDS)
def test_results_are_not_written_over(command, tmp_path):
    main, *words = COMMANDS[command]
    for name in RESULTS:
        (tmp_path / name).write_text(name)
    found = CliRunner().invoke(main, [word.format(tmp_path) for word in words])
    assert (found.exit_code, found.stderr.count("\n")) == (2, 1), found.stderr
    assert all((tmp_path / name).read_text() == name for name in RESULTS)


@pytest.mark.parametrize("name", ["notes.txt", "notes.safetensors"])
def test_pretrain_writes_over_no_file_of_others(name, tmp_path):
    theirs: Path = tmp_path / name
    theirs.write_text("mine")
    found = CliRunner().invoke(nassearch, [*PRETRAIN, str(theirs)])
    assert (found.exit_code, theirs.read_text()) == (2, "mine")
    assert f"{theirs}" in found.stderr
    assert found.stderr.count("\n") == 1
