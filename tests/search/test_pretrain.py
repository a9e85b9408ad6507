"""Pre-training: what a killed one comes to, and ``nassearch pretrain``."""

import json
import sys
import threading
from dataclasses import replace
from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pytest

import auxnas.search.networks.pretrain
from auxnas.backends.null.learner import NullLearner
from auxnas.backends.progress import Silent
from auxnas.backends.timm import published
from auxnas.compiler.tasks import Segmentation, TargetFormat
from auxnas.compiler.weights import load_weights, save_weights
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


def test_pretraining_begins_with_the_weights_given(run, tmp_path):
    """The null learner moves nothing, and the result is not that of random weights."""
    began, given, ended = (tmp_path / f"{name}.safetensors" for name in ("a", "b", "c"))
    first = run("pretrain", *TINY, "--seed", 5, "--out", began)
    assert "encoder: mobilenet_v2 begins with random weights; --encoder-weights" in first.stderr
    arrays = {
        name: value + (1 if name.startswith("encoder.") else 0)
        for name, value in load_weights(began)[0].items()
    }
    save_weights(given, arrays, {})
    result = run("pretrain", *TINY, "--seed", 5, "--encoder-weights", given, "--out", ended)
    assert result.exit_code == 0, result.output
    assert f"encoder: from {given}: " in result.stderr
    assert "random weights" not in result.stderr
    found = load_weights(ended)[0]
    for name, value in load_weights(began)[0].items():
        moved = 1 if name.startswith("encoder.") else 0
        assert np.array_equal(found[name], value + np.float32(moved)), name


def test_none_and_no_epochs_say_that_nothing_is_trained(run, tmp_path):
    out = tmp_path / "e.safetensors"
    result = run("pretrain", *TINY, "--epochs", "0", "--seed", 6, "--out", out)
    assert "encoder: not trained (0 epochs), mIoU" in result.stderr
    start = load_weights(out)[0]
    common = ("--set", "model.agg_size=8", "--trials", 1, "--out", tmp_path / "run")
    result = run("run", *TINY, "--encoder-weights", "none", "--set", "pretrain.seed=6", *common)
    assert result.exit_code == 0, result.output
    said = "encoder: mobilenet_v2 begins with random weights; --encoder-weights"
    assert result.stderr.count(said) == 1
    assert "pre-train" not in result.stderr
    assert not (tmp_path / "run" / "encoder.safetensors").exists()
    (kept,) = (tmp_path / "run").glob("best.safetensors")
    name = "encoder.layer1.conv.weight"
    assert np.array_equal(load_weights(kept)[0][name], start[name])


def test_batch_norms_as_they_are_made_are_noticed(run, tmp_path):
    out, again = tmp_path / "e.safetensors", tmp_path / "f.safetensors"
    assert run("pretrain", *TINY, "--epochs", "0", "--out", out).exit_code == 0
    result = run("pretrain", *TINY, "--encoder-weights", out, "--out", again)
    line = f"warning: {out}: 52 of its 52 batch norms have mean 0 and variance 1: folded, or never"
    assert line in result.stderr
    arrays = load_weights(out)[0]
    folded = {n: v for n, v in arrays.items() if ".bn." not in n}
    save_weights(tmp_path / "g.safetensors", folded, {})
    result = run("pretrain", *TINY, "--encoder-weights", tmp_path / "g.safetensors", "--out", again)
    assert result.exit_code == 2
    assert "encoder.layer1.bn.running_mean: missing, as of every batch norm" in result.stderr


def test_published_weights_are_fetched_by_their_library(run, tmp_path, monkeypatch):
    out, ended = tmp_path / "e.safetensors", tmp_path / "f.safetensors"
    assert run("pretrain", *TINY, "--out", out).exit_code == 0
    whole = {n: v + np.float32(1) for n, v in load_weights(out)[0].items()}
    asked = []

    class Theirs:
        def state_dict(self):
            return {n: torch.from_numpy(v) for n, v in whole.items() if n.startswith("encoder.")}

    def mobilenet_v2(weights):
        asked.append(weights)
        return Theirs()

    torch = pytest.importorskip("torch")
    library = SimpleNamespace(mobilenet_v2=mobilenet_v2)
    monkeypatch.setattr(published, "import_module", lambda name: library)
    result = run("pretrain", *TINY, "--encoder-weights", "published", "--out", ended)
    assert result.exit_code == 0, result.output
    assert asked == ["DEFAULT"]
    assert "encoder: from published: " in result.stderr
    name = "encoder.layer1.bn.bias"
    assert np.array_equal(load_weights(ended)[0][name], whole[name])

    monkeypatch.setattr(published, "import_module", import_module)
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    result = run("pretrain", *TINY, "--encoder-weights", "published", "--out", ended)
    assert result.exit_code == 3
    line = "error: published weights of mobilenet_v2: the package 'torchvision.models' is not"
    assert line in result.stderr
    assert result.stderr.splitlines()[-1].endswith('try: pip install "auxnas[timm]"')


@pytest.mark.parametrize("field", ["labels", "target"])
def test_an_encoder_for_other_numbers_is_another(place_of, field):
    work = place_of().model.pretraining
    other = TargetFormat("uint8", 255, linear=True, power=-1, classes=True)
    kinds = (("Same", Segmentation.target), ("Other", other))
    tasks = [type(name, (Segmentation,), {field: numbers})(("a",)) for name, numbers in kinds]
    same, another = (replace(work, task=task).key for task in tasks)
    assert same == work.key != another


def test_an_encoder_of_other_colours_or_another_loss_is_another(place_of):
    def key(**settings):
        return place_of(**settings).model.pretraining.key

    known = [{}, {"data__photometric__hue": 0.1}, {"loss__hard": 0.7}, {"loss__balance": 0.9}]
    assert len({key(**settings) for settings in known}) == len(known)
    assert key(loss__dice=0) == key(loss__lovasz=0) == key()
