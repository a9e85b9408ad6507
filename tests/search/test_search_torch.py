"""A small search with real training: repeatable, and it learns."""

import warnings

import numpy as np
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("torch")

from search.journal import contents
from search.pretrain import PREFIX
from search.run import execute
from search.trials import best_of

SMALL = {
    "learner": "torch",
    "trials": 2,
    "data__source": "synthetic:24",
    "data__scale": [1.0, 1.0],
    "model__agg_size": 8,
    "search__batch": 1,
    "pretrain__epochs": 2,
    "pretrain__batch_size": 8,
    "stage1__epochs": 2,
}


def test_trains_scores_and_repeats(place_of):
    place = place_of("first", **SMALL)
    trials = execute(place)
    assert {trial.state for trial in trials} <= {"complete", "stopped"}
    assert all(trial.reward is not None and 0 <= trial.reward < 1 for trial in trials)
    best = best_of(trials)[0]
    program = place.weights.program(best)
    inputs = place.val_images().batch([0], None).inputs
    logits = place.learner.infer(program, inputs)["main"]
    assert logits.shape[1] == 12
    assert logits.std() > 0
    moved = [
        not np.array_equal(program.params[name], value)
        for name, value in place.encoder_params.items()
        if name.startswith(PREFIX)
    ]
    assert any(moved) == (best.state == "complete")

    execute(place_of("second", **SMALL))
    assert contents(place.folder) == contents(place_of("second", **SMALL).folder)
