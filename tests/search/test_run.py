"""A whole run on the null learner: the same journal always, and what is refused."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from PIL import Image

from auxnas.backends.null.learner import NullLearner
from auxnas.backends.progress import Silent
from auxnas.compiler import temporaries
from auxnas.compiler.temporaries import temporary_name
from auxnas.compiler.weights import load_weights, save_weights
from auxnas.nassearch import ablate
from auxnas.search.data import DataError
from auxnas.search.errors import JournalError, RunLockedError, SettingsError
from auxnas.search.evaluation.two_stages import TwoStages
from auxnas.search.examples.context import StoredDataset
from auxnas.search.loop import context as context_module
from auxnas.search.loop import run as run_module
from auxnas.search.loop.bounds import RunClock, Until
from auxnas.search.loop.run import environment_of, execute
from auxnas.search.networks import pretrain
from auxnas.search.settings.resolving import resolve
from auxnas.search.storage.cache import params_digest
from auxnas.search.storage.journal import Journal
from auxnas.search.storage.lock import holder, run_lock
from auxnas.search.trials.records import Figures, best_of
from tests.search.comparing import contents


def test_same_seed_same_journal_another_seed_another(place_of):
    found = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        execute(place_of(name, seed=seed))
        tables = contents(place_of(name).folder)
        found.append({table: tables[table] for table in ("trials", "stages", "searcher")})
    assert found[0] == found[1]
    assert found[0] != found[2]


def test_a_finished_run_does_nothing_more(place_of):
    first = execute(place_of())
    before = contents(place_of().folder)
    assert execute(place_of()) == first
    assert contents(place_of().folder) == before


def test_tensorboard_without_a_watcher_is_refused(place_of):
    context = place_of(tensorboard=True)
    with pytest.raises(SettingsError, match="tensorboard: true, and nothing watches the run"):
        execute(context)
    assert not context.folder.exists()


def test_more_trials_may_be_asked_for_later(place_of):
    execute(place_of("whole", trials=7))
    execute(place_of("grown", trials=3))
    assert len(execute(place_of("grown", trials=7))) == 8  # the last batch has one pending
    assert contents(place_of("grown").folder) == contents(place_of("whole", trials=7).folder)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"seed": 9}, "seed was 0 and is 9"),
        ({"stage1__epochs": 2}, "stage1.epochs was 5 and is 2"),
        ({"search__batch": 3}, "search.batch was 2 and is 3"),
    ],
)
def test_other_settings_are_refused_by_name(place_of, change, found):
    execute(place_of())
    before = contents(place_of().folder)
    with pytest.raises(SettingsError, match=f"begun with other settings: {found}"):
        execute(place_of(**change))
    assert contents(place_of().folder) == before


@pytest.mark.parametrize(("workers", "expected"), [(0, 6), (1, 6), (4, 1), (9, 1)])
def test_threads_are_the_cores_shared_between_the_workers(place_of, monkeypatch, workers, expected):
    monkeypatch.setattr(context_module, "cores", lambda: 6)
    place = place_of(threads=None, workers=workers)
    assert (place.threads, place.model.learner.threads) == (expected, expected)
    assert environment_of(place)["threads"] == expected
    assert place_of(threads=3, workers=workers).threads == 3


def test_a_run_keeps_the_threads_that_it_began_with(place_of, monkeypatch):
    monkeypatch.setattr(context_module, "cores", lambda: 6)
    execute(place_of("one", threads=None, trials=3))
    execute(place_of("more", threads=None, trials=1))
    monkeypatch.setattr(context_module, "cores", lambda: 4)
    grown = place_of("more", threads=None, trials=3, workers=2)
    execute(grown)
    assert grown.model.learner.threads == 6
    assert contents(grown.folder)["trials"] == contents(place_of("one").folder)["trials"]
    for name in ("one", "more"):
        with Journal(place_of(name).folder) as journal:
            assert journal.meta()["settings"]["threads"] == 6
        assert "\nthreads = 6\n" in (place_of(name).folder / "settings.toml").read_text()
    with pytest.raises(SettingsError, match="threads was 6 and is 2"):
        execute(place_of("one", threads=2, trials=3))
    execute(place_of("one", threads=6, trials=3))


def test_settings_may_change_until_there_is_a_trial(place_of, monkeypatch):
    def interrupted(self, *args, **more):
        raise KeyboardInterrupt

    seed = 1105  # of no other test: an encoder that is kept already is not trained
    with monkeypatch.context() as patch:
        patch.setattr(NullLearner, "fit_part", interrupted)
        with pytest.raises(KeyboardInterrupt):
            execute(place_of("cut", pretrain__seed=seed))
    with Journal(place_of("cut").folder) as journal:
        assert journal.meta()["settings"]["pretrain"]["seed"] == seed
    execute(place_of("cut"))
    execute(place_of("whole"))
    assert contents(place_of("cut").folder) == contents(place_of("whole").folder)


def test_other_data_are_looked_at_until_there_is_a_trial(place_of, tmp_path, monkeypatch):
    for name, values in ("images", (90, 160)), ("masks", (0, 255)):
        (tmp_path / "mask" / name).mkdir(parents=True)
        for number in range(6):
            pixels = np.full((40, 40), values[0] + number % 4 * (name == "images"), np.uint8)
            pixels[:, 20:] = values[1] + number * (name == "images")
            Image.fromarray(pixels).save(tmp_path / "mask" / name / f"{number}.png")
    with monkeypatch.context() as patch:
        patch.setattr(NullLearner, "fit_part", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            execute(place_of(pretrain__seed=1106))
    masks = {"data__source": f"folder:{tmp_path / 'mask'}", "data__classes": 2}
    with pytest.raises(DataError, match=r"no class but 'class0' has a pixel.* store 1 for it"):
        execute(place_of(**masks))
    execute(place_of(**masks, data__map="255=1"))


def test_changed_data_and_another_encoder_are_refused(place_of):
    execute(place_of())
    for name in ("data", "encoder"):
        with Journal(place_of().folder, write=True) as journal:
            known = journal.meta()
            journal.set_meta({name: "something else"})
        with pytest.raises(JournalError, match=f"the {name} changed since it began"):
            execute(place_of())
        with Journal(place_of().folder, write=True) as journal:
            journal.set_meta({name: known[name]})
    execute(place_of())


HOLDER = """
import sys
from dataclasses import replace
from pathlib import Path
from auxnas.search.storage.lock import run_lock
with run_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_writer_is_refused_with_the_firsts_name(place_of):
    place = place_of()
    place.folder.mkdir()
    command = [sys.executable, "-c", HOLDER, str(place.folder)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(RunLockedError, match=f"in use by process {process.pid} on "):
            execute(place)
        assert f"process {process.pid} on" in holder(place.folder)
        process.kill()
    assert holder(place.folder) is None
    execute(place)


def test_the_lock_is_free_again_afterwards(tmp_path):
    for _ in range(2):
        with run_lock(tmp_path):
            assert str(os.getpid()) in (tmp_path / "lock").read_text()
    assert holder(tmp_path) is None


class Saying:
    """A display that remembers."""

    def __init__(self, silent):
        self.lines, self.task = [], silent.task

    def say(self, line):
        self.lines.append(line)


@pytest.mark.parametrize(("workers", "lag", "expected"), [(2, 0, 0), (3, 0, 1), (3, 1, 0)])
def test_workers_that_would_have_nothing_to_do_are_mentioned(place_of, workers, lag, expected):
    place = place_of(workers=workers, trials=1, search__lag=lag)
    display = Saying(place.display)
    execute(type(place)(place.settings, place.folder, place.cache, display))
    line = "workers: at most 2 of 3 have work, since genotypes are proposed 2 at a time and depend"
    assert sum(said.startswith(line) for said in display.lines) == expected


def test_the_encoder_is_kept_and_the_next_run_says_so(place_of, tmp_path):
    lines = []
    for name in ("a", "b"):
        place = place_of(name)
        display = Saying(place.display)
        execute(type(place)(place.settings, place.folder, tmp_path / "fresh", display))
        lines.append(" ".join(display.lines))
    assert "encoder: pre-trained, mIoU" in lines[0]
    assert "encoder: pre-trained earlier on these data, using" in lines[1]


def test_damaged_caches_are_made_again(place_of, tmp_path):
    fresh = tmp_path / "fresh"

    def go(name):
        place = place_of(name)
        display = Saying(place.display)
        execute(type(place)(place.settings, place.folder, fresh, display))
        return " ".join(display.lines), contents(place.folder)

    _, first = go("a")
    for path in [*fresh.glob("features/*/*layer3*.npy"), *fresh.glob("pixels/*/label.npy")]:
        path.write_bytes(path.read_bytes()[:-1])
    for path in fresh.glob("encoders/*"):
        path.write_bytes(path.read_bytes()[:100])
    said, second = go("b")
    for words in (
        "stored images were damaged: label.npy: read again",
        "encoder: a stored one cannot be used",
        "stored encoder outputs were damaged: encoder.layer3",
    ):
        assert words in said
    assert second == first


def test_given_encoder_weights_are_what_trials_start_from(place_of, tmp_path):
    execute(place_of())
    params = {name: value + 1 for name, value in place_of().model.encoder_params.items()}
    save_weights(tmp_path / "mine.safetensors", params, {})
    place = place_of("given", encoder_weights=str(tmp_path / "mine.safetensors"))
    trial = best_of(execute(place))[0]
    found = place.weights.program(trial).params
    for name in params:
        np.testing.assert_array_equal(found[name], params[name])


class Heard(Silent):
    """Remembers what was said."""

    def __init__(self):
        self.lines = []

    def say(self, line):
        self.lines.append(line)


def test_a_pretrained_file_brings_its_network_as_teacher(place_of, tmp_path):
    """To the same trials as in the run that pre-trained it."""
    first = place_of("first", stage1__distillation=0.3)
    execute(first)
    own = str(first.folder / "encoder.safetensors")
    given = replace(
        place_of("given", stage1__distillation=0.3, encoder_weights=own), display=Heard()
    )
    execute(given)
    line = f"encoder: from {own}: "
    assert any(each.startswith(line) for each in given.display.lines)
    assert params_digest(given.model.teacher.params) == params_digest(first.model.teacher.params)
    with Journal(given.folder) as one, Journal(first.folder) as other:
        assert one.trials() == other.trials()
    save_weights(tmp_path / "bare.safetensors", first.model.encoder_params, {})
    bare = replace(
        place_of("bare", encoder_weights=str(tmp_path / "bare.safetensors")), display=Heard()
    )
    assert bare.model.teacher is None
    assert bare.display.lines[0].endswith("so nothing is distilled without --teacher")


def test_an_encoder_that_is_not_there_is_not_announced(place_of):
    place = replace(place_of(encoder_weights="/nowhere.safetensors"), display=Heard())
    with pytest.raises((OSError, ValueError), match="nowhere"):
        _ = place.model.encoder
    assert place.display.lines == []


def test_fewer_trials_than_have_ended_are_refused(place_of):
    execute(place_of(trials=4))
    with pytest.raises(SettingsError, match=r"trials: 2, but 4 have ended in .* at least 4"):
        execute(place_of(trials=2))
    with Journal(place_of().folder) as journal:
        assert journal.meta()["settings"]["trials"] == 4
    assert len(execute(place_of(trials=4))) == 4


def test_another_encoder_is_refused_wherever_its_file_is(place_of, tmp_path):
    params = place_of().model.encoder_params
    for name, shift in (("a", 1), ("b", 1), ("c", 2)):
        shifted = {key: value + shift for key, value in params.items()}
        save_weights(tmp_path / f"{name}.safetensors", shifted, {})
    given = {name: str(tmp_path / f"{name}.safetensors") for name in "abc"}
    execute(place_of("given", encoder_weights=given["a"], trials=2))
    assert len(execute(place_of("given", encoder_weights=given["b"], trials=4))) == 4
    with pytest.raises(JournalError, match="the encoder changed since it began, expected the same"):
        execute(place_of("given", encoder_weights=given["c"], trials=6))
    with Journal(place_of("given").folder) as journal:
        assert len(journal.trials()) == 4


def test_weights_say_what_they_are(place_of):
    trials = execute(place_of(keep=1))
    (path,) = (place_of().folder / "weights").iterdir()
    _, metadata = load_weights(path)
    found = {name: json.loads(text) for name, text in metadata.items()}
    assert found["classes"] == list(place_of().data.training.dataset.classes)
    assert found["model"]["auxiliary"] == "none"
    assert found["palette"] == place_of().data.training.dataset.palette.tolist()
    assert found["normalisation"]["mean"] == [0.485, 0.456, 0.406]
    assert found["normalisation"]["deviation"] == [0.229, 0.224, 0.225]
    assert best_of(trials)[0].number == int(path.stem[-5:])


def test_voc_leaves_background_out_and_others_nothing(place_of):
    assert place_of().data.task.ignore == ()
    assert place_of("x", task__ignore=["road"]).settings.task.ignore == ("road",)
    settings = resolve({"data": {"source": "voc:somewhere"}})
    place = place_of("y")
    voc = type(place)(settings, Path("x"), place.cache, place.display)
    dataset = type("D", (), {"classes": ("background", "cat")})()
    object.__setattr__(voc.data, "training", StoredDataset(dataset, place.cache, place.display))
    assert voc.data.task.ignore == ("background",)


def test_figures_are_the_papers_without_auxiliary_heads(place_of):
    from auxnas.genotype import zoo

    place = place_of(
        "x",
        model__width=1.0,
        model__agg_size=64,
        model__sep_repeats=2,
    )
    genotype = zoo.load_published("arch0").genotype
    classes = len(place.data.training.dataset.classes)
    assert place.profiler.profile(genotype).parameters == 2_629_909 - (21 - classes) * (64 * 9 + 1)


def test_what_a_killed_writer_left_goes_when_the_run_goes_on(place_of, monkeypatch):
    folder = place_of().folder
    folder.mkdir(parents=True)
    with monkeypatch.context() as patch:
        patch.setattr(temporaries.os, "getpid", lambda: 4_194_305)  # beyond Linux's largest
        left = [folder / temporary_name(name) for name in ("settings.toml", "a.safetensors")]
        (folder / temporary_name("folder")).mkdir()
    names = (".gitignore", ".0123abcd.x", ".deadbeef.notes", ".settings.toml")
    others = [folder / name for name in (*names, temporary_name("mine"))]
    for path in (*left, *others):
        path.write_text("half")
    execute(place_of(trials=1))
    assert not any(path.exists() for path in left)
    assert all(path.exists() for path in others)
    assert [path for path in folder.glob(".auxnas-*") if path.is_dir()]


class Ended(Exception):
    """Ends a session."""


@pytest.mark.parametrize("failing", [False, True])
def test_the_time_of_a_trial_that_did_not_end_is_counted(place_of, monkeypatch, failing):
    def trial(self, *args):
        now[0] += 500
        if failing:
            monkeypatch.setattr(Journal, "_write", unwritable)
        raise Ended

    def unwritable(self, *rows, check=None):
        raise JournalError("journal", "cannot be written", "room")

    now = [0.0]
    monkeypatch.setattr(run_module, "monotonic", lambda: now[0])
    monkeypatch.setattr(RunClock, "session", property(lambda clock: now[0]))
    monkeypatch.setattr(TwoStages, "__call__", trial)
    with pytest.raises(Ended):
        execute(place_of())
    with Journal(place_of().folder) as journal:
        assert [session.seconds for session in journal.sessions()] == [0 if failing else 500]


def test_the_time_before_a_trial_is_counted_though_it_is_killed(tmp_path, driver_of):
    now = [0.0]

    def killed(job, progress):
        with Journal(tmp_path) as journal:
            found.extend(session.seconds for session in journal.sessions())
        raise Ended

    def slow(genotype):
        now[0] += 20
        return Figures(1, 1)

    found = []
    clock = RunClock(now=lambda: now[0], start=0.0)
    with Journal(tmp_path, write=True) as journal:
        driver = driver_of(journal, killed, measure=slow, clock=clock)
        with pytest.raises(Ended):
            driver.run(Until(1))
    assert found == [60]


WORDS = (
    *("--data", "synthetic:12", "--preset", "demo", "--learner", "null", "--size", "32x32"),
    *("--set", "model.width=0.1", "--set", "pretrain.channels=8", "--set", "model.agg_size=8"),
)


@pytest.fixture
def begun(place_of):
    """A run with three trials, and its own encoder."""
    execute(place_of(trials=3))
    return place_of().folder / "encoder.safetensors"


def test_an_encoder_of_an_older_version_is_kept(begun, place_of, monkeypatch):
    """It has another key and no seal: it was trained again, in its own place, and then refused."""
    params, _ = load_weights(begun)
    save_weights(begun, params, {"key": '"of an older version"'})

    def trained(*args):
        raise AssertionError("trained again")

    monkeypatch.setattr(pretrain, "_train", trained)
    monkeypatch.setattr(pretrain, "_taken", trained)
    execute(place_of(trials=4))
    kept, _ = load_weights(begun)
    assert params_digest(kept) == params_digest(params)


def test_another_encoder_in_its_place_is_put_aside(begun, place_of):
    params, metadata = load_weights(begun)
    other = {name: value + 1 for name, value in params.items()}
    save_weights(begun, other, metadata)
    theirs = begun.read_bytes()
    execute(place_of(trials=4))
    assert begun.with_stem(begun.stem + pretrain.OTHER).read_bytes() == theirs
    assert params_digest(load_weights(begun)[0]) == params_digest(params)


def another(path):
    """Puts another encoder in the place of a folder's own."""
    params, metadata = load_weights(path)
    save_weights(path, {name: value + 1 for name, value in params.items()}, metadata)
    return path.read_bytes()


@pytest.mark.parametrize("kind", ["run", "train", "ablate"])
def test_an_encoder_that_is_not_the_one_of_the_beginning_is_not_written(
    kind, run, place_of, tmp_path, monkeypatch
):
    """It was written, with the course of its training, before the folder was refused."""
    monkeypatch.setattr(ablate, "require_matplotlib", lambda: None)
    monkeypatch.setattr(ablate, "_written", lambda folder, found: found)
    monkeypatch.setattr(ablate, "_print", lambda found: None)
    tiny = (*WORDS, "--out", tmp_path / kind)
    words = {
        "run": ("run", *tiny, "--trials", 1),
        "train": ("train", *tiny, "--genotype", "arch0", "--epochs", 4),
        "ablate": ("ablate", *tiny, "--count", 1),
    }[kind]
    result = run(*words, "--cache", tmp_path / "one")
    assert result.exit_code == 0, result.output
    own = tmp_path / kind / "encoder.safetensors"
    theirs, course = another(own), own.with_name("pretraining.json").read_text()
    for path in (tmp_path / "one").glob("encoders/*"):
        path.unlink()
    before = {path.name for path in own.parent.iterdir()}
    with monkeypatch.context() as patch:
        inner = pretrain.initial_params
        patch.setattr(pretrain, "initial_params", lambda g, seed, start: inner(g, seed + 1, start))
        result = run(*words, "--cache", tmp_path / "one")
    assert result.exit_code == 2, result.output
    assert "the encoder changed" in result.stderr
    after = {path.name for path in own.parent.iterdir()}
    aside = f"encoder{pretrain.OTHER}.safetensors"
    assert (before ^ after) - {"progress.json"} == {own.name, aside}
    assert own.with_name(aside).read_bytes() == theirs
    assert own.with_name("pretraining.json").read_text() == course


def test_a_file_in_the_encoders_place_is_not_written_over(place_of):
    """Also where nothing was begun: it may be somebody's."""
    place = place_of()
    place.folder.mkdir()
    own, aside = (place.folder / f"encoder{name}.safetensors" for name in ("", pretrain.OTHER))
    own.write_bytes(b"of mine")
    _ = place.model.encoder
    assert aside.read_bytes() == b"of mine"
    assert own.is_file()
