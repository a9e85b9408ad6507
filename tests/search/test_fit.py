"""Images that are filled up to one size: what is trained on is what they are without."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from auxnas.compiler.encoders import IMAGENET, Normalisation
from auxnas.compiler.tasks import IGNORE, Segmentation
from auxnas.compiler.tasks.depth import METRES
from auxnas.compiler.weights import load_weights, save_weights
from auxnas.search.data import Augment, BaseDataset, ResizedDataset, check, open_dataset
from auxnas.search.data.views import without_padding
from auxnas.search.settings.resolving import resolve
from auxnas.search.settings.training import TrainingSettings, preset_layers

Array = np.ndarray[Any, Any]
SIZE = (40, 48)
COLOUR = IMAGENET.colour


@dataclass(frozen=True)
class One(BaseDataset):
    """One image of noise of any size, whose label is of noise too."""

    shape: tuple[int, int]
    name: str = "one"
    classes: tuple[str, ...] = ("a", "b", "c")

    def __len__(self) -> int:
        return 1

    @property
    def palette(self) -> Array:
        return np.zeros((3, 3), np.uint8)

    def fingerprint(self) -> str:
        return repr(self.shape)

    def image(self, index: int) -> Array:
        return np.random.default_rng(self.shape).integers(0, 256, (*self.shape, 3), np.uint8)

    def label(self, index: int) -> Array:
        return np.random.default_rng(self.shape).choice(np.array([0, 1, 2, 255]), self.shape)


def label_of(shape: tuple[int, int]) -> Array:
    return One(shape).label(0).astype(np.uint8)


@given(st.integers(1, SIZE[0]), st.integers(1, SIZE[1]), st.integers(0, 99))
def test_training_sees_the_image_alone(height: int, width: int, seed: int) -> None:
    """The law: filled up and cut out again, it is augmented as it is by itself."""
    image, label = One((height, width)).image(0), label_of((height, width))
    full = ResizedDataset(One((height, width)), SIZE, COLOUR)
    held = Segmentation.target.filled(label, SIZE)
    assert (full.image(0).shape, held.shape) == ((*SIZE, 3), SIZE)
    inner = without_padding(full.image(0), held, COLOUR, Segmentation.target)
    assert np.array_equal(inner[0], image)
    augment = Augment((20, 24))
    found = augment(*inner, np.random.default_rng(seed))
    alone = augment(image, label, np.random.default_rng(seed))
    assert all(np.array_equal(one, other) for one, other in zip(found, alone, strict=True))


@pytest.mark.parametrize(
    ("shape", "inner"),
    [((80, 48), (40, 24)), ((40, 480), (4, 48)), ((20, 96), (10, 48)), ((3, 4), (3, 4))],
)
def test_larger_images_keep_their_proportions(
    shape: tuple[int, int], inner: tuple[int, int]
) -> None:
    data = ResizedDataset(One(shape), SIZE, COLOUR)
    image, label = data.image(0), data.label(0)
    assert image.shape == (*SIZE, 3)
    assert label.shape == SIZE
    outside = np.ones(SIZE, bool)
    outside[: inner[0], : inner[1]] = False
    assert (image[outside] == COLOUR).all()
    assert (label[outside] == IGNORE).all()
    assert not (image[~outside] == COLOUR).all(axis=1).any()


def test_the_fill_is_part_of_what_names_the_pixels() -> None:
    names = {
        ResizedDataset(One((9, 9)), SIZE, colour).fingerprint()
        for colour in (None, COLOUR, (0, 0, 0))
    }
    assert len(names) == 3
    assert COLOUR == (124, 116, 104)
    assert Normalisation((0, 2, -1), (1, 1, 1)).colour == (0, 255, 0)


def test_measurements_are_missing_where_it_is_filled_up() -> None:
    depth = np.ones((3, 4), np.float32)
    held = METRES.filled(depth, (5, 6))
    assert held.dtype == np.float32
    assert held.sum() == 12
    image = np.full((5, 6, 3), COLOUR, np.uint8)
    assert without_padding(image, held, COLOUR, METRES)[1].shape == (3, 4)
    nothing = np.zeros((5, 6), np.float32)
    assert without_padding(image, nothing, COLOUR, METRES)[1].shape == (5, 6)


def test_the_papers_preset_cuts_450_out_of_images_as_they_are() -> None:
    found = resolve(*preset_layers("paper"), kind=TrainingSettings)
    assert (found.data.size, found.data.crop, found.data.fit) == ((640, 640), (450, 450), "pad")
    assert (found.data.scale, found.data.mirror) == ((0.5, 2.0), 0.5)
    train = found.train
    assert (train.epochs, train.batch_size, train.schedule, train.frozen) == (180, 64, "halving", 1)
    assert (train.encoder_rate, train.decoder_rate) == (1e-3, 3e-3)
    assert (train.beta2, train.epsilon, train.polyak) == (0.99, 1e-3, 0)
    assert (found.model.agg_size, found.model.sep_repeats, found.model.auxiliary) == (64, 2, "cell")
    assert found.task.ignore == ()


def write(folder: Path) -> str:
    """Six pairs of two shapes."""
    rows = []
    for number in range(6):
        height, width = (24, 40) if number % 2 else (30, 20)
        label = np.zeros((height, width), np.uint8)
        label[number + 2 :] = 1
        Image.new("RGB", (width, height), (9 * number, 0, 0)).save(folder / f"{number}.png")
        Image.fromarray(label).save(folder / f"l{number}.png")
        rows.append(f"{number}.png\tl{number}.png\n")
    (folder / "train.lst").write_text("".join(rows))
    (folder / "val.lst").write_text("".join(rows[:2]))
    (folder / "classes.txt").write_text("one\ntwo\n")
    return f"list:{folder}"


def test_networks_are_trained_and_scored_on_them(run, tmp_path) -> None:
    spec, out = write(tmp_path), tmp_path / "t"
    words = ["--preset", "demo", "--size", "32x32", "--data", spec, "--learner", "null"]
    words += ["--set", "model.width=0.1", "--set", "model.agg_size=8", "--set", "data.fit=pad"]
    found = run("train", "--genotype", "arch0", *words, "--epochs", 4, "--out", out)
    assert found.exit_code == 0, found.output
    for more in ([], ["--data", spec]):
        found = run("eval", out, *more, "--learner", "null", "--json")
        assert found.exit_code == 0, found.output
        assert "changed since" not in found.stderr
    params, texts = load_weights(out / "model.safetensors")
    known = {name: json.loads(text) for name, text in texts.items()}
    assert known["fit"] == "pad"
    found = run("eval", out, "--learner", "null", "--stored-size")
    assert found.exit_code == 2
    assert "filled up to one size, labels with them, expected --network-size" in found.stderr
    save_weights(out / "model.safetensors", params, {**known, "fit": "crop"})
    found = run("eval", out, "--learner", "null")
    assert found.exit_code == 2
    assert "model.safetensors: fit: 'crop', expected stretch or pad" in found.stderr


def test_files_are_checked_as_they_are_stored(tmp_path) -> None:
    data = open_dataset(write(tmp_path), size=(32, 32), padding=COLOUR)
    assert check(data).unlabelled == 0
    assert (data.label(1)[19:] == IGNORE).all()
    assert (data.image(1)[:, :, 0] == 124).sum() == (32 - 19) * 32
