"""Long training: phases, checkpoints, and what a killed one comes to."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import auxnas.search.storage.checkpoint
import auxnas.search.storage.identity
import auxnas.search.training.run
from auxnas.backends.base import Batch
from auxnas.backends.null.learner import NullLearner
from auxnas.compiler import CompilerError
from auxnas.compiler.decoders import HandMade
from auxnas.compiler.encoders import PREFIX
from auxnas.compiler.tasks import Segmentation
from auxnas.compiler.weights import load_weights, save_weights
from auxnas.search.errors import RunLockedError, SearchError, SettingsError
from auxnas.search.networks.networks import read_network
from auxnas.search.settings.resolving import resolve as resolve_settings
from auxnas.search.settings.training import (
    TRAIN_PRESETS,
    TrainingSettings,
    TrainSettings,
    preset_layers,
)
from auxnas.search.storage.checkpoint import DAMAGED, LOG, NAME, Checkpoint
from auxnas.search.storage.lock import run_lock
from auxnas.search.training.run import RESULT, long_training, start_program, train_network
from auxnas.search.training.training import TaughtExamples, phase_recipe, phases, stops
from tests.search.training import ARCH0, LWRF, params, tell, training

PLANS = st.integers(1, 6).flatmap(
    lambda count: st.builds(
        TrainSettings,
        epochs=st.integers(count, 60),
        phases=st.lists(st.floats(0.1, 100), min_size=count, max_size=count),
        auxiliary=st.lists(st.floats(0, 1), min_size=count, max_size=count),
        frozen=st.integers(0, 7),
        schedule=st.sampled_from(["halving", "poly"]),
        checkpoint=st.integers(1, 70),
        validate_every=st.integers(1, 70),
    )
)


# Phases ---------------------------------------------------------------------------------


def test_the_papers_phases():
    found = phases(TrainSettings())
    assert [phase.epochs for phase in found] == [
        range(30),
        range(30, 80),
        range(80, 130),
        range(130, 180),
    ]
    assert [phase.auxiliary for phase in found] == [0.3, 0.25, 0.2, 0.15]
    assert [phase.factor for phase in found] == [1, 0.5, 0.25, 0.125]
    assert [phase.frozen for phase in found] == [False, False, False, True]


@given(PLANS)
def test_phases_cover_all_epochs_and_stops_fall_between_them(settings):
    found = phases(settings)
    assert [epoch for phase in found for epoch in phase.epochs] == list(range(settings.epochs))
    assert len(found) == len(settings.phases)
    assert all(phase.epochs for phase in found)
    assert sum(phase.frozen for phase in found) == min(settings.frozen, len(found))
    due = stops(settings)
    assert due == sorted(set(due))
    assert due[-1] == settings.epochs
    assert {phase.epochs.stop for phase in found} <= set(due)
    for every in (settings.checkpoint, settings.validate_every):
        assert set(range(every, settings.epochs, every)) <= set(due)


def test_recipes_follow_phase_and_schedule():
    settings = TrainSettings(teacher="x")
    first, *_, last = phases(settings)
    assert (
        phase_recipe(settings, first, Segmentation()).epochs
        == phase_recipe(settings, last, Segmentation()).epochs
        == 180
    )
    assert [o.rate for o in phase_recipe(settings, last, Segmentation()).optimisers] == [
        1e-3 / 8,
        3e-3 / 8,
    ]
    assert (
        phase_recipe(settings, last, Segmentation()).poly,
        phase_recipe(settings, last, Segmentation()).distillation,
    ) == (0, 0.3)
    poly = TrainSettings(schedule="poly")
    last = phases(poly)[-1]
    assert [o.rate for o in phase_recipe(poly, last, Segmentation()).optimisers] == [1e-3, 3e-3]
    assert (
        phase_recipe(poly, last, Segmentation()).poly,
        phase_recipe(poly, last, Segmentation()).distillation,
    ) == (0.9, 0)


@pytest.mark.parametrize("name", ["auxiliary", "rates"])
def test_one_number_is_for_all_phases(name):
    given = {"train": {"phases": [1, 2, 1], "auxiliary": [0.0], name: [0.5]}}
    found = resolve_settings(given, kind=TrainingSettings)
    assert getattr(found.train, name) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {"auxiliary": [0.3, 0.2]},
            "^train.auxiliary: .*expected 4 numbers, one for each of train.phases",
        ),
        ({"epochs": 3}, "^train.epochs: 3, expected at least 4, one for each of train.phases"),
        ({"phases": []}, "train.phases"),
        ({"epoch": 3}, "no such setting, expected perhaps train.epochs"),
    ],
)
def test_wrong_settings_are_named(values, words):
    with pytest.raises(SettingsError, match=words):
        resolve_settings({"train": values}, kind=TrainingSettings)


@pytest.mark.parametrize("name", TRAIN_PRESETS)
def test_presets_share_data_and_encoder_with_the_search(name):
    from auxnas.search.settings.presets import PRESETS
    from auxnas.search.settings.search import Settings

    found = resolve_settings(*preset_layers(name), kind=TrainingSettings)
    other = resolve_settings(PRESETS[name])
    assert isinstance(other, Settings)
    own = TRAIN_PRESETS[name].get("data", {})
    assert (found.data, found.pretrain, found.model.width) == (
        other.data.model_copy(update=own),
        other.pretrain,
        other.model.width,
    )
    assert found.model.sep_repeats == 2
    assert found.search().data == found.data


# Going on ---------------------------------------------------------------------------------


class Killed(BaseException):
    """Ends a training as a kill would: nothing catches it."""


class Killer:
    """Kills before the ``moment``-th call of what it watches, so after the one before."""

    def __init__(self, monkeypatch, moment: int) -> None:
        self.left, self.killed = moment, False
        for place, name in (
            (NullLearner, "fit_part"),
            (NullLearner, "measure"),
            (auxnas.search.storage.checkpoint, "save_kept"),
            (auxnas.search.storage.checkpoint, "atomic_write"),
            (auxnas.search.training.run, "save_network"),
            (auxnas.search.training.run, "write_json"),
            (auxnas.search.storage.identity, "write_json"),
        ):
            monkeypatch.setattr(place, name, self.watched(getattr(place, name)))

    def watched(self, inner):
        def call(*args, **more):
            self.count()
            return inner(*args, **more)

        return call

    def count(self) -> None:
        self.left -= 1
        if self.left == 0:
            self.killed = True
            raise Killed


def outcome(folder):
    """All that a training leaves, apart from how long it took."""
    result = json.loads((folder / RESULT).read_text())
    lines = [json.loads(line) for line in (folder / LOG).read_text().splitlines()]
    for known in (result, *lines):
        del known["seconds"]
    del result["files"]
    weights, _ = load_weights(folder / "model.safetensors")
    left = {path.name for path in folder.iterdir() if path.name != "lock"}
    return result, lines, {n: v.tobytes() for n, v in weights.items()}, left


def test_killed_at_any_moment_it_comes_to_the_same(tmp_path, cache, monkeypatch):
    tell(monkeypatch)
    changes = {"train__epochs": 2, "train__phases": [1, 1], "train__auxiliary": [0.2, 0.1]}
    train_network(training(tmp_path / "alone", cache, LWRF, **changes))
    alone = outcome(tmp_path / "alone")
    moment, kills = 0, 0
    while True:
        moment += 1
        folder = tmp_path / str(moment)
        with monkeypatch.context() as patch:
            killer = Killer(patch, moment)
            try:
                train_network(training(folder, cache, LWRF, **changes))
            except Killed:
                kills += 1
        if not killer.killed:
            break
        train_network(training(folder, cache, LWRF, **changes))
        assert outcome(folder) == alone
    assert kills >= 10


def test_a_training_that_forgets_where_it_was_is_found(tmp_path, cache, monkeypatch):
    """The test above would see a checkpoint with another epoch's state."""
    tell(monkeypatch)
    train_network(training(tmp_path / "alone", cache))
    with monkeypatch.context() as patch:
        Killer(patch, 11)
        with pytest.raises(Killed):
            train_network(training(tmp_path / "other", cache))
    path = tmp_path / "other" / NAME
    state, texts = load_weights(path)
    auxnas.search.storage.checkpoint.save_kept(
        path, {**state, "story": state["story"] + 1}, {"history": json.loads(texts["history"])}
    )
    train_network(training(tmp_path / "other", cache))
    assert outcome(tmp_path / "other")[2] != outcome(tmp_path / "alone")[2]


