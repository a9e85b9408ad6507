"""Phases of a long training with data of their own: what each is trained on, kills, messages."""

from __future__ import annotations

import json
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
from PIL import Image

import auxnas.search.storage.checkpoint
from auxnas.backends.registry import TABLE
from auxnas.search.data import DataError
from auxnas.search.errors import SettingsError
from auxnas.search.settings.recorded import check_trusted
from auxnas.search.settings.resolving import nest, resolve
from auxnas.search.settings.training import TrainingSettings, TrainSettings
from auxnas.search.storage.checkpoint import LOG, Checkpoint
from auxnas.search.training.run import RESULT, train_network
from auxnas.search.training.training import phases
from tests.search.test_training import Killed, outcome
from tests.search.training import LWRF, Storyteller, training

THREE = {
    "train__data": ["synthetic:24", "synthetic:16"],
    "data__source": "synthetic:12",
    "train__epochs": 6,
    "train__phases": [1, 2, 3],
    "train__auxiliary": [0.3, 0.2, 0.1],
}
"""Rendered scenes that validate on others: 24, then 16, then 12 of the same series."""


class Witness(Storyteller):
    """A storyteller that an epoch's images belong to the story of."""

    def fit_part(self, program, examples, recipe, seed, part, state=None, progress=lambda s: None):
        first = examples.batch([0], None).inputs["image"].tobytes()
        seed = crc32(first, seed + len(examples))
        return super().fit_part(program, examples, recipe, seed, part, state, progress)


@pytest.fixture
def _witness(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TABLE, ("learner", "null"), (f"{__name__}:Witness", "numpy", "torch"))


