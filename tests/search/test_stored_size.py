"""Networks that are scored at the size of the labels as they are stored."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from auxnas.backends.images import normalise, read_photograph, resize_rgb
from auxnas.backends.torch.runner import TorchRunner
from auxnas.compiler import ModelSpec
from auxnas.compiler.weights import random_params
from auxnas.genotype.zoo import load_published
from auxnas.search.networks.networks import Network, read_network, save_network

SIZES = ((40, 52), (36, 48), (52, 40))
SIZE = (32, 32)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Images of three sizes with depth in millimetres and with classes."""
    rng = np.random.default_rng(0)
    lines = {"d": [], "c": []}
    for number, size in enumerate(SIZES):
        image = rng.integers(0, 256, (*size, 3), np.uint8)
        Image.fromarray(image).save(tmp_path / f"{number}.png")
        depth = rng.integers(0, 9000, size).astype(np.uint16) * (rng.random(size) < 0.8)
        Image.fromarray(depth.astype(np.uint16)).save(tmp_path / f"{number}_d.png")
        classes = rng.choice(np.array([0, 1, 2, 255], np.uint8), size)
        Image.fromarray(classes).save(tmp_path / f"{number}_c.png")
        for kind, rows in lines.items():
            rows.append(f"{number}.png\t{number}_{kind}.png")
    for kind, rows in lines.items():
        (tmp_path / f"{kind}.lst").write_text("\n".join(rows))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def network(path, task, classes):
    spec = ModelSpec(classes=classes, task=task, width=0.1, agg_size=8, sep_repeats=1)
    whole = Network(spec, load_published("arch0").genotype)
    names = tuple(f"class{n}" for n in range(classes)) if task == "segmentation" else ()
    colours = [[0, 0, 0]] * len(names)
    params = random_params(whole.shipped().graph(), 0)
    save_network(path, whole, params, names, colours, SIZE)
    return read_network(path)


def outputs(trained, folder):
    """Of each image what the network makes of it at its own size, (channels, h, w)."""
    run = TorchRunner(trained.program, torch.device("cpu"))
    normal = trained.network.spec.find_encoder().normalisation
    for number, size in enumerate(SIZES):
        image = read_photograph(folder / f"{number}.png", "an image")
        feed = normalise(resize_rgb(image, SIZE)[None], normal)
        (found,) = run({trained.program.graph.inputs[0].name: feed}).values()
        whole = torch.nn.functional.interpolate(
            torch.from_numpy(found), size=size, mode="bilinear", align_corners=False
        )
        yield whole[0].numpy()


def evaluate(run, *words):
    result = run("eval", *words, "--threads", "1", "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_depth_is_scored_at_its_own_size(run, folder):
    trained = network(folder / "m.safetensors", "depth", 1)
    expected, pixels = [], 0
    for number, output in enumerate(outputs(trained, folder)):
        truth = np.asarray(Image.open(folder / f"{number}_d.png")) / 1000
        valid = (truth > 1e-3) & (truth < 10)
        error = np.clip(output[0], 1e-3, 10)[valid].astype(np.float64) - truth[valid]
        expected.append(np.sqrt(np.mean(error**2)))
        pixels += int(valid.sum())
    found = evaluate(run, "m.safetensors", "--data", "depth:d.lst", "--part", "train")
    assert found["rmse"] == pytest.approx(np.mean(expected), rel=1e-5)
    assert (found["valid_pixels"], found["scored_at"]) == (pixels, "the labels' own size")
    small = evaluate(run, "m.safetensors", "--data", "depth:d.lst", "--network-size")
    assert small["valid_pixels"] < pixels
    assert small["rmse"] != pytest.approx(found["rmse"], rel=1e-3)
    assert small["scored_at"] == "32x32"


def test_so_are_classes_where_it_is_asked_for(run, folder):
    trained = network(folder / "m.safetensors", "segmentation", 3)
    counts = np.zeros((3, 3), np.int64)
    for number, output in enumerate(outputs(trained, folder)):
        truth = np.asarray(Image.open(folder / f"{number}_c.png"))
        known = truth < 255
        np.add.at(counts, (truth[known], output.argmax(0)[known]), 1)
    data = ("m.safetensors", "--data", "list:c.lst")
    assert evaluate(run, *data, "--stored-size")["confusion"] == counts.tolist()
    usual = evaluate(run, *data)
    assert usual == {**evaluate(run, *data, "--network-size")}
    assert np.sum(usual["confusion"]) <= 3 * 32 * 32


def test_null_learner_pretends_at_any_size(run, folder):
    network(folder / "m.safetensors", "depth", 1)
    found = evaluate(run, "m.safetensors", "--data", "depth:d.lst", "--learner", "null")
    assert found["valid_pixels"] > 32 * 32
