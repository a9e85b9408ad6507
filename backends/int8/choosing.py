"""Choice of the layers to quantise, and of whether the result ships."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import onnx

from auxnas.backends.base import Runner
from auxnas.backends.int8.insertion import (
    ONNXRUNTIME,
    SMALL_WEIGHTS,
    TENSORRT,
    QuantisationForm,
    insert_quantisation,
)
from auxnas.backends.int8.layers import Layer, quantisable_layers
from auxnas.backends.int8.measuring import Feed, Judge
from auxnas.backends.int8.options import Int8Options, Open, in_onnxruntime
from auxnas.backends.int8.ranges import Array, Ranges, observe_maps
from auxnas.backends.int8.ranking import Ranking
from auxnas.backends.int8.result import QuantisationResult, faster
from auxnas.backends.measuring.timing import Latency
from auxnas.backends.progress import Display, Silent
from auxnas.backends.runtimes.ort import OrtRunner
from auxnas.compiler import Size

RANKED_ON = 1
"""Held-out photographs that the layers are ranked on; all of them judge the choice."""
FORMS = {"": ONNXRUNTIME, ", weights of 7 bits": SMALL_WEIGHTS}
"""Number formats that are tried, by what a report adds to the method's name."""
MOST_FLOAT = 0.5
"""Share of the layers that may stay in float: with more, int8 has no point."""


@dataclass(frozen=True)
class Calibration:
    """How numbers become integers.

    Attributes:
        name: of the method that found the ranges, and what is unusual of the numbers.
        ranges: of the maps.
        form: of the numbers.
        means: of channels of the maps.
    """

    name: str
    ranges: Ranges = field(repr=False)
    form: QuantisationForm
    means: Mapping[str, Array] = field(repr=False)


@dataclass(frozen=True)
class QuantisationTrial:
    """An int8 network in which the first ``in_float`` of the ranked layers stay in float."""

    in_float: int
    model: onnx.ModelProto = field(repr=False)
    drops: Sequence[Mapping[Size, float]]

    @property
    def drop(self) -> float:
        """The largest of ``drops``, in any runtime."""
        return max(drop for found in self.drops for drop in found.values())


class Quantiser:
    """Makes int8 versions of one float model.

    Args:
        model: our float ONNX.
        calibration: inputs that ranges are found on.
        photographs: how many those are.
        judge: measures on others.
        tensorrt: whether TensorRT will run them.
        display: destination of progress.
        runtimes: as of ``Int8Options``.
    """

    def __init__(
        self,
        model: onnx.ModelProto,
        calibration: Iterable[Feed],
        photographs: int,
        judge: Judge,
        tensorrt: bool = False,
        display: Display = Silent(),
        runtimes: Sequence[Open] = (in_onnxruntime,),
    ) -> None:
        self.runtimes = runtimes
        self.model, self.judge = onnx.shape_inference.infer_shapes(model), judge
        self.calibration, self.photographs = calibration, photographs
        self.display = display
        self.forms = {"": TENSORRT} if tensorrt else FORMS
        self.layers = quantisable_layers(self.model, self.forms[""].operators)

    def open(self, model: onnx.ModelProto, precision: str = "int8") -> list[Runner]:
        """A model as each runtime will run it."""
        return [opened(model, precision) or open_model(model) for opened in self.runtimes]

    def calibrate(self) -> tuple[Calibration, QuantisationTrial]:
        """The best calibration on the held-out photographs, and its network."""
        with self.display.task("calibrating int8", self.photographs) as advance:
            found = observe_maps(self.model, self.calibration, self.photographs, advance)
        tried = list[tuple[Calibration, QuantisationTrial]]()
        pairs = list(itertools.product(found.ranges.items(), self.forms.items()))
        with self.display.task("judging calibrations", len(pairs)) as advance:
            for (method, ranges), (remark, form) in pairs:
                calibration = Calibration(method + remark, ranges, form, found.means)
                best = min((trial.drop for _, trial in tried), default=None)
                tried.append((calibration, self.trial(calibration, (), best)))
                advance(len(tried))
        return min(tried, key=lambda each: each[1].drop)

    def quantised(self, calibration: Calibration, layers: Sequence[Layer]) -> onnx.ModelProto:
        """The model with just these layers in int8."""
        return insert_quantisation(
            self.model, calibration.ranges, layers, calibration.form, calibration.means
        )

    def trial(
        self, calibration: Calibration, in_float: Sequence[Layer], limit: float | None = None
    ) -> QuantisationTrial:
        """All but the layers ``in_float`` in int8; judged as far as it is within ``limit``."""
        model = self.quantised(calibration, [each for each in self.layers if each not in in_float])
        drops = list[Mapping[Size, float]]()
        for runner in self.open(model):
            drops.append(self.judge.drops(runner, limit))
            if limit is not None and max(drops[-1].values()) > limit:
                break
        return QuantisationTrial(len(in_float), model, drops)

    def choose(
        self, calibration: Calibration, whole: QuantisationTrial, max_drop: float
    ) -> tuple[QuantisationTrial, list[Layer]]:
        """As many layers in int8 as keep the drop, and those that stay in float.

        Where half of the layers in float are not enough, the best that was judged to its end.
        """
        if whole.drop <= max_drop:
            return whole, []
        most = int(len(self.layers) * MOST_FLOAT)

        def damage(layers: Sequence[Layer]) -> float:
            # In onnxruntime, whatever will run it: an order is all that is asked for.
            runner = open_model(self.quantised(calibration, layers), threads=1)
            return self.judge.error(runner, RANKED_ON)

        with self.display.task("layers back to float", 2 * len(self.layers)) as advance:
            ranking = Ranking(self.layers, damage, advance)

            def attempt(in_float: int) -> QuantisationTrial:
                limit = max_drop if in_float < most else None
                return self.trial(calibration, ranking.first(in_float), limit)

            trial = fewest_in_float(attempt, whole, most, max_drop)
        return trial, ranking.first(trial.in_float)


