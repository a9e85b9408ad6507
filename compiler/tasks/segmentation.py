"""Segmentation: one class a pixel."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from auxnas.compiler.errors import CompilerError
from auxnas.compiler.tasks.base import (
    Metric,
    PixelPicture,
    Prediction,
    Score,
    ScoreTable,
    Sums,
    Task,
)
from auxnas.compiler.tasks.growing import classify, resize_nearest
from auxnas.compiler.tasks.heads import Disagreement, Head
from auxnas.compiler.tasks.pictures import contours, overlaid
from auxnas.compiler.tasks.pixel_loss import PixelLoss, effective_weights
from auxnas.compiler.tasks.target import CLASSES, IGNORE, Size, TargetFormat
from auxnas.genotype.errors import inline

Array = np.ndarray[Any, Any]
Floats = NDArray[np.float64]

CONFUSION = "confusion"
"""Name of the statistics: (classes, classes) int64 counts, row truth, column guess."""
UNLABELLED = (224, 224, 192)
"""The colour of borders in PASCAL VOC's own pictures, where black is background."""


@dataclass(frozen=True)
class Segmentation(Task):
    """One class a pixel (paper, section 4.1).

    Attributes:
        classes: the class names.
        ignore: classes that count in no mean: background in VOC, which the paper leaves
            out for its many pixels. A pixel of theirs given another class is a false
            positive of that class all the same.
        loss: what is minimised: the cross entropy (paper), or more.

    Raises:
        CompilerError: for a class to ignore that there is not.
    """

    loss: PixelLoss = field(default_factory=PixelLoss)

    name: ClassVar[str] = "segmentation"
    target: ClassVar[TargetFormat] = CLASSES
    heads: ClassVar[Mapping[str, Head]] = MappingProxyType(
        {
            "logits": Head(),
            "probabilities": Head(("softmax",)),
            "labels": Head(("argmax",), resize=True),
        }
    )
    measured: ClassVar[str] = "labels"
    metrics: ClassVar[Mapping[str, Metric]] = MappingProxyType(
        {
            "miou": Metric("mIoU"),
            "fwiou": Metric("fwIoU"),
            "accuracy": Metric("accuracy"),
        }
    )
    disagrees: ClassVar[Disagreement] = Disagreement(
        "labels_changed", "{:.3%} of pixels change label", "of pixels"
    )
    losses: ClassVar[str] = "auxnas.backends.torch.losses:SegmentationLosses"
    pictures: ClassVar[tuple[str, ...]] = ("labels", "overlay")

    def __post_init__(self) -> None:
        for name in self.ignore:
            if name not in self.classes:
                known = ", ".join(self.classes)
                raise CompilerError("task.ignore", f"no class {name!r}", f"some of {known}")

    @property
    def outputs(self) -> int:
        """A channel a class."""
        return len(self.classes)

    @property
    def loss_options(self) -> Mapping[str, Any]:
        """The loss, of which nothing is told where it is the paper's."""
        return {} if self.loss == PixelLoss() else {"loss": self.loss}

    def with_loss(
        self, options: Mapping[str, float], samples: Callable[[], Sequence[float]]
    ) -> Segmentation:
        """The same with a ``PixelLoss``; ``balance`` weighs classes by their samples."""
        rest = dict(options)
        balance = rest.pop("balance", 0.0)
        weights = effective_weights(samples(), balance) if balance else ()
        return replace(self, loss=PixelLoss(weights, **rest))

    def fault(self, target: Array, outputs: int) -> str | None:
        """Names a label that is none of the classes."""
        wrong = target[(target >= outputs) & (target != IGNORE)]
        return f"labels: {wrong[0]}, expected 0..{outputs - 1} or {IGNORE}" if wrong.size else None

    def measure(self, output: Array, target: Array) -> Sums:
        """Counts of each (truth, guess) among the labelled pixels."""
        classes = len(self.classes)
        truth = np.minimum(target, classes).astype(np.intp)  # 255 has a row of its own, the last
        pairs = truth * classes + labels_of(output)
        counts = np.bincount(pairs.ravel(), minlength=(classes + 1) * classes)
        return {CONFUSION: counts[: classes * classes].reshape(classes, classes)}

    def score(self, sums: Sums) -> Score:
        """The score of the confusion matrix.

        The reward is the geometric mean of

        * ``miou``: mean over the classes of intersection over union; a class that is
          neither present nor predicted does not count;
        * ``fwiou``: the same weighted by the classes' numbers of pixels;
        * ``accuracy``: mean over the classes present of the share of their pixels found.

        Raises:
            ValueError: when no pixel is of a class that counts.
        """
        counts = np.asarray(sums[CONFUSION], dtype=np.float64)
        counted = np.array([name not in self.ignore for name in self.classes])
        truth, hits = counts.sum(axis=1), np.diag(counts)
        iou, seen = _intersection_over_union(counts)
        present, seen = counted & (truth > 0), counted & seen
        if not present.any():
            raise ValueError("confusion: no pixel of a class that counts")
        metrics = {
            "miou": float(iou[seen].mean()),
            "fwiou": float(iou[present] @ truth[present] / truth[present].sum()),
            "accuracy": float(_ratio(hits, truth)[present].mean()),
        }
        reward = float(np.prod(list(metrics.values())) ** (1 / len(metrics)))
        return Score(reward, metrics)

    def details(self, sums: Sums) -> Mapping[str, Any]:
        """Further figures of the confusion matrix.

        ``pixel_accuracy``: the share of all labelled pixels that are right; ``iou`` by class;
        and ``confusion``, the counts themselves.
        """
        counts = sums[CONFUSION]
        return {
            "pixel_accuracy": float(np.trace(counts) / counts.sum()),
            "iou": self.class_iou(sums),
            CONFUSION: counts.tolist(),
        }

    def class_iou(self, sums: Sums) -> dict[str, float | None]:
        """Intersection over union of every class; None where neither present nor predicted."""
        iou, seen = _intersection_over_union(np.asarray(sums[CONFUSION], dtype=np.float64))
        rows = zip(self.classes, iou.tolist(), seen.tolist(), strict=True)
        return {name: value if known else None for name, value, known in rows}

    def class_rows(self, sums: Sums) -> list[dict[str, Any]]:
        """A row a class: name, IoU, share of its pixels found, of all pixels; None for none."""
        counts, iou = sums[CONFUSION], self.class_iou(sums)
        truth = counts.sum(axis=1)
        return [
            {
                "class": name,
                "iou": iou[name],
                "accuracy": float(counts[n, n] / truth[n]) if truth[n] else None,
                "pixels": float(truth[n] / truth.sum()),
            }
            for n, name in enumerate(self.classes)
        ]

    def table(self, sums: Sums) -> ScoreTable:
        """A row a class, and the means."""
        found = {**self.score(sums).metrics, **self.details(sums)}
        rows = (
            (self._title(row["class"]), *(_percent(row[n]) for n in ("iou", "accuracy", "pixels")))
            for row in self.class_rows(sums)
        )
        weighted, pixels = _percent(found["fwiou"]), _percent(found["pixel_accuracy"])
        return ScoreTable(
            columns=("class", "IoU", "accuracy", "of all pixels"),
            rows=tuple(rows),
            total=("mean", _percent(found["miou"]), _percent(found["accuracy"]), ""),
            notes=(f"frequency-weighted IoU {weighted}, pixel accuracy {pixels}",),
        )

    def _title(self, name: str) -> str:
        return inline(name) + (" (not counted)" if name in self.ignore else "")

    def confusion(self, sums: Sums) -> Array:
        """The counts themselves."""
        return sums[CONFUSION]

    def sized(self, output: Array, head: str, size: Size, fed: Size | None = None) -> Array:
        """Labels of the nearest pixels, or of scores that grew before the largest is taken."""
        labels = (
            resize_nearest(output[0], size) if self.heads[head].bytes else classify(output, size)
        )
        return labels[None, None]

    def answer(self, output: Array) -> Array:
        """The labels."""
        return labels_of(output)

    def picture(self, target: Array, palette: Array) -> Array:
        """The colour of each label's class."""
        table = np.zeros((256, 3), dtype=np.uint8)
        table[: len(palette)] = palette
        table[IGNORE] = UNLABELLED
        coloured: Array = table[target]
        return coloured

    def predicted(self, answer: Array, image: Array, palette: Array, alpha: float) -> Prediction:
        """A label map, its colours over the image, and the share of each class."""
        over = overlaid(image, palette[answer], alpha, contours(answer))
        counts = np.bincount(answer.ravel())
        order = np.argsort(-counts, kind="stable")
        shares = [(int(i), float(counts[i] / answer.size)) for i in order if counts[i]]
        line = ", ".join(f"{inline(self.classes[n])} {share:.0%}" for n, share in shares[:4])
        facts = [{"label": n, "class": self.classes[n], "share": share} for n, share in shares]
        pictures = {"labels": PixelPicture(answer, palette), "overlay": PixelPicture(over)}
        return Prediction(pictures, line, {"shares": facts})

    def disagreement(self, one: Array, other: Array) -> float:
        """Share of pixels whose label is another one."""
        return float((labels_of(one) != labels_of(other)).mean())


def labels_of(output: Array) -> Array:
    """(N, H, W) labels of logits or probabilities (N, C, H, W), or of labels (N, 1, H, W)."""
    return output[:, 0] if output.dtype == np.uint8 else output.argmax(1)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f} %"


def _intersection_over_union(counts: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """The ratio of every class (0 where there is nothing), and which are present or predicted."""
    hits, both = np.diag(counts), counts.sum(axis=1) + counts.sum(axis=0)
    return _ratio(hits, both - hits), both > 0


def _ratio(part: Floats, whole: Floats) -> Floats:
    """``part / whole``, 0 where there is nothing to divide."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
