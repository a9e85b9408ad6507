"""Two stages: what is trained on what, when the second one follows, how failures end."""

import weakref
from dataclasses import replace

import numpy as np
import pytest

from auxnas.backends.base import TrialFailure
from auxnas.backends.null.learner import NullLearner
from auxnas.compiler.tasks import Score, Segmentation
from auxnas.genotype import SearchSpace, zoo
from auxnas.search.evaluation.evaluator import evaluator_of as run_evaluator
from auxnas.search.evaluation.two_stages import (
    continues_to_stage2,
    proceed_probability,
    stage_recipe,
)
from auxnas.search.trials.records import COMPLETE, FAILED, STOPPED, Job

GENOTYPE = zoo.load_published("arch0").genotype


class Recorder(NullLearner):
    """Notes every training and scoring; multiplies what is trained by 2; may fail."""

    def __init__(self, fail_at=0):
        self.fits, self.scored, self.fail_at = [], [], fail_at

    def fit(self, program, examples, recipe, seed, progress=None):
        self.fits.append((program, examples, recipe, seed))
        if len(self.fits) == self.fail_at:
            raise TrialFailure("nan", "loss nan at step 3 of 9")
        return replace(program, params={n: 2 * v for n, v in program.params.items()})

    def measure(self, program, examples, task, batch_size):
        self.scored.append((program, examples))
        return super().measure(program, examples, task, batch_size)


@pytest.fixture
def evaluator_of(place_of):
    def make(learner):
        return replace(run_evaluator(place_of().model), learner=learner)

    return make


def job(**changes):
    return Job(**{"number": 3, "genotype": GENOTYPE, "seed": 5, **changes})


def test_stage_one_trains_the_decoder_on_stored_outputs(evaluator_of):
    learner = Recorder()
    evaluator = evaluator_of(learner)
    evaluator(job())
    program, examples, how, _ = learner.fits[0]
    assert examples is evaluator.first.train
    assert not any(node.param and node.param.startswith("encoder.") for node in program.graph.nodes)
    assert {node.name for node in program.graph.inputs} == set(examples.outputs)
    assert program.name == GENOTYPE.key()
    assert [name for name, _ in program.graph.outputs] == ["main", "aux0", "aux1", "aux2"]
    assert (how.epochs, how.polyak, how.distillation) == (5, 0.9, 0.3)
    for name, value in evaluator.encoder.items():
        np.testing.assert_array_equal(program.params[name], value)


def test_stage_two_trains_everything_from_where_stage_one_ended(evaluator_of):
    learner = Recorder()
    evaluator = evaluator_of(learner)
    outcome = evaluator(job())
    first, second = learner.fits
    assert second[1] is evaluator.second.train
    assert [node.name for node in second[0].graph.inputs] == ["image"]
    for name, value in second[0].params.items():
        np.testing.assert_array_equal(value, 2 * first[0].params[name])
    assert (second[2].epochs, second[2].polyak, second[2].distillation) == (1, 0.99, 0.0)
    assert first[3] != second[3]
    assert outcome.state == COMPLETE
    assert len(outcome.stages) == 2
    assert outcome.program.graph.outputs[0][0] == "main"


def test_validates_the_main_output_on_meta_val(evaluator_of):
    learner = Recorder()
    evaluator = evaluator_of(learner)
    evaluator(job())
    assert [examples for _, examples in learner.scored] == [
        evaluator.first.val,
        evaluator.second.val,
    ]
    for program, _ in learner.scored:
        assert [name for name, _ in program.graph.outputs] == ["main"]


def test_stops_below_the_baseline(evaluator_of):
    learner = Recorder()
    outcome = evaluator_of(learner)(job(baseline=2.0, proceed=0.0))
    assert (outcome.state, len(outcome.stages), len(learner.fits)) == (STOPPED, 1, 1)
    assert [node.name for node in outcome.program.graph.inputs] == ["image"]


class InParts(NullLearner):
    """Notes the epochs of every training; a part multiplies what is trained by 2."""

    def __init__(self):
        self.parts = []

    def fit(self, program, examples, recipe, seed, progress=None):
        self.parts.append(range(recipe.epochs))
        return program

    def fit_part(self, program, examples, recipe, seed, part, state=None, progress=None):
        assert (state is None) == (part.start == 0)
        self.parts.append(part)
        weights = program.params if state is None else state
        weights = {name: 2 * value for name, value in weights.items()}
        return replace(program, params=weights), weights


