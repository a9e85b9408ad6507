"""The comparison with other libraries' networks: its loop of training, and its verdicts."""

import re
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auxnas.compiler import MAIN, Program
from auxnas.compiler.architecture import Architecture
from auxnas.search.errors import SettingsError
from auxnas.search.networks.networks import read_network
from auxnas.search.training.context import TrainingContext
from auxnas.search.training.run import start_program, train_network
from bench.deploy import peer_training
from bench.deploy.peer_tables import (
    AHEAD,
    OURS,
    RARE,
    SHARE,
    Entry,
    draw,
    evened,
    files_of_trainings,
    table,
    undominated,
    verdicts,
)
from tests.search.training import ARCH0, LWRF, training

Trained = tuple[TrainingContext, Mapping[str, Any], Mapping[str, Any]]
RECIPE: dict[str, Any] = {
    "learner": "torch",
    "threads": 1,
    "encoder_weights": "none",
    "train__epochs": 2,
    "train__phases": [1],
    "train__auxiliary": [0.0],
    "train__frozen": 0,
    "train__schedule": "poly",
    "train__clip_norm": 0.1,
    "train__encoder_rate": 0.05,
    "train__decoder_decay": 0.1,
}


def trained_by_command(folder: Path, architecture: Architecture, **changes: Any) -> Trained:
    """A training's context, with the parameters and the result that the command comes to."""
    pytest.importorskip("torch")
    place = folder / "training"
    context = training(place, folder / "cache", architecture, **{**RECIPE, **changes})
    return context, train_network(context), read_network(place).program.params


@pytest.fixture(scope="module")
def averaged(tmp_path_factory) -> Trained:
    return trained_by_command(tmp_path_factory.mktemp("arch0"), ARCH0, train__polyak=0.9)


def trained_as_module(context: TrainingContext) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """Parameters and scores of the same network, trained as a mere module."""
    from torch import nn

    from auxnas.backends.torch import build_module
    from auxnas.backends.torch.module import module_params

    start, data = start_program(context), context.data
    graph = start.graph.select([MAIN])
    network = build_module(Program(graph, start.params))

    class Alone(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, image):
            return self.network(image)[MAIN]

    module, recipe = Alone(), peer_training.recipe_of(context, "network.encoder.")
    examples = data.examples(data.training_split.train, context.settings.data.scale)
    peer_training.fit(module, examples, recipe, context.seed)
    val = data.examples(data.training_split.val)
    scores = peer_training.measure(module, val, data.task, recipe.batch_size)
    return module_params(network, graph), scores


def check_same(trained: Trained) -> None:
    context, result, command = trained
    module, scores = trained_as_module(context)
    assert [n for n in module if not np.array_equal(module[n], command[n])] == []
    assert scores == {name: result[name] for name in scores}


def test_a_module_is_trained_to_the_same_bits_as_by_the_command(averaged):
    check_same(averaged)


def test_so_is_another_with_another_loss(tmp_path):
    check_same(trained_by_command(tmp_path, LWRF, loss__dice=1.0, train__schedule="cosine"))


@pytest.mark.parametrize("skipped", ["set_rates", "clear_gradients", "step_groups"])
def test_a_loop_that_leaves_anything_out_is_found(averaged, monkeypatch, skipped):
    monkeypatch.setattr(peer_training, skipped, lambda *arguments: None)
    with pytest.raises(AssertionError):
        check_same(averaged)


@pytest.mark.parametrize(
    "changes",
    [
        {"train__auxiliary": [0.1]},
        {"train__phases": [1, 1], "train__auxiliary": [0.0, 0.0]},
        {"train__frozen": 1},
        {"train__accumulate": 2},
        {"train__precision": "bf16"},
    ],
)
def test_a_recipe_that_a_mere_module_cannot_have_is_refused(tmp_path, changes):
    pytest.importorskip("torch")
    context = training(tmp_path, tmp_path, ARCH0, **{**RECIPE, **changes})
    with pytest.raises(SettingsError, match=r"^train.*expected"):
        peer_training.recipe_of(context, "encoder.")


# Verdicts ----------------------------------------------------------------------------------


def entry(name="arch0", ours=True, miou=(50.0,), milliseconds=4.0, start="imagenet") -> Entry:
    rare = dict.fromkeys(RARE, 1.0)
    return Entry(
        name, ours, start, "96x128", miou, rare, "SGD", 60.0, 10**6, 10**8, milliseconds, "ort"
    )