def test_a_damaged_checkpoint_is_left_aside(tmp_path, cache, monkeypatch):
    tell(monkeypatch)
    train_network(training(tmp_path / "alone", cache))
    with monkeypatch.context() as patch:
        Killer(patch, 11)
        with pytest.raises(Killed):
            train_network(training(tmp_path / "torn", cache))
    path = tmp_path / "torn" / NAME
    torn = path.read_bytes()[:-9]
    path.write_bytes(torn)
    (tmp_path / "torn" / f".0123.{NAME}").write_bytes(b"somebody's")
    train_network(training(tmp_path / "torn", cache))
    for name, expected in ((f".0123.{NAME}", b"somebody's"), (DAMAGED, torn)):
        assert (tmp_path / "torn" / name).read_bytes() == expected
        (tmp_path / "torn" / name).unlink()
    assert outcome(tmp_path / "torn") == outcome(tmp_path / "alone")


def test_a_finished_training_is_not_repeated(tmp_path, cache, monkeypatch):
    first = train_network(training(tmp_path / "t", cache))
    monkeypatch.delattr(NullLearner, "fit_part")
    assert train_network(training(tmp_path / "t", cache)) == first


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seed": 3}, "seed was 0 and is 3"),
        ({"train__epochs": 9}, "train.epochs was 8 and is 9"),
        ({"architecture": LWRF}, "the network changed"),
    ],
)
def test_another_training_in_the_folder_is_refused(tmp_path, cache, changes, words):
    train_network(training(tmp_path / "t", cache))
    with pytest.raises(SettingsError, match=words):
        train_network(training(tmp_path / "t", cache, **changes))