@pytest.mark.parametrize("epochs", [1, 2, 5])
@pytest.mark.parametrize(
    ("give_up", "of_reward", "proceed", "parts", "stages"),
    [
        (0.8, 1.26, 0.0, 1, 1),  # baseline 1.26 rewards: 0.8 of that is above the reward
        (0.8, 1.24, 0.0, 2, 1),
        (0.8, 1.26, 1.0, 0, 2),  # drawn: the second stage follows whatever the reward
        (0.8, 0.9, 0.0, 2, 2),
        (0.0, 9.0, 0.0, 0, 1),
    ],
)
def test_gives_up_half_way_below_a_share_of_the_baseline(
    evaluator_of, epochs, give_up, of_reward, proceed, parts, stages
):
    learner = InParts()
    usual = evaluator_of(learner)
    short = usual.stage1.model_copy(update={"epochs": epochs})
    evaluator = replace(usual, give_up=give_up, stage1=short)
    reward = evaluator(job(baseline=2.0, proceed=0.0)).stages[0].reward
    learner.parts.clear()
    outcome = evaluator(job(baseline=of_reward * reward, proceed=proceed))
    half = (epochs + 1) // 2
    halves = [range(half), range(half, epochs)][:parts] if half < epochs else []
    assert learner.parts[: len(learner.parts) - (stages == 2)] == (halves or [range(epochs)])
    assert (outcome.state, len(outcome.stages)) == ((STOPPED, COMPLETE)[stages - 1], stages)
    assert outcome.stages[0].reward == reward
    name = next(name for name in outcome.program.params if name.startswith("decoder."))
    trained = evaluator_of(NullLearner())(job()).program.params[name] * 2 ** len(halves)
    np.testing.assert_array_equal(outcome.program.params[name], trained)


@pytest.mark.parametrize(("fail_at", "stages"), [(1, 0), (2, 1)])
def test_a_failure_becomes_an_outcome_that_keeps_what_was_done(evaluator_of, fail_at, stages):
    outcome = evaluator_of(Recorder(fail_at))(job())
    assert (outcome.state, len(outcome.stages), outcome.program) == (FAILED, stages, None)
    assert (outcome.failure.kind, outcome.failure.detail) == ("nan", "loss nan at step 3 of 9")


class Hungry(NullLearner):
    """Has memory for batches up to ``most``, in training and in scoring."""

    def __init__(self, most):
        self.most, self.sizes = most, []

    def fit(self, program, examples, recipe, seed, progress=None):
        self.check(recipe.batch_size)
        return program

    def measure(self, program, examples, task, batch_size):
        self.check(batch_size)
        return super().measure(program, examples, task, batch_size)

    def check(self, size):
        self.sizes.append(size)
        if size > self.most:
            raise TrialFailure("oom", f"{size} GB wanted")


@pytest.mark.parametrize(
    ("most", "sizes", "kept"),
    [
        (4, [4, 4, 8, 4, 4], [4, 4]),
        (8, [4, 4, 8, 8], [4, 8]),
        (3, [4, 2, 2, 8, 4], [2]),
        (1, [4, 2], []),
    ],
)
def test_lack_of_memory_is_tried_once_more_at_half_the_batch(place_of, most, sizes, kept):
    learner = Hungry(most)
    place = place_of(stage1__batch_size=4, stage2__batch_size=8)
    outcome = replace(run_evaluator(place.model), learner=learner)(job())
    assert learner.sizes == sizes
    assert [stage.batch_size for stage in outcome.stages] == kept
    assert outcome.state == (COMPLETE if len(kept) == 2 else FAILED)
    if outcome.failure:
        assert outcome.failure.kind == "oom"


def test_a_batch_of_one_is_not_tried(place_of):
    learner = Hungry(1)
    outcome = replace(run_evaluator(place_of(stage1__batch_size=3).model), learner=learner)(job())
    assert learner.sizes == [3]
    assert outcome.failure.kind == "oom"


