"""Rendered street scenes, the data that is always there.

``render_scene`` draws scene ``index`` of series ``seed``: it depends on these two and the size
and on nothing else. Next to the image and its labels it knows depth and where things are.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from auxnas.compiler.tasks import TargetFormat, Task
from auxnas.compiler.tasks.depth import METRES, MISSING
from auxnas.compiler.tasks.pose import COCO17, MPII16, Joints
from auxnas.genotype.errors import inline, short_repr
from auxnas.search.data.base import Array, Bytes, Reader, check_size
from auxnas.search.data.errors import DataError
from auxnas.search.data.files import same_classes
from auxnas.search.data.scenes.compose import compose
from auxnas.search.data.scenes.draw import RenderedScene, draw_scene
from auxnas.search.data.scenes.layout import CLASSES
from auxnas.search.data.scenes.persons import RenderedPersons
from auxnas.search.data.scenes.series import PROBES, SceneSeries

_COLOURS = {
    "sky": (84, 174, 255),
    "ground": (73, 114, 39),
    "road": (74, 47, 109),
    "pavement": (228, 206, 182),
    "building": (137, 64, 79),
    "vehicle": (17, 43, 156),
    "crate": (229, 177, 22),
    "barrel": (17, 138, 133),
    "ball": (255, 133, 198),
    "pole": (14, 45, 24),
    "lamp": (224, 255, 136),
    "person": (246, 11, 60),
}
"""Near what street scenes are usually drawn in, and apart in every kind of sight."""
DEFAULT_COUNT = 500
MOST_SCENES = 1_000_000
"""Scenes of a dataset at most: the largest number is a slip."""
_VAL_START = 1 << 31


def render_scene(
    seed: int, index: int, size: tuple[int, int] = (128, 128), steady: bool = False
) -> RenderedScene:
    """Scene ``index`` of the series ``seed`` at (height, width); ``steady`` as in ``compose``.

    Raises:
        DataError: when a number is negative or the size is not positive.
    """
    check_size(size)
    if seed < 0 or index < 0:
        raise DataError("synthetic scene", f"seed {seed}, index {index}", "both at least 0")
    layout = compose(random.Random(f"scene {seed} {index}"), steady)
    return draw_scene(layout, size, np.random.default_rng((seed, index)))


@dataclass(frozen=True)
class SyntheticDataset(SceneSeries[RenderedScene]):
    """A stretch of an endless series of scenes.

    Attributes:
        count: how many scenes.
        seed: of the series.
        size: (height, width) in pixels.
        start: number of the first scene.

    Raises:
        DataError: when there is no scene, a number is negative or the size is not positive.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.count < 1 or self.seed < 0 or self.start < 0:
            found = f"count {self.count}, seed {self.seed}, start {self.start}"
            raise DataError("synthetic", found, "count at least 1, the others at least 0")

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes."""
        return CLASSES

    @property
    def palette(self) -> Bytes:
        """Colours of the classes, uint8 ``(classes, 3)``."""
        return np.array([_COLOURS[name] for name in CLASSES], np.uint8)

    def fingerprint(self) -> str:
        """A hash of the settings and of a few scenes, so that it changes with the renderer."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        settings = ("synthetic", self.count, self.seed, tuple(self.size), self.start)
        state = hashlib.sha256(repr(settings).encode())
        for index in range(min(PROBES, self.count)):
            state.update(self.image(index).tobytes())
            state.update(self.label(index).tobytes())
        return state.hexdigest()

    def image(self, index: int) -> Bytes:
        """The image at ``index``: uint8 ``(height, width, 3)``."""
        return self.scene(index).image

    def label(self, index: int) -> Array:
        """The label at ``index``: uint8 ``(height, width)``."""
        return self.scene(index).label

    def rendered(self, size: tuple[int, int], seed: int) -> SyntheticDataset:
        """As many scenes of another size and seed."""
        return replace(self, size=size, seed=seed)

    def of_task(self, task: Task) -> SyntheticDataset | RenderedPersons:
        """The scenes with what the task takes for labels: their depth, or people's joints."""
        where = self.count, self.seed, self.size, self.start
        if task.labels.same_numbers(METRES):
            return DepthScenes(*where)
        fitting = [
            each for each in (COCO17, MPII16) if Joints(skeleton=each).same_numbers(task.labels)
        ]
        return RenderedPersons(*where, fitting[0]) if fitting else self

    def _rendered(self, index: int) -> RenderedScene:
        return render_scene(self.seed, self.start + index, self.size)


FARTHEST = 40.0
"""Metres: what is farther, and the sky, has no depth in a dataset. Half of the rest is nearer than
8 m, and the error of a few far pixels does not rule all others."""


@dataclass(frozen=True)
class DepthScenes(SyntheticDataset):
    """Scenes of steadier cameras, with their depth for labels."""

    labels: TargetFormat = METRES

    @property
    def classes(self) -> tuple[str, ...]:
        """There are none."""
        return ()

    @property
    def palette(self) -> Bytes:
        """There are no classes to colour."""
        return np.zeros((0, 3), np.uint8)

    def label(self, index: int) -> NDArray[np.float32]:
        """Metres at ``index``: float32 ``(height, width)``, 0 where there are none."""
        depth = self.scene(index).depth
        return np.where(depth <= FARTHEST, depth, MISSING).astype(np.float32)

    def _rendered(self, index: int) -> RenderedScene:
        return render_scene(self.seed, self.start + index, self.size, steady=True)


def open_synthetic(rest: str, classes: int | None, part: str) -> SyntheticDataset:
    """``COUNT`` scenes, or 500; a fifth as many, other ones, to validate on.

    Raises:
        DataError: for another number of classes, or ``rest`` that is no number.
    """
    fits = rest.isascii() and rest.isdigit() and len(rest) <= len(str(MOST_SCENES))
    if rest and not (fits and 1 <= int(rest) <= MOST_SCENES):
        expected = f"a number of images from 1 to {MOST_SCENES:,}"
        raise DataError(f"data 'synthetic:{inline(rest)}'", short_repr(rest), expected)
    same_classes(CLASSES, classes, "the synthetic scenes")
    count = int(rest or DEFAULT_COUNT)
    if part == "train":
        return SyntheticDataset(count)
    return SyntheticDataset(max(1, count // 5), start=_VAL_START)


SYNTHETIC = Reader(
    open_synthetic,
    lambda rest: ("train", "val"),
    options=lambda rest: {"depth": {"max": f"{FARTHEST:g}"}},
)
"""``synthetic`` or ``synthetic:COUNT``."""
