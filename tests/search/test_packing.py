"""What is packed for another machine evaluates there as it does here, from stores made once."""

import pickle
import shutil
import warnings
from pathlib import Path

import pytest

from auxnas.backends.registry import backend
from auxnas.search.evaluation.evaluator import evaluator_of
from auxnas.search.examples import features
from auxnas.search.executors import fingerprint
from auxnas.search.executors.fingerprint import host_fingerprint, learner_fingerprint
from auxnas.search.executors.packing import lacking, pack_evaluator, pieces, unpack_evaluator
from auxnas.search.settings.stages import StageSettings
from auxnas.search.storage.cache import params_digest
from auxnas.search.trials.records import Job
from tests.search.contracts import GENOTYPE

JOB = Job(0, GENOTYPE, seed=3)


def result(evaluate):
    found = evaluate(JOB)
    return found.state, found.stages, params_digest(found.program.params)


class Numbers:
    """References that are numbers, as a cluster's object store gives them."""

    def __init__(self):
        self.values, self.got = [], 0

    def put(self, value):
        self.values.append(value.copy())
        return len(self.values) - 1

    def get(self, number):
        self.got += 1
        return self.values[number]


@pytest.fixture
def sent(place_of, tmp_path):
    """An evaluator, its pickle, its store's place, and the chunks of that; the store is gone."""
    place = place_of()
    place = type(place)(place.settings, place.folder, tmp_path / "here", place.display)
    evaluate, numbers = evaluator_of(place.model), Numbers()
    outcome = result(evaluate)
    data, (store,) = pack_evaluator(evaluate, pickle.Pickler)
    chunks = {
        str(store.folder): {n: [*map(numbers.put, parts)] for n, parts in pieces(store.folder)}
    }
    shutil.rmtree(tmp_path / "here")
    return outcome, data, (str(store.folder), store.rows), chunks, numbers


def test_a_machine_without_the_stores_is_given_them_once(sent, tmp_path, monkeypatch):
    outcome, data, place, chunks, numbers = sent
    computed, chunk = [], features.FeatureSource.chunk
    monkeypatch.setattr(
        features.FeatureSource,
        "chunk",
        lambda self, some: computed.append(some) or chunk(self, some),
    )
    there = tmp_path / "there"
    assert lacking([place], there) == [place[0]]
    for _ in range(2):
        evaluate = unpack_evaluator(data, there, chunks, numbers.get)
        assert result(evaluate) == outcome
    assert numbers.got == len(numbers.values)
    assert sum(map(len, computed)) == len(set().union(*computed)), "each image once"
    assert lacking([place], there) == []
    assert result(unpack_evaluator(data, there, {}, numbers.get)) == outcome
    assert not Path(place[0]).exists(), "nothing is written where the run has its stores"


def test_what_arrives_damaged_is_not_used(sent, tmp_path):
    _, data, _, chunks, numbers = sent
    numbers.values[0] = numbers.values[0] ^ 1
    with pytest.raises(OSError, match="copied, but damaged"):
        unpack_evaluator(data, tmp_path / "there", chunks, numbers.get)


def test_processes_of_this_machine_are_sent_places_alone(place_of):
    evaluate = evaluator_of(place_of().model)
    sizes = [len(pickle.dumps(each)) for each in (evaluate, evaluate.first.train.features)]
    assert sizes[1] < 1000 < sizes[0]
    assert result(pickle.loads(pickle.dumps(evaluate))) == result(evaluate)


def test_a_fingerprint_tells_arithmetic_apart_and_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("AUXNAS_CACHE", str(tmp_path))
    made = []

    class Learner:
        where, threads = "here", 1

        def fit(self, program, examples, recipe, seed):
            made.append(recipe.precision)
            batch = examples.batch([0], None)
            value = batch.inputs["image"].sum(dtype="float32" if made[1:] else "float64")
            return type(program)(program.graph, {"a": value[None]}, "")

    class Evaluating:
        learner = Learner()

    found = [host_fingerprint(Evaluating()) for _ in range(2)]
    assert found[0] == found[1]
    assert made == ["fp32"]
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "default")
    assert host_fingerprint(Evaluating()) != found[0]
    # A search in other precisions is told by its own arithmetic.
    del made[:]
    Evaluating.stage1 = StageSettings(epochs=1, batch_size=2, polyak=0, distillation=0)
    Evaluating.stage2 = Evaluating.stage1.model_copy(update={"precision": "bf16"})
    assert len(host_fingerprint(Evaluating())) == 2 * len(found[0])
    assert made == ["bf16", "fp32"]
    assert host_fingerprint(lambda job, progress: None) == "none"


def test_the_fingerprint_of_torch_is_that_of_its_training(monkeypatch):
    monkeypatch.setattr(fingerprint, "_EXAMPLES", 4)
    monkeypatch.setattr(fingerprint, "_EPOCHS", 1)
    found = []
    for side, precision in ((32, "fp32"), (32, "fp32"), (33, "fp32"), (32, "bf16"), (32, "bf16")):
        learner = backend("learner", "torch")(threads=1)
        with warnings.catch_warnings(action="error"):  # none of them falls back
            found.append(learner_fingerprint(learner, side, precision))
    assert found[0] == found[1]
    assert found[3] == found[4]
    assert len(set(found)) == 3