class Said:
    """A display that keeps what is said, and what progress shows."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.shown: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)

    def task(self, title, total, done=0):
        return self

    def __enter__(self):
        return lambda done, text="": self.shown.append(text)

    def __exit__(self, *words) -> None:
        pass


def said(context):
    object.__setattr__(context, "display", Said())
    return context


def log(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / LOG).read_text().splitlines()]


# The paper's --------------------------------------------------------------------------------


def test_the_papers_phases_have_data_of_their_own(tmp_path, cache):
    """Section 4.4: three stages, the last in two halves, of which the second is frozen."""
    found = resolve(
        nest({"train.data": ["synthetic:3", "synthetic:4"], "data.source": "synthetic:5"}),
        kind=TrainingSettings,
    )
    assert [len(phase.epochs) for phase in phases(found.train)] == [30, 50, 50, 50]
    assert [phase.factor for phase in phases(found.train)] == [1, 0.5, 0.25, 0.125]
    assert [phase.auxiliary for phase in phases(found.train)] == [0.3, 0.25, 0.2, 0.15]
    assert [phase.frozen for phase in phases(found.train)] == [False, False, False, True]
    own = TrainSettings(rates=(1, 0.3, 0.1, 0.1), schedule="poly")
    assert [phase.factor for phase in phases(own)] == [1, 0.3, 0.1, 0.1]


def test_each_phase_is_trained_on_its_own_images(tmp_path, cache):
    context = said(training(tmp_path / "t", cache, **THREE))
    result = train_network(context)
    assert result["phases"] == [
        {"data": "synthetic:24", "images": 24, "epochs": 1},
        {"data": "synthetic:16", "images": 16, "epochs": 2},
        {"data": "synthetic:12", "images": 12, "epochs": 3},
    ]
    assert result["images"] == {"train": 12, "val": 2}
    lines = context.display.lines
    assert any("24 and 16 and 12 images at 32x32, 6 epochs" in line for line in lines)
    assert (
        "phase 2/3: epochs 2 to 3 on 16 images, learning rates times 0.5, auxiliary losses times "
        "0.2" in lines
    )
    (last,) = [line for line in lines if line.startswith("phase 3/3")]
    assert last.endswith("frozen statistics of batch norm")
    assert [text.partition(",")[0] for text in context.display.shown if "/6" in text] == [
        *["phase 1/3"] * 1,
        *["phase 2/3"] * 2,
        *["phase 3/3"] * 3,
    ]
    assert [(e["epoch"], e["phase"]) for e in log(tmp_path / "t")] == [
        (1, 1),
        (2, 2),
        (3, 2),
        (4, 3),
        (5, 3),
        (6, 3),
    ]


@pytest.mark.usefixtures("_witness")
def test_killed_in_any_phase_it_comes_to_the_same(tmp_path, cache, monkeypatch):
    """In the epoch that a phase begins with, and between that and its checkpoint."""
    brief = {**THREE, "train__epochs": 3}
    train_network(training(tmp_path / "alone", cache, LWRF, **brief))
    alone = outcome(tmp_path / "alone")
    for place, name in ((Witness, "fit_part"), (auxnas.search.storage.checkpoint, "save_kept")):
        for phase in range(3):
            folder = tmp_path / f"{name}{phase}"
            with monkeypatch.context() as patch:
                kill_at(patch, place, name, phase)
                with pytest.raises(Killed):
                    train_network(training(folder, cache, LWRF, **brief))
            assert Checkpoint.load(folder, Said()).epoch == phase
            train_network(training(folder, cache, LWRF, **brief))
            assert outcome(folder) == alone


def kill_at(patch: pytest.MonkeyPatch, place: object, name: str, call: int) -> None:
    """Kills in a call, counted from 0."""
    inner, left = getattr(place, name), iter(range(call))

    def killing(*args, **more):
        if next(left, None) is None:
            raise Killed
        return inner(*args, **more)

    patch.setattr(place, name, killing)


@pytest.mark.usefixtures("_witness")
def test_other_images_in_an_early_phase_are_another_network(tmp_path, cache):
    weights = set()
    for number, earlier in enumerate((["synthetic:24"], ["synthetic:20"], [])):
        changes = {**THREE, "train__data": earlier}
        train_network(training(tmp_path / str(number), cache, LWRF, **changes))
        weights.add(tuple(outcome(tmp_path / str(number))[2].items()))
    assert len(weights) == 3


def test_a_training_without_is_as_it_was(tmp_path, cache):
    train_network(training(tmp_path / "t", cache, train__epochs=4))
    begun = json.loads((tmp_path / "t/training.json").read_text())
    assert "data of earlier phases" not in begun
    assert "phases" not in json.loads((tmp_path / "t" / RESULT).read_text())
    for old in ("data", "rates"):
        del begun["settings"]["train"][old]
    (tmp_path / "t/training.json").write_text(json.dumps(begun))
    (tmp_path / "t" / RESULT).unlink()
    train_network(training(tmp_path / "t", cache, train__epochs=4))


# What is wrong --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"train.data": ["synthetic:3"] * 4}, "train.data: .*expected at most 3, as the last of"),
        ({"train.data": ["nothing"]}, "train.data.0: 'nothing', expected synthetic"),
        ({"train.rates": [1, 2]}, r"train.rates: .*expected 4 numbers, one for each of train"),
        ({"train.rates": [1, 2, 3, -1]}, r"train.rates.3: -1, expected at least 0"),
    ],
)
def test_wrong_settings_of_phases_are_named(changes, words):
    with pytest.raises(SettingsError, match=words):
        resolve(nest(changes), kind=TrainingSettings)


def test_other_data_of_a_phase_are_another_training(tmp_path, cache):
    train_network(training(tmp_path / "t", cache, **THREE))
    for other in (["synthetic:24"], ["synthetic:24", "synthetic:17"]):
        with pytest.raises(
            SettingsError, match="begun as something else: the data of earlier phases changed"
        ):
            train_network(training(tmp_path / "t", cache, **{**THREE, "train__data": other}))


def pairs(folder: Path, numbers: range, names: str = "one\ntwo") -> str:
    folder.mkdir()
    rows = []
    for number in numbers:
        Image.new("RGB", (32, 32), (number, 9, 9)).save(folder / f"{number}.png")
        label = np.zeros((32, 32), np.uint8)
        label[number:] = 1
        Image.fromarray(label).save(folder / f"l{number}.png")
        rows.append(f"{number}.png\tl{number}.png\n")
    (folder / "train.lst").write_text("".join(rows))
    (folder / "classes.txt").write_text(names)
    return f"list:{folder}"


def test_what_is_wrong_with_a_phases_data_is_found_before_a_folder_is_made(tmp_path, cache):
    last = pairs(tmp_path / "last", range(12))
    missing = pairs(tmp_path / "missing", range(3))
    (tmp_path / "missing/l1.png").unlink()
    for earlier, words in (
        (missing, r"l1.png \(train.lst line 2\): No such file"),
        (pairs(tmp_path / "other", range(3), "one\nthree"), "class 'three' of list:.* alone"),
        (pairs(tmp_path / "few", range(20, 21)), "images to train on: 1 images, expected at least"),
        (f"list:{tmp_path}/nowhere", "no such file or folder"),
    ):
        own = {"data__source": last, "train__data": [earlier], "train__epochs": 4}
        with pytest.raises(DataError, match=words):
            train_network(training(tmp_path / "t", cache, **own))
        assert not (tmp_path / "t").exists()


def test_images_to_validate_on_are_in_no_phase(tmp_path, cache):
    """Without a validation part these are meta-val, which an earlier list may hold too."""
    last = pairs(tmp_path / "last", range(10))
    other = pairs(tmp_path / "other", range(20, 24), "two\none")
    earlier = [f"{other} + {last}", last]
    own = {"data__source": last, "train__data": earlier, "train__epochs": 4}
    context = said(training(tmp_path / "t", cache, **own))
    result = train_network(context)
    assert [each["images"] for each in result["phases"]] == [13, 9, 9, 9]
    assert f"{last}: 1 of 10 images are left out, which are validated on" in context.display.lines
    held = context.data.training_split.val.statistics.content
    for part in context.earlier:
        assert not {row.tobytes() for row in part.statistics.content} & {held[0].tobytes()}
    labels = [part.stored.pixels.read("label", [0])[0] for part in context.earlier]
    assert (labels[0][:20] == 1).all()
    assert (labels[0][20:] == 0).all()


def test_code_that_only_a_file_names_is_not_run():
    values = {"train": {"data": ["synthetic", "voc:a + python:somebodys:Reader:x"]}}
    with pytest.raises(
        SettingsError, match=r"train.data: somebodys:Reader, code that a file alone"
    ):
        check_trusted(values)


# By command -----------------------------------------------------------------------------------


def test_data_that_are_given_several_times_are_of_the_phases(run, tmp_path):
    words = ["train", "--preset", "demo", "--genotype", "arch0", "--size", "32x32", "--epochs", "4"]
    words += ["--learner", "null", "--set", "model.width=0.1", "--set", "model.agg_size=8"]
    given = [word for n in (9, 6, 4) for word in ("--data", f"synthetic:{n}")]
    found = run(*words, *given, "--out", tmp_path / "t", "--json")
    assert found.exit_code == 0, found.output
    rows = json.loads(found.stdout)["phases"]
    assert [(row["images"], row["epochs"]) for row in rows] == [(9, 1), (6, 1), (4, 1), (4, 1)]
    assert "phase 2/4: epoch 2 on 6 images, learning rates times 0.5" in found.stderr
    begun = json.loads((tmp_path / "t/training.json").read_text())["settings"]
    assert (begun["data"]["source"], len(begun["train"]["data"])) == ("synthetic:4", 2)
    found = run(*words, *given, *given[:4], "--out", tmp_path / "u")
    assert found.exit_code == 2
    assert "--data: given 5 times, expected one for each of train.phases at most" in found.stderr
    found = run(*words, "--data", "nothing", *given, "--out", tmp_path / "u")
    assert "--data 1 of 4: 'nothing', expected synthetic" in found.stderr
