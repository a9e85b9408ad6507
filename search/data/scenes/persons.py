"""``synthetic`` for pose: one rendered person an item."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from auxnas.compiler.tasks.pose import COCO17, Skeleton
from auxnas.search.data.base import Bytes, text_digest
from auxnas.search.data.pose.base import PersonCrops
from auxnas.search.data.pose.crops import Region
from auxnas.search.data.scenes.people import PeopleScene, render_people
from auxnas.search.data.scenes.series import PROBES, SceneSeries

HEAD_SHARE = 0.6
"""Size of a head in the diagonal of its box, for PCKh."""
_ROOM = 1.25
"""Sides of a scene in the longer one of a crop."""


@dataclass(frozen=True)
class RenderedPersons(PersonCrops, SceneSeries[PeopleScene]):
    """Crops of the persons in the middle of a stretch of an endless series of scenes.

    Attributes:
        count: how many scenes.
        seed: of the series.
        size: (height, width) of the crops without their margin.
        start: number of the first scene.
        skeleton: the joints of the labels, COCO-17 or MPII-16.

    Raises:
        DataError: when the size is not positive.
    """

    size: tuple[int, int] = (128, 96)
    skeleton: Skeleton = COCO17

    def fingerprint(self) -> str:
        """A hash of the settings and of a few crops, so that it changes with the renderer."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        probes = [
            (self.image(index).tobytes(), self.label(index).tobytes())
            for index in range(min(PROBES, self.count))
        ]
        settings = (self.count, self.seed, tuple(self.size), self.start, self.skeleton)
        return text_digest("synthetic persons", settings, self.margin, probes)

    def photograph(self, index: int) -> Bytes:
        """The whole scene: uint8 ``(height, width, 3)``."""
        return self.scene(index).scene.image

    def region(self, index: int) -> Region:
        """The box of the person in the middle."""
        return Region.of_box(self.scene(index).people[0].box)

    def label(self, index: int) -> NDArray[np.float32]:
        """The joints at ``index``: float32 ``(joints + 1, 3)``."""
        person = self.scene(index).people[0]
        joints = np.array([person.joints[name] for name in self.classes], np.float32)
        head = HEAD_SHARE * math.hypot(*person.head[2:])
        return self.crop_map(index).label(joints, person.area, head)

    def rendered(self, size: tuple[int, int], seed: int) -> RenderedPersons:
        """As many crops of another size and seed."""
        return replace(self, size=size, seed=seed)

    def _rendered(self, index: int) -> PeopleScene:
        side = math.ceil(_ROOM * max(self.size))
        return render_people(self.seed, self.start + index, (side, side))
