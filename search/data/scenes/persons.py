"""``synthetic`` for pose: one rendered person an item."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from auxnas.backends.colours import class_colours
from auxnas.compiler.tasks.pose import COCO17, Joints, Skeleton, context
from auxnas.search.data.base import BaseDataset, Bytes, check_size, text_digest
from auxnas.search.data.pose.crops import CropMap, Region
from auxnas.search.data.scenes.people import PeopleScene, render_people

HEAD_SHARE = 0.6
"""Size of a head in the diagonal of its box, for PCKh."""
_ROOM = 1.25
"""Sides of a scene in the longer one of a crop."""
_PROBES = 3


@dataclass(frozen=True)
class RenderedPersons(BaseDataset):
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

    count: int
    seed: int = 0
    size: tuple[int, int] = (128, 96)
    start: int = 0
    skeleton: Skeleton = COCO17
    _last: dict[int, PeopleScene] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        check_size(self.size)

    @property
    def name(self) -> str:
        """``synthetic:COUNT``."""
        return f"synthetic:{self.count}"

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the joints."""
        return self.skeleton.joints

    @property
    def palette(self) -> Bytes:
        """Colours of the joints, uint8 ``(joints, 3)``."""
        return class_colours(self.classes)

    @property
    def labels(self) -> Joints:
        """The joints of a person."""
        return Joints(skeleton=self.skeleton)

    @property
    def margin(self) -> int:
        """Pixels around each side of a crop."""
        return context(self.size)

    def __len__(self) -> int:
        return self.count

    def fingerprint(self) -> str:
        """A hash of the settings and of a few crops, so that it changes with the renderer."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        probes = [
            (self.image(index).tobytes(), self.label(index).tobytes())
            for index in range(min(_PROBES, self.count))
        ]
        settings = (self.count, self.seed, tuple(self.size), self.start, self.skeleton)
        return text_digest("synthetic persons", settings, self.margin, probes)

    def image(self, index: int) -> Bytes:
        """The crop at ``index``: uint8 ``(height, width, 3)``, its margin included."""
        return self.crop_map(index).crop(self.scene(index).scene.image, self.size)

    def label(self, index: int) -> NDArray[np.float32]:
        """The joints at ``index``: float32 ``(joints + 1, 3)``."""
        person = self.scene(index).people[0]
        joints = np.array([person.joints[name] for name in self.classes], np.float32)
        head = HEAD_SHARE * math.hypot(*person.head[2:])
        return self.crop_map(index).label(joints, person.area, head)

    def crop_map(self, index: int) -> CropMap:
        """The map from the scene to the crop at ``index``."""
        height, width = self.size
        region = Region.of_box(self.scene(index).people[0].box)
        return region.fitted(width / height).onto(self.size, self.margin)

    def rendered(self, size: tuple[int, int], seed: int) -> RenderedPersons:
        """As many crops of another size and seed."""
        return replace(self, size=size, seed=seed)

    def scene(self, index: int) -> PeopleScene:
        """The whole scene at ``index``; the last one asked for is kept.

        Raises:
            IndexError: when there is no such scene.
        """
        if not 0 <= index < self.count:
            raise IndexError(f"scene {index} of {self.count}")
        kept = self._last.get(index)
        if kept is None:
            side = math.ceil(_ROOM * max(self.size))
            kept = render_people(self.seed, self.start + index, (side, side))
            self._last.clear()
            self._last[index] = kept
        return kept