def test_another_encoder_is_refused(tmp_path, cache):
    given = tmp_path / "encoder.safetensors"
    for seed in (1, 2):
        other = training(tmp_path / f"p{seed}", cache, pretrain__seed=seed)
        save_weights(given, other.model.encoder_params, {})
        place = training(tmp_path / "t", cache, encoder_weights=str(given))
        if seed == 1:
            train_network(place)
    with pytest.raises(SettingsError, match="the encoder changed"):
        train_network(place)


def test_one_process_at_a_time(tmp_path, cache):
    (tmp_path / "t").mkdir()
    with run_lock(tmp_path / "t"), pytest.raises(RunLockedError):
        train_network(training(tmp_path / "t", cache))


# What is trained ------------------------------------------------------------------------


def test_the_rival_starts_from_the_same_encoder_and_sees_the_same_images(tmp_path, cache):
    ours, rival = (training(tmp_path / "t", cache, genotype) for genotype in (ARCH0, LWRF))
    first, second = start_program(ours), start_program(rival)
    encoder = {name for name in first.params if name.startswith(PREFIX)}
    assert encoder == {name for name in second.params if name.startswith(PREFIX)}
    given = ours.model.encoder_params
    for name in encoder:
        assert np.array_equal(first.params[name], second.params[name])
        assert np.array_equal(first.params[name], given[name])
    head = "refinenet.clf.weight"
    assert not np.array_equal(second.params[head], rival.model.encoder.params[head])
    assert long_training(ours).train == long_training(rival).train
    assert ours.settings == rival.settings


def test_seeds_change_the_decoder_alone(tmp_path, cache):
    zero, one = (start_program(training(tmp_path / "t", cache, seed=seed)) for seed in (0, 1))
    moved = {n for n in zero.params if not np.array_equal(zero.params[n], one.params[n])}
    assert moved
    assert not any(name.startswith(PREFIX) for name in moved)


def test_all_training_images_and_the_datas_own_validation_part(tmp_path, cache):
    place = training(tmp_path / "t", cache)
    data, found = place.data, long_training(place)
    assert (found.train.indices, found.val.indices) == (tuple(range(12)), (0, 1))
    mine, theirs = (
        part.batch([0], None) for part in (found.val, data.examples(data.search_split.val))
    )
    assert not np.array_equal(mine.labels, theirs.labels)
    assert len(found.train) == 12


def test_without_a_validation_part_meta_val_is_kept_apart(tmp_path, cache):
    from PIL import Image

    lines = []
    for name in range(10):
        Image.new("RGB", (32, 32), (name, 0, 0)).save(tmp_path / f"{name}.png")
        label = Image.new("L", (32, 32), name % 2)
        label.putpixel((0, 0), 1 - name % 2)
        label.save(tmp_path / f"l{name}.png")
        lines.append(f"{name}.png\tl{name}.png\n")
    (tmp_path / "all.lst").write_text("".join(lines))
    source = {"data__source": f"list:{tmp_path}/all.lst", "data__classes": 2}
    place = training(tmp_path / "t", cache, **source)
    first, second = (part.indices for part in place.data.training_split)
    assert sorted((*first, *second)) == list(range(10))
    assert (len(first), len(second)) == (9, 1)
    result = train_network(place)
    assert result["images"] == {"train": 9, "val": 1}


