"""Outcome of a quantisation: the int8 network against the float one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import onnx

from auxnas.backends.images.labels import some_names
from auxnas.backends.measuring.timing import Latency, told_apart
from auxnas.compiler import Size
from auxnas.compiler.tasks import Score, Task


def faster(times: Mapping[str, Latency]) -> bool:
    """Whether ``int8`` takes less time than ``fp32``; where they were not timed it is believed."""
    return not times or times["int8"] < times["fp32"]


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
        sizes: bytes of ``fp32`` and ``int8`` as ONNX, of which an artefact's own size may differ.
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
        """All reasons to ship float32 instead; None where int8 is better."""
        reasons = list[str]()
        if not faster(self.times):
            reasons.append(f"int8 is not faster: {' against '.join(self._times)}")
        if self.drop > self.max_drop:
            reasons.append(
                f"{self.task.disagrees.text.format(self.drop)} with {len(self.kept_float)} of"
                f" {self.layers} layers in float, more than --max-drop {self.max_drop:g}"
            )
        return ", and ".join(reasons) or None

    @property
    def _times(self) -> list[str]:
        """Of int8 and of fp32."""
        return told_apart([self.times["int8"], self.times["fp32"]])

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
            f"{small:.1f} MB against {large:.1f} MB as ONNX",
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
        rate = self.times["fp32"] / self.times["int8"]
        return f"{' against '.join(self._times)} ({rate:.2f} times as fast)"

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
