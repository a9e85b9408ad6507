"""Depth estimation (paper, section 7.3): metres from the camera, one number a pixel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from auxnas.compiler.errors import CompilerError, check_choice, check_number
from auxnas.compiler.tasks.base import (
    Metric,
    PixelPicture,
    Prediction,
    Scale,
    Score,
    ScoreTable,
    Sums,
    Task,
)
from auxnas.compiler.tasks.depth.colours import Range, colour_scale, depth_colours
from auxnas.compiler.tasks.depth.crops import CROPS
from auxnas.compiler.tasks.depth.errors import ERRORS, TERMS, error_figures, error_sums
from auxnas.compiler.tasks.heads import Disagreement, Head
from auxnas.compiler.tasks.segmentation import UNLABELLED
from auxnas.compiler.tasks.target import TargetFormat

Array = np.ndarray[Any, Any]
Floats = NDArray[np.float64]

MISSING = 0.0
"""Depth of a pixel that has none."""
METRES = TargetFormat("float32", MISSING, metric=True)
"""Depth in metres."""
LEAST = 1e-3
"""Metres: what is no farther counts as missing in a score, and nothing is predicted nearer."""
IMAGES, PIXELS = "images", "pixels"
"""Names of the statistics, and of the two ways of pooling: the mean of the images' figures,
and the figures of all pixels together."""

OPTIONS = ("max", "crop", "pooling", "scaling", "mean")
"""Options of the task, behind its name: ``depth,max=80,crop=garg``."""

_TITLES = {
    "rmse": "RMSE (m)",
    "rmse_log": "RMSE (log)",
    "abs_rel": "abs rel",
    "sq_rel": "sqr rel",
    "delta1": "delta < 1.25",
    "delta2": "delta < 1.25^2",
    "delta3": "delta < 1.25^3",
    "log10": "log10",
    "silog": "SILog (x100)",
    "silog_half": "SILog (lambda 1/2)",
}
_DELTAS = ("delta1", "delta2", "delta3")
CONTRAST, NARROWEST = 25, 1.5
"""Ratio of the last colour's depth to the first one's: in pictures to compare, which is the most,
and at least."""
QUANTILES = (0.02, 0.98)
"""Quantiles of depth that a picture of its own range ends at."""
_LOSSES = "auxnas.backends.torch.depth:"


@dataclass(frozen=True)
class Depth(Task):
    """Metres from the camera, one number a pixel.

    Attributes:
        classes: of the data; means nothing here.
        ignore: likewise.
        max: metres; truth from there on does not count, and nothing farther is predicted.
        crop: the part of an image that is scored, a name of ``CROPS``.
        pooling: what the reward and the metrics are: ``images`` (the mean of the images'
            figures) or ``pixels`` (the figures of all pixels).
        scaling: what a random magnification of the image does to its depth: ``divide`` (what
            is magnified is nearer, as the authors do) or ``keep``.
        mean: of the loss, over ``valid`` pixels, or ``all`` of them as the authors do.

    Raises:
        CompilerError: naming the one that is out of range.
    """

    max: float = 10.0
    crop: str = "none"
    pooling: str = IMAGES
    scaling: str = "divide"
    mean: str = "valid"

    name: ClassVar[str] = "depth"
    target: ClassVar[TargetFormat] = METRES
    measured: ClassVar[str] = "depth"
    metrics: ClassVar[Mapping[str, Metric]] = MappingProxyType(
        {name: Metric(_TITLES[name], name in _DELTAS) for name in ERRORS}
    )
    disagrees: ClassVar[Disagreement] = Disagreement(
        "relative_error", "{:.3%} mean relative depth error", "mean relative depth error"
    )
    starts_at_mean: ClassVar[bool] = True
    pictures: ClassVar[tuple[str, ...]] = ("depth", "colours")
    scored_as_stored: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_number("task.max", self.max, 2 * LEAST, 1e4)
        check_choice("task.crop", self.crop, CROPS)
        check_choice("task.pooling", self.pooling, (IMAGES, PIXELS))
        check_choice("task.scaling", self.scaling, ("divide", "keep"))
        check_choice("task.mean", self.mean, ("valid", "all"))

    @classmethod
    def made(
        cls, classes: tuple[str, ...] = (), ignore: tuple[str, ...] = (), **options: str
    ) -> Depth:
        """The task of options as text, ``max="80"``.

        Raises:
            CompilerError: for an option that there is not, or a depth that is no number.
        """
        unknown = sorted(options.keys() - set(OPTIONS))
        if unknown:
            raise CompilerError("task depth", f"no option {unknown[0]!r}", ", ".join(OPTIONS))
        values: dict[str, Any] = dict(options)
        if "max" in options:
            try:
                values["max"] = float(options["max"])
            except ValueError:
                raise CompilerError("task.max", repr(options["max"]), "metres") from None
        return cls(classes, ignore, **values)

    @property
    def labels(self) -> TargetFormat:
        """Metres, which a magnification divides where ``scaling`` says so."""
        return replace(METRES, power=-1.0 if self.scaling == "divide" else 0.0, limit=self.max)

    @property
    def heads(self) -> Mapping[str, Head]:
        """The output as it is, and metres from 0.001 to ``max`` at the image's size."""
        limits = {"low": round(1000 * LEAST), "high": round(1000 * self.max)}
        return {"logits": Head(), "depth": Head((("clamp", limits),), resize=True)}

    @property
    def losses(self) -> str:
        """Inverse Huber, over the pixels that ``mean`` says."""
        return _LOSSES + ("InverseHuber" if self.mean == "valid" else "AuthorsInverseHuber")

    def target_of(self, label: Array, image: Callable[[], Array]) -> Array:
        """Metres as float32: 0 for what is not finite or not more than 0."""
        with np.errstate(invalid="ignore"):
            known = np.isfinite(label) & (label > 0)
        return np.where(known, label, MISSING).astype(np.float32)

    def fault(self, target: Array, outputs: int) -> str | None:
        """Names depth that is none, or an output of several channels."""
        if outputs != 1:
            return f"depth: {outputs} output channels, expected 1"
        wrong = target[~(target >= 0)]
        return f"depth: {wrong[0]} metres, expected 0 (missing) or more" if wrong.size else None

    def measure(self, output: Array, target: Array) -> Sums:
        """Sums over pixels, and over images of their figures.

        Only pixels of the crop count whose truth is strictly between 0.001 and ``max`` metres.
        """
        images, pixels = np.zeros(len(ERRORS) + 1), np.zeros(TERMS)
        rows, columns = CROPS[self.crop].of((target.shape[1], target.shape[2]))
        for guess, truth in zip(self.answer(output), target, strict=True):
            part = truth[rows, columns]
            valid = (part > LEAST) & (part < self.max)
            if valid.any():
                found = error_sums(guess[rows, columns][valid], part[valid])
                images += [1.0, *error_figures(found).values()]
                pixels += found
        return {IMAGES: images, PIXELS: pixels}

    def score(self, sums: Sums) -> Score:
        """The reward is the geometric mean of the three deltas, pooled as ``pooling`` says.

        Raises:
            ValueError: when no pixel is valid.
        """
        metrics = self.pooled(sums)[self.pooling]
        reward = float(np.prod([metrics[name] for name in _DELTAS]) ** (1 / len(_DELTAS)))
        return Score(reward, metrics)

    def pooled(self, sums: Sums) -> Mapping[str, Mapping[str, float]]:
        """The figures in both ways of pooling.

        Raises:
            ValueError: when no pixel is valid.
        """
        images, pixels = sums[IMAGES], sums[PIXELS]
        if not pixels[0]:
            raise ValueError("depth: no pixel with a valid depth")
        means = (float(value) for value in images[1:] / images[0])
        return {IMAGES: dict(zip(ERRORS, means, strict=True)), PIXELS: error_figures(pixels)}

    def details(self, sums: Sums) -> Mapping[str, Any]:
        """Both ways of pooling, which one the score has, and what counts."""
        other = PIXELS if self.pooling == IMAGES else IMAGES
        return {
            "pooling": self.pooling,
            f"pooled_over_{other}": self.pooled(sums)[other],
            "crop": self.crop,
            "max_depth": self.max,
            "scored_images": int(sums[IMAGES][0]),
            "valid_pixels": int(sums[PIXELS][0]),
        }

    def table(self, sums: Sums) -> ScoreTable:
        """A row a metric, a column a way of pooling, the score's first."""
        order = sorted((IMAGES, PIXELS), key=lambda way: way != self.pooling)
        found = self.pooled(sums)
        rows = (
            (title, *(f"{found[way][name]:.4f}" for way in order))
            for name, title in _TITLES.items()
        )
        titles = {IMAGES: "mean of images", PIXELS: "over all pixels"}
        counted = f"{int(sums[PIXELS][0]):,} pixels of {int(sums[IMAGES][0])} images"
        return ScoreTable(
            columns=("metric", f"{titles[order[0]]} (the score)", titles[order[1]]),
            rows=tuple(rows),
            notes=(
                f"{counted}, truth from {LEAST:g} to {self.max:g} m, crop {self.crop} "
                f"({CROPS[self.crop].about})",
            ),
        )

    def answer(self, output: Array) -> Array:
        """Metres within the limits: (N, H, W)."""
        metres = np.nan_to_num(output[:, 0], nan=LEAST, posinf=self.max, neginf=LEAST)
        found: Array = np.clip(metres, LEAST, self.max)
        return found

    def picture(self, target: Array, palette: Array) -> Array:
        """Colours of depth, the same in every picture; what is missing has one of its own."""
        return _coloured(target, self._range)

    @property
    def scale(self) -> Scale:
        """The colours of pictures."""
        return colour_scale(self._range)

    @property
    def _range(self) -> Range:
        return self.max / CONTRAST, self.max

    @property
    def units(self) -> float:
        """Units a metre of depth as 16-bit pictures: millimetres, or KITTI's where those end."""
        return 1000.0 if 1000 * self.max < 1 << 16 else min(256.0, (1 << 16) / self.max - 1)

    def predicted(self, answer: Array, image: Array, palette: Array, alpha: float) -> Prediction:
        """Depth as a 16-bit picture, and in colours of its own range beside their scale."""
        low, middle, high = (float(f(answer)) for f in (np.min, np.median, np.max))
        stored = PixelPicture(np.rint(answer * self.units).astype(np.uint16))
        near, far = (float(each) for each in np.quantile(answer, QUANTILES))
        near = max(near, far / CONTRAST)
        between = near, max(far, NARROWEST * near)
        coloured = PixelPicture(_coloured(answer, between), scale=colour_scale(between))
        return Prediction(
            {"depth": stored, "colours": coloured},
            f"{low:.2f} to {high:.2f} m, half of it up to {middle:.2f} m",
            {"units_per_metre": self.units, "nearest": low, "median": middle, "farthest": high},
        )

    def disagreement(self, one: Array, other: Array) -> float:
        """Mean difference of depth, relative to the second one's, both within the limits."""
        first, second = (self.answer(each).astype(np.float64) for each in (one, other))
        return float((np.abs(first - second) / second).mean())


def _coloured(target: Array, between: Range) -> Array:
    """Colours of depth, and one for what is missing."""
    missing, colours = ~(target > 0), depth_colours(target, between)
    return np.where(missing[..., None], np.array(UNLABELLED, np.uint8), colours)
