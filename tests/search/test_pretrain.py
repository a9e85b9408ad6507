"""Pre-training: what a killed one comes to, and ``nassearch pretrain``."""

import json
import threading
from dataclasses import replace

import numpy as np
import pytest

import auxnas.search.networks.pretrain
from auxnas.backends.null.learner import NullLearner
from auxnas.backends.progress import Silent
from auxnas.compiler.tasks import Segmentation, TargetFormat
from auxnas.compiler.weights import load_weights
from auxnas.search.networks.networks import read_network
from auxnas.search.networks.pretrain import pretrained_encoder
from tests.search.training import params, tell

EPOCHS = {"pretrain__epochs": 5}
TINY = [
    *("--data", "synthetic:12", "--preset", "demo", "--learner", "null", "--size", "32x32"),
    *("--set", "model.width=0.1", "--set", "pretrain.channels=8"),
]


def fresh(place, tmp_path, name):
    return replace(place, folder=tmp_path / name, cache=tmp_path / f"{name} cache")


def encoder(place):
    return {name: value.tobytes() for name, value in place.model.encoder.params.items()}


@pytest.mark.parametrize(("moment", "after"), [(1, False), (2, False), (4, True), (5, True)])
def test_killed_it_comes_to_the_same(place_of, tmp_path, monkeypatch, moment, after):
    tell(monkeypatch)
    monkeypatch.setattr(auxnas.search.networks.pretrain, "_BETWEEN_SAVES", 0)
    alone = encoder(fresh(place_of(**EPOCHS), tmp_path, "alone"))
    left = moment

    def dying(self, *args):
        nonlocal left
        left -= 1
        if left == 0 and not after:
            raise KeyboardInterrupt
        value = inner(self, *args)
        if left == 0:
            raise KeyboardInterrupt
        return value

    from tests.search.training import Storyteller

    inner = Storyteller.fit_part
    with monkeypatch.context() as patch:
        patch.setattr(Storyteller, "fit_part", dying)
        with pytest.raises(KeyboardInterrupt):
            encoder(fresh(place_of(**EPOCHS), tmp_path, "cut"))
    again = fresh(place_of(**EPOCHS), tmp_path, "cut")
    left_over = list((again.cache / "encoders").glob("*.part"))
    assert len(left_over) == (moment > 1)
    assert encoder(again) == alone
    assert not list((again.cache / "encoders").glob("*.part"))
    course = json.loads((again.folder / "pretraining.json").read_text())
    if moment == 5:  # all was done but for the run's own copy
        assert course["losses"] == [[epoch, 1 / epoch] for epoch in range(1, 6)]
    else:
        whole = json.loads((tmp_path / "alone" / "pretraining.json").read_text())
        assert {**course, "seconds": 0} == {**whole, "seconds": 0}
        assert [epoch for epoch, _ in course["losses"]] == [1, 2, 3, 4, 5]


def test_a_run_that_takes_its_encoder_from_another_says_so(place_of, tmp_path):
    place = fresh(place_of(**EPOCHS), tmp_path, "first")
    encoder(place)
    encoder(replace(place, folder=tmp_path / "second"))
    found = json.loads((tmp_path / "second" / "pretraining.json").read_text())
    (kept,) = (place.cache / "encoders").iterdir()
    assert found == {"source": str(kept)}


def test_two_runs_that_share_a_cache_train_it_once(place_of, tmp_path, monkeypatch):
    """Locks are of open files, so that two threads are to each other as two processes."""
    found, said, waits, inner = [], [], threading.Event(), NullLearner.fit_part

    class Heard(Silent):
        def say(self, line):
            said.append(line)
            if line.startswith("waiting for process "):
                waits.set()

    place = replace(place_of(), cache=tmp_path / "cache")

    def encoder_of(run):
        own = tmp_path / f"{run}.safetensors"
        return pretrained_encoder(place.model.pretraining, own, place.cache, Heard()).params

    def meeting(self, *args):
        thread = threading.Thread(target=lambda: found.append(encoder_of("second")))
        thread.start()
        assert waits.wait(60)
        found.append(thread)
        return inner(self, *args)

    monkeypatch.setattr(NullLearner, "fit_part", meeting)
    trained = encoder_of("first")
    thread, *_ = found
    thread.join(60)
    (_, second) = found
    assert {n: v.tobytes() for n, v in second.items()} == {
        n: v.tobytes() for n, v in trained.items()
    }
    assert sum(line.startswith("encoder: pre-trained, ") for line in said) == 1
    assert [path.suffix for path in (place.cache / "encoders").iterdir()] == [".safetensors"]