ENTRIES = st.lists(
    st.builds(
        lambda name, ours, miou, milliseconds: entry(name, ours, [miou], milliseconds),
        st.sampled_from(OURS),
        st.booleans(),
        st.integers(30, 60).map(float),
        st.none() | st.integers(1, 12).map(float),
    ),
    max_size=8,
)


@given(ENTRIES)
def test_verdicts_are_those_of_looking_at_every_pair(entries):
    timed = [each for each in entries if each.milliseconds]
    peers, ours = ([each for each in timed if each.ours == who] for who in (False, True))
    found = list(verdicts(entries))
    assert [each.peer for each in found] == peers
    for verdict in found:
        peer = verdict.peer
        pairs = [(us.mean - peer.mean, us.milliseconds / peer.milliseconds) for us in ours]
        assert verdict.is_ahead == any(gain >= AHEAD and time <= 1 for gain, time in pairs)
        assert verdict.is_faster == any(gain >= 0 and time <= SHARE for gain, time in pairs)


def test_another_start_or_size_is_no_match():
    peer = entry("yolo", False, start="scratch")
    (verdict,) = verdicts([peer, entry(miou=[90.0], milliseconds=0.1)])
    assert (verdict.ahead, verdict.share, verdict.is_ahead, verdict.is_faster) == (
        *(None, None),
        *(False, False),
    )


def test_misses_are_printed_as_misses():
    peer = entry("fpn", False, miou=[51.0])
    for (miou, ahead), (time, faster) in product(
        [(52.9, "+1.9 (arch0) | **missed**"), (53.0, "+2.0 (arch0) | met")],
        [(2.8, "0.70 (arch0) | **missed**"), (2.6, "0.65 (arch0) | met")],
    ):
        text = table([peer, entry(miou=[miou], milliseconds=time)])
        assert f"| fpn | {ahead} | {faster} |" in text
    text = table([peer, entry(miou=[49.0], milliseconds=5.0)])
    assert "| none so fast | **missed** | none so good | **missed** |" in text
    assert "Met at 0 and 0 of 1 peers." in text


def test_tables_have_the_best_first_and_as_many_cells_as_titles():
    text = table([entry(), entry("fpn", False, [60.0, 62.0], None)])
    rows = [line for line in text.splitlines() if line.startswith("|")][:4]
    assert len({line.count("|") for line in rows}) == 1
    assert re.match(r"\| fpn \| 61.0 ± 1.0 \|", rows[2])
    assert rows[3].startswith("| **arch0** | 50.0 (one seed) |")


def test_the_picture_has_a_panel_for_each_size_and_start(tmp_path):
    pytest.importorskip("matplotlib")
    from PIL import Image

    entries = [entry(), entry("fpn", False), entry("yolo", False, milliseconds=None)]
    widths = []
    for more in ([], [entry("lraspp", False, start="scratch")]):
        draw([*entries, *more], tmp_path / "front.png")
        with Image.open(tmp_path / "front.png") as picture:
            widths.append(picture.width)
    assert widths[1] == 2 * widths[0]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9))))
def test_a_front_is_what_nothing_beats_on_both(points):
    kept = [points[n] for n in undominated(points)]
    assert kept == sorted(set(kept))
    assert [score for _, score in kept] == sorted({score for _, score in kept})
    for time, score in points:
        assert any(t <= time and s >= score for t, s in kept)


def test_files_are_of_one_network_each(tmp_path):
    for name, seed in product(OURS, range(2)):
        (tmp_path / f"{name}-imagenet-{seed}.onnx").touch()
    found = [files_of_trainings(tmp_path, name, "imagenet", ".onnx") for name in OURS]
    assert all(len(each) == 2 for each in found)
    assert len({path for each in found for path in each}) == 2 * len(OURS)


@given(
    st.lists(st.floats(0.5, 2), min_size=3, max_size=3),
    st.lists(st.floats(0.25, 4), min_size=1, max_size=9),
)
def test_a_machines_pace_is_taken_out_of_rounds(times, paces):
    found = evened({str(n): [spent * p for p in paces] for n, spent in enumerate(times)})
    for each, spent in zip(found.values(), times, strict=True):
        assert max(each) == pytest.approx(min(each))
        assert each[0] / found["0"][0] == pytest.approx(spent / times[0])