@pytest.mark.parametrize("genotype", [ARCH0, LWRF], ids=["arch0", "lwrf"])
def test_what_is_written_is_read_again(tmp_path, cache, monkeypatch, genotype):
    tell(monkeypatch)
    place = training(tmp_path / "t", cache, genotype)
    result = train_network(place)
    for where in (tmp_path / "t", tmp_path / "t" / "model.safetensors"):
        found = read_network(where)
        assert found.network == place.network.shipped()
        assert tuple(found.known["classes"]) == place.data.task.classes
        assert found.known["size"] == [32, 32]
    story = np.float32(load_story(place))
    begin = start_program(place)
    for name, value in found.program.params.items():
        np.testing.assert_array_equal(value, begin.params[name] + story)
    assert result["parameters"] == sum(
        value.size for name, value in found.program.params.items() if "running" not in name
    )
    assert set(result["iou"]) == set(place.data.task.classes)
    known = [value for value in result["iou"].values() if value is not None]
    assert result["miou"] == pytest.approx(np.mean(known))
    assert ("genotype" in result["files"]) == (genotype is ARCH0)


def load_story(place) -> float:
    """What a storyteller adds to every parameter in this training."""
    learner, state = place.model.learner, None
    for phase in phases(place.settings.train):
        how = phase_recipe(place.settings.train, phase, Segmentation())
        _, state = learner.fit_part(start_program(place), [], how, place.seed, phase.epochs, state)
    return float(state["story"])


def test_a_pretrained_network_can_be_read_and_another_file_cannot(tmp_path, cache):
    place = training(tmp_path / "t", cache)
    _ = place.model.encoder
    found = read_network(tmp_path / "t" / "encoder.safetensors")
    assert found.network.architecture == HandMade("lwrf", 8)
    assert params(found.program) == params(place.model.encoder.teacher)
    other = tmp_path / "other.safetensors"
    save_weights(other, {}, {"model": {"width": 9}})
    with pytest.raises(CompilerError, match="no description of a network"):
        read_network(other)
    with pytest.raises(CompilerError, match=r"no model.safetensors in it"):
        read_network(tmp_path)


# Teachers -------------------------------------------------------------------------------


def test_a_teacher_sees_what_the_pupil_sees():
    class Numbers:
        def __len__(self):
            return 3

        def batch(self, indices, rng):
            shift = 0 if rng is None else rng.integers(1, 9)
            return Batch({"image": np.array(indices) + shift}, np.zeros(2, np.uint8))

    taught = TaughtExamples(Numbers(), lambda inputs: {"main": 10 * inputs["image"]})
    for rng in (None, np.random.default_rng(0)):
        found = taught.batch([1, 2], rng)
        assert np.array_equal(found.teacher, 10 * found.inputs["image"])
    assert len(taught) == 3


def test_a_trained_rival_teaches(tmp_path, cache):
    train_network(training(tmp_path / "rival", cache, LWRF))
    taught = {"train__teacher": str(tmp_path / "rival")}
    looked_at = long_training(training(tmp_path / "looked_at", cache, **taught))
    found = looked_at.train.batch([0, 1], np.random.default_rng(0))
    assert found.teacher.shape == (2, 12, 8, 8)
    assert found.teacher.dtype == np.float32
    _ = train_network(training(tmp_path / "t", cache, **taught))
    begun = json.loads((tmp_path / "t" / "training.json").read_text())
    assert begun["teacher"] is not None


def test_a_teacher_of_other_classes_is_refused(tmp_path, cache):
    train_network(training(tmp_path / "rival", cache, LWRF))
    place = training(tmp_path / "t", cache, train__teacher=str(tmp_path / "rival"))
    place.data.__dict__["task"] = replace(place.data.task, classes=("a", "b"))
    with pytest.raises(SearchError, match="12 classes, expected 2 as the data"):
        train_network(place)
    assert not (tmp_path / "t").exists()


def test_the_log_holds_every_epoch(tmp_path, cache):
    place = training(tmp_path / "t", cache, train__validate_every=3)
    result = train_network(place)
    lines = [json.loads(line) for line in (tmp_path / "t" / LOG).read_text().splitlines()]
    assert [line["epoch"] for line in lines] == list(range(1, 9))
    assert [line["epoch"] for line in lines if "miou" in line] == [3, 6, 8]
    assert lines[-1]["miou"] == result["miou"]
    assert [line["rate"] for line in lines] == [
        *[3e-3] * 1,
        *[1.5e-3] * 3,
        *[7.5e-4] * 2,
        *[3.75e-4] * 2,
    ]
    assert not (tmp_path / "t" / NAME).exists()
    assert Checkpoint.load(tmp_path / "t", place.display).epoch == 0


def test_poly_rates_fall_over_all_epochs(tmp_path, cache):
    train_network(training(tmp_path / "t", cache, train__schedule="poly"))
    lines = [json.loads(line) for line in (tmp_path / "t" / LOG).read_text().splitlines()]
    assert [line["rate"] for line in lines] == pytest.approx(
        [3e-3 * (1 - epoch / 8) ** 0.9 for epoch in range(8)]
    )
