"""Recorded steps: what a GPU replays, on a CPU by way of a trace.

A trace holds every operation of a step with the numbers and tensors that it met. Replayed,
it is wrong wherever a step read a Python number that changes, or waited for a value.
"""

from __future__ import annotations

import gc
import inspect
import weakref
from dataclasses import replace
from unittest import mock

import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx

from auxnas.backends.base import Optimiser
from auxnas.backends.torch import TorchLearner, recording
from auxnas.backends.torch import training as training_module
from auxnas.backends.torch.recording import WARM_UP, RecordedStep
from auxnas.compiler import Program, parse_graph
from auxnas.compiler.weights import initial_params
from tests.backends.test_torch_learner import SHALLOW, Toy, changed, network, recipe

ENCODER = Optimiser("encoder", "sgd", 1e-3)
DECODER = Optimiser("", "adam", 1e-2)
EVERYTHING = recipe(
    epochs=3,
    optimisers=(ENCODER, DECODER),
    auxiliary=0.15,
    distillation=0.3,
    polyak=0.9,
    poly=0.9,
    clip_norm=0.5,
)
NETWORK = parse_graph("""
    image = input(; channels=3)
    encoder.conv = conv2d(image; kernel=3, out=4, stride=2) @encoder.conv
    encoder.bn = batch_norm(encoder.conv) @encoder.bn
    encoder.relu = relu6(encoder.bn)
    sep = conv2d(encoder.relu; kernel=3, out=4, groups=4) @sep
    sum = add(sep, encoder.relu)
    low = max_pool(sum; kernel=3, stride=2)
    up = resize(low, sum)
    both = concat(up, sum)
    main = conv2d(both; kernel=1, out=3, bias=1) @main
    side = conv2d(sum; kernel=1, out=3, bias=1) @side
    return main=main, aux0=side
""")
"""Small: a trace of a step takes seconds where there are hundreds of nodes."""
EXAMPLES = 9
"""In batches of 2 or 4 the last one of an epoch is too small for training, of 7 it is smaller."""


class Recorder:
    """Records by tracing; counts what it is asked for."""

    def __init__(self) -> None:
        self.training: training_module.Training | None = None
        self.recorded = self.replayed = 0

    def __call__(self, step, tensors):
        kept = self._kept()
        before = [tensor.clone() for tensor in kept]
        try:
            trace = make_fx(lambda *given: step(given))(*tensors)
        finally:
            for tensor, value in zip(kept, before, strict=True):
                tensor.copy_(value)
        self.recorded += 1
        result = torch.zeros(())

        def replay():
            self.replayed += 1
            result.copy_(trace(*tensors))

        return replay, result

    def _kept(self):
        """What tracing changes, which recording must not."""
        found = [t.detach() for t in self.training.module.state_dict().values()]
        for group in self.training.groups:
            for known in group.optimiser.state.values():
                found += [value for value in known.values() if value is not None]
        return found


@pytest.fixture
def recorder(monkeypatch):
    """Every training of the test records its steps."""
    found = Recorder()

    class Recording(training_module.Training):
        def __init__(self, *args):
            super().__init__(*args)
            found.training = self
            self.recorded = RecordedStep(found)

    monkeypatch.setattr(training_module, "Training", Recording)
    monkeypatch.setattr(recording, "_unable", [])
    return found


def small():
    return Program(NETWORK, initial_params(NETWORK, 0), "small")


def fit(plan, program=None):
    toy = Toy(EXAMPLES, teacher=True)
    return TorchLearner("cpu").fit(program or small(), toy, plan, 0)