def test_what_is_trained_is_there_until_it_is_kept(place_of, tmp_path, monkeypatch):
    """Where the result cannot be kept, the next process does not train again."""
    tell(monkeypatch)
    alone = encoder(fresh(place_of(**EPOCHS), tmp_path, "alone"))

    def full(path, *args):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(auxnas.search.networks.pretrain, "_keep", full)
        with pytest.raises(OSError, match="No space"):
            encoder(fresh(place_of(**EPOCHS), tmp_path, "cut"))
    from tests.search.training import Storyteller

    trained, inner = [], Storyteller.fit_part

    def noting(self, *args):
        trained.extend(args[4])
        return inner(self, *args)

    monkeypatch.setattr(Storyteller, "fit_part", noting)
    again = fresh(place_of(**EPOCHS), tmp_path, "cut")
    assert encoder(again) == alone
    assert trained == []
    assert [path.suffix for path in (again.cache / "encoders").iterdir()] == [".safetensors"]


def test_one_that_another_finishes_before_the_lock_is_had_is_taken(place_of, tmp_path, monkeypatch):
    module, trained = auxnas.search.networks.pretrain, []
    train, alone = module._train, module.exclusive_lock

    def other_first(target, say):
        monkeypatch.setattr(module, "exclusive_lock", alone)
        encoder(replace(place_of(), folder=tmp_path / "other", cache=tmp_path / "cache"))
        return alone(target, say)

    monkeypatch.setattr(module, "_train", lambda *args: trained.append(0) or train(*args))
    monkeypatch.setattr(module, "exclusive_lock", other_first)
    encoder(replace(place_of(), folder=tmp_path / "mine", cache=tmp_path / "cache"))
    assert len(trained) == 1


def test_a_damaged_state_is_left_aside(place_of, tmp_path, monkeypatch):
    tell(monkeypatch)
    alone = encoder(fresh(place_of(**EPOCHS), tmp_path, "alone"))
    place = fresh(place_of(**EPOCHS), tmp_path, "torn")
    (place.cache / "encoders").mkdir(parents=True)
    (place.cache / "encoders" / f"{place.model.pretraining.key}.part").write_bytes(b"half")
    assert encoder(place) == alone


def test_parts_grow_with_the_speed_of_training(place_of, tmp_path, monkeypatch):
    parts = []
    inner = NullLearner.fit_part

    def noting(self, *args):
        parts.append(args[4])
        return inner(self, *args)

    monkeypatch.setattr(NullLearner, "fit_part", noting)
    encoder(fresh(place_of(**EPOCHS), tmp_path, "fast"))
    assert parts == [range(1), range(1, 5)]


def test_no_epochs_are_no_training(place_of, tmp_path):
    place = fresh(place_of(pretrain__epochs=0), tmp_path, "none")
    from auxnas.compiler.weights import initial_params

    start = initial_params(place.model.pretraining.graph, 0)
    assert all(np.array_equal(place.model.encoder.params[name], start[name]) for name in start)


