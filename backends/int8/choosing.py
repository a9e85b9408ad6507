"""Choice of the layers to quantise, and of whether the result ships."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import onnx

from auxnas.backends.base import Runner
from auxnas.backends.images.labels import some_names
from auxnas.backends.int8.layers import Layer, quantisable_layers
from auxnas.backends.int8.measuring import Feed, Judge
from auxnas.backends.int8.options import Int8Options
from auxnas.backends.int8.tool import (
    METHODS,
    ONNXRUNTIME,
    TENSORRT,
    calibrate_ranges,
    insert_quantisation,
)
from auxnas.backends.measuring.timing import Latency
from auxnas.backends.progress import Display, Silent
from auxnas.backends.runtimes.ort import OrtRunner
from auxnas.compiler import Size
from auxnas.compiler.tasks import Score, Task

RANKED_ON = 2
"""Held-out photographs that the layers are ranked on; all of them judge the choice."""
MOST_FLOAT = 0.5
"""Share of the layers that may stay in float: with more, int8 has no point."""


@dataclass(frozen=True)
class QuantisationResult:
    """An int8 network, and how it compares with the float one.

    Attributes:
        model: the network with Q/DQ nodes.
        kept_float: names of layers that stay in float because they hurt.
        layers: how many could be quantised.
        method: how ranges were found.
        photographs: how many ranges were found on.
        held_out: how many judged.
        drops: disagreement with the float model on those, as the task has it; by (height,
            width) that they were brought to.
        times: seconds of one run of ``fp32`` and ``int8``, in turns; empty where another
            runtime than the one that measures will run it.
        sizes: bytes of ``fp32`` and ``int8``.
        task: the meaning of the output.
        scores: against labels of ``fp32`` and ``int8``; empty without labels.
        max_drop: the disagreement that was allowed.
        forced: whether it ships whatever it is like.
        missing: classes that no label has, where there are labels.
        distance: mean distance of choices from the float model's, in pixels; None of what has none.
    """

    model: onnx.ModelProto = field(repr=False)
    kept_float: tuple[str, ...]
    layers: int
    method: str
    photographs: int
    held_out: int
    drops: Mapping[Size, float]
    times: Mapping[str, Latency]
    sizes: Mapping[str, int]
    task: Task
    scores: Mapping[str, Score]
    max_drop: float
    forced: bool = False
    missing: tuple[int, ...] = ()
    distance: float | None = None

    @property
    def drop(self) -> float:
        """The largest of ``drops``."""
        return max(self.drops.values())

    @property
    def against(self) -> str | None:
        """Reason to ship float32 instead; None where int8 is better."""
        if self.drop > self.max_drop:
            return (
                f"{self.task.disagrees.text.format(self.drop)} with {len(self.kept_float)} of"
                f" {self.layers} layers in float, more than --max-drop {self.max_drop:g}"
            )
        if self.times and self.times["int8"] >= self.times["fp32"]:
            slower, faster = (f"{1e3 * self.times[kind]:.1f} ms" for kind in ("int8", "fp32"))
            return f"int8 is not faster: {slower} against {faster}"
        return None

    @property
    def ships(self) -> bool:
        """Whether the artefact is int8."""
        return self.forced or self.against is None

    @property
    def verdict(self) -> str:
        """Precision that ships, with the reason if it is not int8."""
        if not self.ships:
            return f"fp32: {self.against}; --force writes int8 all the same"
        return f"int8, forced: {self.against}" if self.against else "int8"

    def __str__(self) -> str:
        small, large = (self.sizes[kind] / 1e6 for kind in ("int8", "fp32"))
        name, metric = self.task.headline
        form = ".2%" if self.task.target.classes else ".4f"
        found = {kind: score.metrics[name] for kind, score in self.scores.items()}
        scores = ", ".join(f"{kind} {value:{form}}" for kind, value in found.items())
        parts = [
            f"{self._apart}{self._distance} against fp32 on {self.held_out} held-out photographs",
            self._speed,
            f"{small:.1f} MB against {large:.1f} MB",
            f"calibrated on {self.photographs} photographs ({self.method})",
            f"in float {len(self.kept_float)} of {self.layers} layers",
        ]
        without = f" (no label has class {some_names(map(str, self.missing))})"
        scored = f"{metric.title} {scores}{without * bool(self.missing)}"
        return "; ".join([*parts, scored] if scores else parts)

    @property
    def _apart(self) -> str:
        text = self.task.disagrees.text
        if len(self.drops) == 1:
            return text.format(self.drop)
        return ", ".join(f"{text.format(drop)} at {h}x{w}" for (h, w), drop in self.drops.items())

    @property
    def _distance(self) -> str:
        text = self.task.disagrees.distance
        return "" if self.distance is None else f", {text.format(self.distance)}"

    @property
    def _speed(self) -> str:
        if not self.times:
            return "not timed: TensorRT runs it"
        fast, slow = (1e3 * self.times[kind] for kind in ("int8", "fp32"))
        return f"{fast:.1f} ms against {slow:.1f} ms ({slow / fast:.2f} times as fast)"

    def to_dict(self) -> dict[str, Any]:
        """The facts as plain data."""
        name, known = self.task.disagrees.name, {f"{h}x{w}": d for (h, w), d in self.drops.items()}
        agreement = {
            "label_agreement": 1 - self.drop,
            "label_agreement_by_size": {size: 1 - drop for size, drop in known.items()},
        }
        metric, _ = self.task.headline
        scores = {kind: score.metrics[metric] for kind, score in self.scores.items()}
        drops = {name: self.drop, f"{name}_by_size": known}
        return {
            "precision": "int8" if self.ships else "fp32",
            "reason": self.against,
            "forced": self.forced,
            "calibration": self.method,
            "calibration_images": self.photographs,
            "held_out_images": self.held_out,
            **(agreement if self.task.target.classes else {}),
            "disagreement": self.task.disagrees.text.format(self.drop),
            **drops,
            **({} if self.distance is None else {"mean_distance": self.distance}),
            "max_drop": self.max_drop,
            "layers": self.layers,
            "layers_in_float": list(self.kept_float),
            "milliseconds": {kind: 1e3 * value for kind, value in self.times.items()},
            "spread": {kind: value.spread for kind, value in self.times.items()},
            "bytes": dict(self.sizes),
            f"{metric}_on_labels" if metric in drops else metric: scores or None,
            "classes_without_labels": list(self.missing),
        }


@dataclass(frozen=True)
class QuantisationTrial:
    """An int8 network in which the first ``in_float`` of the ranked layers stay in float."""

    in_float: int
    model: onnx.ModelProto = field(repr=False)
    drops: Mapping[Size, float]

    @property
    def drop(self) -> float:
        """The largest of ``drops``."""
        return max(self.drops.values())


class Quantiser:
    """Makes int8 versions of one float model.

    Args:
        model: our float ONNX.
        calibration: gives the inputs that ranges are found on, each time it is called.
        photographs: how many those are.
        judge: measures on others.
        tensorrt: whether TensorRT will run them.
        display: destination of progress.
        opener: as ``Int8Options.open``.
    """

    def __init__(
        self,
        model: onnx.ModelProto,
        calibration: Callable[[], Iterable[Feed]],
        photographs: int,
        judge: Judge,
        tensorrt: bool = False,
        display: Display = Silent(),
        opener: Callable[[Any, str], Runner | None] | None = None,
    ) -> None:
        self.opener = opener
        self.model, self.judge = onnx.shape_inference.infer_shapes(model), judge
        self.calibration, self.photographs = calibration, photographs
        self.display = display
        self.form = TENSORRT if tensorrt else ONNXRUNTIME
        self.layers = quantisable_layers(self.model, self.form.operators)

    def open(self, model: onnx.ModelProto, precision: str = "int8") -> Runner:
        """A model as it will run."""
        found = self.opener and self.opener(model, precision)
        return found or open_model(model)

    def calibrate(self) -> tuple[str, Any, QuantisationTrial]:
        """The better method on the held-out photographs: its name, ranges, and network."""
        best: tuple[str, Any, QuantisationTrial] | None = None
        for method in METHODS:
            with self.display.task(f"calibrating, {method}", self.photographs) as advance:
                ranges = calibrate_ranges(self.model, self.calibration(), method, advance)
            trial = self.trial(ranges, self.layers, 0)
            if best is None or trial.drop < best[2].drop:
                best = method, ranges, trial
        if best is None:
            raise ValueError("no method of calibration")
        return best

    def trial(self, ranges: Any, ranked: Sequence[Layer], in_float: int) -> QuantisationTrial:
        """All but the first ``in_float`` of ``ranked`` in int8."""
        model = insert_quantisation(self.model, ranges, ranked[in_float:], self.form)
        return QuantisationTrial(in_float, model, self.judge.drops(self.open(model)))

    def rank(self, ranges: Any) -> list[Layer]:
        """The layers, first the one that does most damage where it alone is in int8."""
        damage: dict[str, float] = {}
        with self.display.task("error of each layer", len(self.layers)) as advance:
            for number, layer in enumerate(self.layers, 1):
                alone = self.open(insert_quantisation(self.model, ranges, [layer], self.form))
                damage[layer.name] = self.judge.error(alone, RANKED_ON)
                advance(number)
        return sorted(self.layers, key=lambda layer: -damage[layer.name])

    def choose(
        self, ranges: Any, whole: QuantisationTrial, max_drop: float
    ) -> tuple[QuantisationTrial, list[Layer]]:
        """As many layers in int8 as keep the drop, and the ranking that chose them.

        Where half of the layers in float are not enough, the best that was seen.
        """
        if whole.drop <= max_drop:
            return whole, []
        ranked = self.rank(ranges)
        most = int(len(ranked) * MOST_FLOAT)
        attempt = partial(self.trial, ranges, ranked)
        with self.display.task("layers back to float", most.bit_length() + 1) as advance:
            return fewest_in_float(attempt, whole, most, max_drop, advance), ranked


def fewest_in_float(
    attempt: Callable[[int], QuantisationTrial],
    whole: QuantisationTrial,
    most: int,
    max_drop: float,
    advance: Callable[[int], None],
) -> QuantisationTrial:
    """The trial with the fewest layers in float within ``max_drop``, by bisection.

    Args:
        attempt: makes the trial with so many layers in float.
        whole: the one with none, which drops too much.
        most: how many may be in float.
        max_drop: largest disagreement.
        advance: told how many trials have been made.

    Returns:
        The best of those made where none is within.
    """
    made = [whole, attempt(most)]
    good, bad = made[-1], 0
    if good.drop > max_drop:
        return min(made, key=lambda trial: trial.drop)
    while good.in_float - bad > 1:
        made.append(attempt((good.in_float + bad) // 2))
        advance(len(made))
        if made[-1].drop <= max_drop:
            good = made[-1]
        else:
            bad = made[-1].in_float
    return good


def open_model(model: onnx.ModelProto) -> OrtRunner:
    """A session on a model in memory."""
    return OrtRunner(model.SerializeToString())


def quantisation_result(
    quantiser: Quantiser, original: onnx.ModelProto, options: Int8Options
) -> QuantisationResult:
    """Calibrates, chooses layers, and measures both networks side by side."""
    judge = quantiser.judge
    method, ranges, whole = quantiser.calibrate()
    trial, ranked = quantiser.choose(ranges, whole, options.max_drop)
    runners = {"fp32": quantiser.open(original, "fp32"), "int8": quantiser.open(trial.model)}
    scores = {kind: judge.score(runner) for kind, runner in runners.items()}
    return QuantisationResult(
        model=trial.model,
        kept_float=tuple(layer.name for layer in ranked[: trial.in_float]),
        layers=len(quantiser.layers),
        method=method,
        photographs=quantiser.photographs,
        held_out=len(judge.views[0].feeds),
        drops=trial.drops,
        times={} if options.tensorrt else options.timer(runners, judge.views[0].feeds[0]),
        sizes={"fp32": original.ByteSize(), "int8": trial.model.ByteSize()},
        task=judge.task,
        scores={kind: score for kind, score in scores.items() if score is not None},
        max_drop=options.max_drop,
        forced=options.forced,
        missing=judge.missing,
        distance=judge.distance(runners["int8"]),
    )