def fewest_in_float(
    attempt: Callable[[int], QuantisationTrial],
    whole: QuantisationTrial,
    most: int,
    max_drop: float,
) -> QuantisationTrial:
    """The trial within ``max_drop`` with so few layers in float that half of them are too few.

    Found by bisection, from ``most`` down: where those are not enough, nothing else is tried.

    Args:
        attempt: makes the trial with so many layers in float.
        whole: the one with none, which drops too much.
        most: how many may be in float.
        max_drop: largest disagreement.

    Returns:
        The better of ``whole`` and the one with ``most`` where none is within.
    """
    bad, good = 0, attempt(most)
    if good.drop > max_drop:
        return min((whole, good), key=lambda trial: trial.drop)
    while good.in_float - bad > max(1, good.in_float // 2):
        trial = attempt((good.in_float + bad) // 2)
        if trial.drop <= max_drop:
            good = trial
        else:
            bad = trial.in_float
    return good


def open_model(model: onnx.ModelProto, threads: int | None = None) -> OrtRunner:
    """A session on a model in memory."""
    return OrtRunner(model.SerializeToString(), threads)


def quantisation_results(
    quantiser: Quantiser, original: onnx.ModelProto, options: Int8Options
) -> tuple[QuantisationResult, ...]:
    """Calibrates, chooses layers, and measures both networks side by side in each runtime.

    The choice is one: that which all runtimes bear.
    """
    judge = quantiser.judge
    usual = quantiser.open(original, "fp32")

    def timed(trial: QuantisationTrial) -> list[tuple[Runner, Mapping[str, Latency]]]:
        runners = quantiser.open(trial.model)
        if options.tensorrt:
            return [(runner, {}) for runner in runners]
        feed, pairs = judge.views[0].feeds[0], zip(usual, runners, strict=True)
        with quantiser.display.task("timing fp32 and int8 in turns", 1):
            return [
                (int8, options.timer({"fp32": fp32, "int8": int8}, feed)) for fp32, int8 in pairs
            ]

    calibration, whole = quantiser.calibrate()
    measured = timed(whole)
    trial, in_float = whole, list[Layer]()
    # Layers in float cost time: what is slow with none of them is not worth a choice.
    if options.forced or any(faster(times) for _, times in measured):
        trial, in_float = quantiser.choose(calibration, whole, options.max_drop)
    if in_float:
        measured = timed(trial)

    def result(
        drops: Mapping[Size, float], runner: Runner, times: Mapping[str, Latency]
    ) -> QuantisationResult:
        outputs = {"fp32": judge.views[0].expected, "int8": judge.outputs(runner)}
        scores = {kind: judge.score(some) for kind, some in outputs.items()}
        return QuantisationResult(
            model=trial.model,
            kept_float=tuple(layer.name for layer in in_float),
            layers=len(quantiser.layers),
            method=calibration.name,
            photographs=quantiser.photographs,
            held_out=len(judge.views[0].feeds),
            drops=drops,
            times=times,
            sizes={"fp32": original.ByteSize(), "int8": trial.model.ByteSize()},
            task=judge.task,
            scores={kind: score for kind, score in scores.items() if score is not None},
            max_drop=options.max_drop,
            forced=options.forced,
            missing=judge.missing,
            distance=judge.distance(outputs["int8"]),
        )

    pairs = zip(trial.drops, measured, strict=True)
    return tuple(result(drops, *found) for drops, found in pairs)
