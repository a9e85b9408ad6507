"""A small search with real training: repeatable, and it learns."""

import pickle
import warnings
from dataclasses import replace

import numpy as np
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    torch = pytest.importorskip("torch")

from auxnas.compiler import CompilerError
from auxnas.compiler.encoders import PREFIX
from auxnas.compiler.weights import save_weights
from auxnas.search.evaluation.evaluator import evaluator_of
from auxnas.search.loop.run import execute
from auxnas.search.storage.store import Store
from auxnas.search.trials.records import best_of
from tests.search.comparing import contents

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
    inputs = place.data.examples(place.data.search_split.val).batch([0], None).inputs
    logits = place.model.learner.infer(program, inputs)["main"]
    assert logits.shape[1] == 12
    assert logits.std() > 0
    moved = [
        not np.array_equal(program.params[name], value)
        for name, value in place.model.encoder_params.items()
        if name.startswith(PREFIX)
    ]
    assert any(moved) == (best.state == "complete")

    execute(place_of("second", **SMALL))
    assert contents(place.folder) == contents(place_of("second", **SMALL).folder)


def test_an_evaluator_can_be_sent_to_another_process(place_of):
    evaluator = evaluator_of(place_of("sent", **SMALL, threads=1).model)
    there = pickle.loads(pickle.dumps(evaluator))
    assert there.learner.device == evaluator.learner.device
    assert (there.spec, there.task) == (evaluator.spec, evaluator.task)
    ours, theirs = evaluator.first.train, there.first.train
    assert theirs.features == Store(ours.features.folder, ours.features.rows)
    assert replace(theirs, features=ours.features) == ours
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    pickle.loads(pickle.dumps(evaluator))
    assert torch.get_num_threads() == 1
    torch.set_num_threads(before)


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_encoder_weights_of_both_kinds(place_of, tmp_path, ending):
    params = {name: value + 1 for name, value in place_of().model.encoder_params.items()}
    path = tmp_path / f"encoder.{ending}"
    if ending == "pth":
        torch.save({name: torch.from_numpy(value) for name, value in params.items()}, path)
    else:
        save_weights(path, params, {})
    found = place_of(encoder_weights=str(path)).model.encoder_params
    assert found.keys() == params.keys()
    for name, value in params.items():
        np.testing.assert_array_equal(found[name], value)


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_encoder_weights_of_another_width_are_refused(place_of, tmp_path, ending):
    path = tmp_path / f"encoder.{ending}"
    params = place_of(model__width=0.5).model.encoder_params
    if ending == "pth":
        torch.save({name: torch.from_numpy(value) for name, value in params.items()}, path)
    else:
        save_weights(path, params, {})
    with pytest.raises(CompilerError, match=r"an encoder of width 0\.5, expected one of width"):
        _ = place_of(encoder_weights=str(path)).model.encoder