@pytest.mark.parametrize("batch_size", [2, 3, 4, 7])
def test_recorded_steps_train_the_same_network(recorder, monkeypatch, batch_size):
    plan = replace(EVERYTHING, batch_size=batch_size)
    found = fit(plan)
    steps, full = recorder.training.taken, 3 * (EXAMPLES // batch_size)
    assert recorder.recorded == (full > WARM_UP)
    assert recorder.replayed == max(0, full - WARM_UP)
    assert steps >= full
    monkeypatch.undo()
    assert not changed(fit(plan), found)


def test_a_rate_that_is_a_plain_number_would_be_found(recorder, monkeypatch):
    expected = fit(EVERYTHING)

    def plain(groups, plan, done):
        for group in groups:
            for options in group.optimiser.param_groups:
                options["lr"] = group.settings.rate * (1 - done) ** plan.poly

    monkeypatch.setattr(training_module, "set_rates", plain)
    assert changed(expected, fit(EVERYTHING))


def test_a_step_that_cannot_be_recorded_is_done_as_ever(recorder, monkeypatch):
    update = training_module.Training._update

    def waits(training, tensors):
        loss = update(training, tensors)
        assert float(loss) > 0
        return loss

    monkeypatch.setattr(training_module.Training, "_update", waits)
    with pytest.warns(UserWarning, match=r"one kernel at a time: .*data-dependent|item"):
        found = fit(EVERYTHING)
    assert (recorder.recorded, recorder.replayed) == (0, 0)
    assert recorder.training.taken == 3 * (EXAMPLES // 2)
    monkeypatch.undo()
    assert not changed(fit(EVERYTHING), found)


def test_after_a_failure_nothing_is_recorded_any_more(recorder, monkeypatch):
    asked = []

    def short(self, step, tensors):
        asked.append(tensors)
        try:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried")
        except RuntimeError:
            raise RuntimeError("a previous error during capture") from None  # as torch does

    monkeypatch.setattr(Recorder, "__call__", short)
    with pytest.warns(UserWarning, match=r"one kernel at a time: CUDA out of memory"):
        first = fit(EVERYTHING)
    assert not changed(first, fit(EVERYTHING))
    assert len(asked) == 1
    monkeypatch.undo()
    assert not changed(first, fit(EVERYTHING))


def test_without_room_only_this_training_is_not_recorded(recorder, monkeypatch):
    def short(self, step, tensors):
        raise recording.NoRoom("1 MiB of GPU memory free, a recording takes 2")

    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "__call__", short)
        with pytest.warns(UserWarning, match="one kernel at a time: 1 MiB of GPU memory free"):
            first = fit(EVERYTHING)
    assert not changed(first, fit(EVERYTHING))
    assert recorder.recorded == 1


def test_a_whole_network_is_recorded_too_and_leaves_nothing_behind(recorder, monkeypatch):
    """Not until cycles are collected: memory of a GPU would be missing meanwhile."""
    gc.collect()
    gc.disable()
    try:
        recorded = fit(EVERYTHING, network(genotype=SHALLOW))
        training = recorder.training
        assert training.recorded._static == []
        assert all(param.grad is None for param in training.module.parameters())
        found = weakref.ref(training)
        del training
        recorder.training = None
        assert found() is None
    finally:
        gc.enable()
    assert recorder.replayed
    monkeypatch.undo()
    assert not changed(fit(EVERYTHING, network(genotype=SHALLOW)), recorded)


def test_a_training_that_goes_on_records_anew(recorder):
    toy, plan, learner = Toy(EXAMPLES, teacher=True), EVERYTHING, TorchLearner("cpu")
    begin = small()
    whole = learner.fit(begin, toy, plan, 0)
    program, state = learner.fit_part(begin, toy, plan, 0, range(2))
    parts, _ = learner.fit_part(program, toy, plan, 0, range(2, 3), state)
    assert recorder.recorded == 3
    assert not changed(whole, parts)


class Cuda:
    """What ``torch.cuda`` would be asked for; every call must fit torch's own signature."""

    def __init__(self, monkeypatch, *, free: int) -> None:
        self.calls: list[str] = []
        answers = {
            "memory_allocated": 40,
            "memory_reserved": 60,
            "max_memory_allocated": 100,
            "mem_get_info": (free, 1000),
            "current_stream": mock.MagicMock(),
            "reset_peak_memory_stats": None,
            "Stream": mock.MagicMock(),
            "stream": mock.MagicMock(),
            "CUDAGraph": mock.MagicMock(),
            "graph": mock.MagicMock(),
        }
        for name, answer in answers.items():
            fits = inspect.signature(getattr(torch.cuda, name))
            monkeypatch.setattr(torch.cuda, name, self._noting(name, fits, answer))
        monkeypatch.setattr(recording, "_stream", recording._stream.__wrapped__)

    def _noting(self, name, fits, answer):
        def call(*args, **options):
            fits.bind(*args, **options)
            self.calls.append(name)
            return answer

        return call


def test_a_graph_is_recorded_while_nothing_is_collected(monkeypatch):
    cuda, seen = Cuda(monkeypatch, free=100), []

    def step(tensors):
        seen.append(gc.isenabled())
        return tensors[0] + 1

    with recording.side_stream(torch.device("cuda")):
        replay, result = recording.cuda_graph(step, [torch.ones(2)])
        replay()
    assert (seen, gc.isenabled(), result.tolist()) == ([False], True, [2, 2])
    assert cuda.calls.index("reset_peak_memory_stats") < cuda.calls.index("graph")
    with pytest.raises(ZeroDivisionError):
        recording.cuda_graph(lambda tensors: 1 // 0, [torch.ones(2)])
    assert gc.isenabled()


def test_what_does_not_fit_twice_is_not_recorded(monkeypatch):
    cuda = Cuda(monkeypatch, free=99)
    with pytest.raises(recording.NoRoom, match="0 MiB of GPU memory free"):
        recording.cuda_graph(lambda tensors: tensors[0], [torch.ones(2)])
    assert "graph" not in cuda.calls


def test_streams_wait_for_each_other_after_a_failure_too(monkeypatch):
    Cuda(monkeypatch, free=0)
    before, side = torch.cuda.current_stream(), torch.cuda.Stream("cuda")
    with pytest.raises(KeyError), recording.side_stream(torch.device("cuda")):
        raise KeyError
    assert side.wait_stream.call_args_list == [mock.call(before)]
    assert before.wait_stream.call_args_list == [mock.call(side)]
