"""A folder holds one thing, knows its data, and gives out nobody else's network."""

import json
from itertools import permutations
from shutil import copyfile, copytree

import pytest
from PIL import Image

from auxnas.search.loop.run import execute
from auxnas.search.networks.networks import read_network
from auxnas.search.networks.sources import own_data
from auxnas.search.storage.journal import Journal
from auxnas.search.storage.rescue import BACKUP, NAME
from auxnas.search.training.run import train_network
from auxnas.search.trials.records import best_of
from tests.search.training import training

TINY = [
    *("--data", "synthetic:12", "--preset", "demo", "--learner", "null", "--size", "32x32"),
    *("--set", "model.width=0.1", "--set", "model.agg_size=8"),
    *("--set", "pretrain.channels=8", "--set", "pretrain.epochs=1"),
]
MARKS = {
    "a search": NAME,
    "a training": "training.json",
    "an ablation": "ablation.settings.json",
}
COMMANDS = {
    "a search": ["run", "--trials", "1"],
    "a training": ["train", "--genotype", "arch0"],
    "an ablation": ["ablate", "--count", "1"],
}


@pytest.mark.parametrize(("held", "kind"), list(permutations(MARKS, 2)))
def test_a_folder_of_another_kind_is_refused_and_left_alone(run, tmp_path, held, kind):
    out = tmp_path / "out"
    out.mkdir()
    (out / MARKS[held]).write_text("of somebody")
    name, *words = COMMANDS[kind]
    result = run(name, *TINY, *words, "--out", out)
    assert result.exit_code == 2, result.output
    lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert lines == [f"error: {out}: holds {held}, expected another --out for {kind}"]
    assert [path.name for path in out.iterdir()] == [MARKS[held]]


@pytest.mark.parametrize("kind", COMMANDS)
def test_nothing_is_put_among_somebodys_photographs(run, tmp_path, kind):
    (tmp_path / "a.jpg").write_text("mine")
    name, *words = COMMANDS[kind]
    result = run(name, *TINY, *words, "--out", tmp_path)
    assert result.exit_code == 2
    assert f"{tmp_path}: a folder with a.jpg in it, where {kind} was not begun" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["a.jpg"]


def test_a_search_that_somebody_had_trained_into_goes_on(place_of):
    """As was possible once."""
    place = place_of(trials=2)
    execute(place)
    (place.folder / "training.json").write_text("of somebody")
    assert len(execute(place_of(trials=4))) == 4


def test_a_search_with_its_backup_alone_is_one(run, tmp_path):
    (tmp_path / BACKUP).write_text("of somebody")
    result = run("train", *TINY, "--genotype", "arch0", "--out", tmp_path)
    assert "holds a search" in result.stderr


def test_correlate_does_not_train_into_the_runs_own_folder(run, place_of):
    place = place_of()
    execute(place)
    result = run("correlate", place.folder, "--count", 3, "--out", place.folder)
    assert result.exit_code == 2
    assert "holds a search, expected another --out for a correlation" in result.stderr


def test_the_network_of_a_run_is_that_of_its_best_trial(place_of, run, tmp_path, cache):
    """Not of whatever lies beside it, and of a run under way too."""
    place = place_of("run", data__source="synthetic:30")
    best = best_of(execute(place))[0]
    train_network(training(tmp_path / "other", cache))
    copyfile(tmp_path / "other" / "model.safetensors", place.folder / "model.safetensors")
    (place.folder / "best.safetensors").write_bytes(b"of an earlier session")
    found = read_network(place.folder)
    assert found.network.architecture == best.genotype
    result = run("eval", place.folder, "--learner", "null", "--json")
    assert result.exit_code == 0, result.output
    same = json.loads(result.stdout)
    assert same["network"] == best.key
    assert same["miou"] == pytest.approx(best.metrics["miou"], abs=0.2)
    assert same["picture"] == str(place.folder / "confusion.png")


def test_a_folder_knows_its_data(run, place_of, tmp_path, cache):
    place = place_of("run", data__source="synthetic:30", task__ignore=["sky"])
    execute(place)
    result = run("eval", place.folder, "--learner", "null")
    assert result.exit_code == 0, result.output
    assert f"data: synthetic:30, those of {place.folder}" in result.stderr
    assert "on 6 images of synthetic:6, part val" in result.stderr
    assert "sky (not counted)" in result.stdout
    train_network(training(tmp_path / "t", cache, data__source="synthetic:20"))
    result = run("eval", tmp_path / "t", "--learner", "null", "--json")
    assert f"data: synthetic:20, those of {tmp_path / 't'}" in result.stderr
    assert json.loads(result.stdout)["part"] == "val"
    weights = tmp_path / "t" / "model.safetensors"
    result = run("eval", weights, "--learner", "null")
    assert result.exit_code == 2
    assert "--data: expected, WEIGHTS is not the folder" in result.stderr
    assert own_data(place.folder).key == place.meta()["data"]