def test_only_lack_of_memory_is_tried_again(evaluator_of):
    learner = Recorder(fail_at=1)
    assert evaluator_of(learner)(job()).failure.kind == "nan"
    assert len(learner.fits) == 1


def test_the_first_attempt_is_forgotten_before_the_second(evaluator_of):
    """What it held must be free by then."""

    class Held:
        pass

    class Leaking(NullLearner):
        held = None

        def fit(self, program, *rest):
            if self.held is None:
                memory = Held()
                self.held = weakref.ref(memory)
                raise TrialFailure("oom", "all of it") from MemoryError()
            assert self.held() is None
            return program

    assert evaluator_of(Leaking())(job()).state == COMPLETE


@pytest.mark.parametrize("reward", [-0.1, 7.0])
def test_a_reward_out_of_range_is_a_failure(evaluator_of, monkeypatch, reward):
    monkeypatch.setattr(Segmentation, "score", lambda task, sums: Score(reward, {"miou": 0.1}))
    failure = evaluator_of(NullLearner())(job()).failure
    assert failure.kind == "invalid"
    assert f"segmentation gave a reward of {reward}, expected 0 to 1" in failure.detail


def test_a_genotype_of_no_network_is_invalid(evaluator_of):
    wrong = replace(GENOTYPE, space=SearchSpace(encoder_outputs=9))  # the encoder has 7
    outcome = evaluator_of(NullLearner())(job(genotype=wrong))
    assert (outcome.state, outcome.failure.kind) == (FAILED, "invalid")
    assert "9" in outcome.failure.detail


def test_progress_tells_the_stage_and_how_the_one_before_ended(evaluator_of):
    told = []
    outcome = evaluator_of(NullLearner())(job(), lambda *args: told.append(args))
    assert {stage for stage, _, _ in told} == {1, 2}
    assert all(before == (outcome.stages[0] if stage == 2 else None) for stage, _, before in told)


def test_a_bug_is_not_a_failure(evaluator_of):
    class Broken(NullLearner):
        def fit(self, *args, **more):
            raise RuntimeError("out of memory, says a bug")

    with pytest.raises(RuntimeError, match="says a bug"):
        evaluator_of(Broken())(job())


def test_goes_on_above_the_mean_only_unless_lucky():
    assert continues_to_stage2(job(baseline=None, proceed=0.0), 0.0)
    assert continues_to_stage2(job(baseline=0.5, proceed=0.0), 0.51)
    assert not continues_to_stage2(job(baseline=0.5, proceed=0.0), 0.5)
    assert continues_to_stage2(job(baseline=0.5, proceed=1.0), 0.1)


@pytest.mark.parametrize("proceed", [0.1, 0.5, 0.9])
def test_luck_comes_from_the_seed_with_the_right_probability(proceed):
    lucky = [
        continues_to_stage2(job(seed=s, baseline=1.0, proceed=proceed), 0.5) for s in range(4000)
    ]
    again = [
        continues_to_stage2(job(seed=s, baseline=1.0, proceed=proceed), 0.4) for s in range(4000)
    ]
    assert lucky == again
    assert np.mean(lucky) == pytest.approx(proceed, abs=0.03)


def test_p_halves_every_half_life():
    found = [proceed_probability(0.9, 50, number) for number in (0, 50, 100, 150)]
    assert found == pytest.approx([0.9, 0.45, 0.225, 0.1125])


def test_each_parameter_has_the_papers_optimiser(place_of):
    settings = place_of().settings
    groups = {
        group.prefix: (group.kind, group.rate)
        for group in stage_recipe(settings.stage2, Segmentation()).optimisers
    }
    assert groups == {
        "decoder.": ("adam", 3e-3),
        "auxiliary": ("adam", 3e-3),
        "encoder.": ("sgd", 1e-3),
    }


def test_every_space_member_goes_through(evaluator_of):
    import random

    evaluator, rng = evaluator_of(NullLearner()), random.Random(0)
    rewards = []
    for number in range(10):
        genotype = SearchSpace.cvpr2019().sample(rng)
        rewards.append(evaluator(job(number=number, genotype=genotype)).stages[-1].reward)
    assert len({round(reward, 6) for reward in rewards}) == 10
    assert max(rewards) - min(rewards) > 0.1