def test_the_file_serves_as_encoder_and_as_teacher(run, tmp_path):
    out = tmp_path / "encoder.safetensors"
    result = run("pretrain", *TINY, "--out", out, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["weights"] == str(out)
    assert (found["images"]["train"], found["images"]["val"]) == (11, 1)
    assert 0 < found["miou"] < 1
    again = run("pretrain", *TINY, "--out", out)
    assert again.exit_code == 0
    assert f"using {out}" in again.stderr
    assert again.stdout.splitlines() == [
        f"mIoU {found['miou']:.4f}, fwIoU {found['fwiou']:.4f}, accuracy {found['accuracy']:.4f} "
        "on 1 images of meta-val, with its own decoder",
        str(out),
    ]
    options = ("--encoder-weights", out, "--teacher", out, "--set", "model.agg_size=8")
    result = run("train", *TINY, *options, "--genotype", "arch0", "--out", tmp_path / "t")
    assert result.exit_code == 0, result.output
    start = load_weights(out)[0]["encoder.layer1.conv.weight"]
    trained = read_network(tmp_path / "t").program.params["encoder.layer1.conv.weight"]
    assert np.array_equal(start, trained), "the null learner moves nothing"


def test_a_search_with_the_same_settings_finds_it(run, tmp_path, place_of, monkeypatch):
    out = tmp_path / "encoder.safetensors"
    seed = ("--set", "pretrain.seed=77")
    assert run("pretrain", *TINY, *seed, "--out", out).exit_code == 0
    common = ("--set", "model.agg_size=8", "--trials", 1, "--out", tmp_path / "run")
    result = run("run", *TINY, *seed, *common)
    assert result.exit_code == 0, result.output
    assert "encoder: pre-trained earlier on these data" in result.stderr
    kept = tmp_path / "run" / "encoder.safetensors"
    assert params(read_network(out).program) == params(read_network(kept).program)


@pytest.mark.parametrize(
    ("args", "status", "words"),
    [
        (["--data", "elsewhere"], 2, "data.source: 'elsewhere', expected synthetic"),
        (["--data", "list:/nowhere"], 2, "list:/nowhere: no such file or folder"),
        (["--set", "pretrain.epoch=3"], 2, "pretrain.epoch: no such setting"),
        (["--preset", "huge"], 2, "'huge' is none of paper, small, demo"),
        (["--data", "synthetic:1"], 2, "images, expected at least"),
    ],
)
def test_errors_are_one_line(run, tmp_path, args, status, words):
    result = run("pretrain", *TINY, "--out", tmp_path / "e.safetensors", *args)
    assert result.exit_code == status, result.output
    assert words in result.stderr.splitlines()[-1]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "command",
    [
        ["run", "--trials", "1", "--encoder-weights"],
        ["train", "--genotype", "arch0", "--encoder-weights"],
        ["ablate"],
    ],
)
def test_an_encoder_of_another_width_is_answered_with_the_setting(run, tmp_path, command):
    file = tmp_path / "narrow.safetensors"
    assert run("pretrain", *TINY, "--epochs", "0", "--out", file).exit_code == 0
    name, *words = command
    if name == "ablate":
        words = ["--count", "1", "--set", f"teacher={file}", "--set", f"encoder_weights={file}"]
    else:
        words.append(str(file))
    result = run(name, *TINY, "--set", "model.width=0.35", *words, "--out", tmp_path / "out")
    assert result.exit_code == 2, result.output
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert line == (
        f"error: {file}: an encoder of width 0.1, expected one of width 0.35, "
        "or --set model.width=0.1"
    )
    assert not (tmp_path / "out").exists()


def test_pretraining_takes_no_weights(run, tmp_path):
    words = ("--set", "encoder_weights=e.safetensors", "--out", tmp_path / "new.safetensors")
    result = run("pretrain", *TINY, *words)
    assert result.exit_code == 2
    assert "encoder_weights: pretrain begins anew, expected none" in result.stderr


@pytest.mark.parametrize("field", ["labels", "target"])
def test_an_encoder_for_other_numbers_is_another(place_of, field):
    work = place_of().model.pretraining
    other = TargetFormat("uint8", 255, linear=True, power=-1, classes=True)
    kinds = (("Same", Segmentation.target), ("Other", other))
    tasks = [type(name, (Segmentation,), {field: numbers})(("a",)) for name, numbers in kinds]
    same, another = (replace(work, task=task).key for task in tasks)
    assert same == work.key != another