@pytest.fixture
def listed(tmp_path):
    """Images without a part to validate on."""
    lines = []
    for name in range(10):
        Image.new("RGB", (32, 32), (20 * name, 0, 0)).save(tmp_path / f"{name}.png")
        label = Image.new("L", (32, 32), 0)
        label.paste(1, (0, 0, 16, 3 * name + 1))
        label.save(tmp_path / f"l{name}.png")
        lines.append(f"{name}.png\tl{name}.png\n")
    (tmp_path / "all.lst").write_text("".join(lines))
    return {"data__source": f"list:{tmp_path}/all.lst", "data__classes": 2}


def test_without_a_part_to_validate_on_it_is_what_nothing_was_trained_on(
    run, place_of, listed, tmp_path
):
    place = place_of(**listed, data__meta_train=0.7)
    execute(place)
    result = run("eval", place.folder, "--learner", "null", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["part"] == "meta-val"
    assert json.loads(result.stdout)["images"] == len(place.data.search_split.val.indices) == 3
    assert "part meta-val (the data have no part for it)" in result.stderr
    assert "warning" not in result.stderr
    Image.new("RGB", (32, 32), (1, 2, 3)).save(tmp_path / "4.png")
    result = run("eval", place.folder, "--learner", "null")
    assert result.exit_code == 0, result.output
    assert f"changed since {place.folder} was trained on it" in result.stderr


@pytest.fixture
def unpictured(monkeypatch):
    """Pages are without charts and drawings, which take a second."""
    pytest.importorskip("jinja2")
    page = pytest.importorskip("auxnas.html.page")
    for part in ("_search", "_costs", "_architectures", "_times", "_controller"):
        monkeypatch.setattr(page, part, lambda *runs: None)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ""),
        ({"search__searcher": "random", "seed": 3, "trials": 2}, ""),
        ({"data__source": "synthetic:13"}, "data synthetic:12 and synthetic:13"),
        ({"data__size": [32, 64]}, "images at 32x32 and 32x64"),
        ({"data__meta_train": 0.5}, "data.meta_train 0.9 and 0.5"),
        ({"task__ignore": ["sky"]}, "task.ignore [] and ['sky']"),
    ],
)
@pytest.mark.usefixtures("unpictured")
def test_a_report_says_when_rewards_do_not_compare(run, place_of, changes, words):
    first, other = place_of("first", trials=2), place_of("other", **{"trials": 2, **changes})
    for place in (first, other):
        execute(place)
    result = run("report", first.folder, "--against", other.folder, "--json")
    assert result.exit_code == 0, result.output
    said = f"warning: rewards of {first.folder} and {other.folder} do not compare: {words}"
    assert result.stderr.splitlines() == ([said] if words else [])
    assert json.loads(result.stdout)["incomparable"] == ([words] if words else [])
    page = (first.folder / "report.html").read_text()
    assert ("Rewards of the two runs do not compare" in page) == bool(words)


@pytest.mark.usefixtures("unpictured")
def test_data_are_compared_by_content(run, place_of, listed, tmp_path):
    execute(place_of("first", **listed))
    copytree(tmp_path, tmp_path / "moved", ignore=lambda *_: {"first", "moved"})
    elsewhere = {**listed, "data__source": f"list:{tmp_path}/moved/all.lst"}
    execute(place_of("same", **elsewhere))
    Image.new("RGB", (32, 32), (1, 2, 3)).save(tmp_path / "4.png")
    execute(place_of("changed", **listed))
    for name, words in (("same", []), ("changed", [f"{listed['data__source']}, which changed"])):
        result = run("report", tmp_path / "first", "--against", tmp_path / name, "--json")
        assert result.exit_code == 0, result.output
        found = json.loads(result.stdout)["incomparable"]
        assert [one.removesuffix(" in between") for one in found] == words


def test_a_run_without_a_reward_has_no_network(run, place_of, tmp_path):
    (tmp_path / "run").mkdir()
    with Journal(tmp_path / "run", write=True):
        pass
    result = run("eval", tmp_path / "run", "--data", "synthetic:12")
    assert result.exit_code == 2
    assert f"{tmp_path / 'run'}: no trial has a reward, expected one at least" in result.stderr
