"""Base of the datasets of persons."""

from __future__ import annotations

from abc import ABC, abstractmethod

from auxnas.backends.colours import class_colours
from auxnas.compiler.tasks.pose import Joints, Skeleton, context
from auxnas.search.data.base import BaseDataset, Bytes
from auxnas.search.data.pose.crops import CropMap, Region, Size


class PersonCrops(BaseDataset, ABC):
    """Crops of persons, one an item.

    Attributes:
        skeleton: the joints.
        size: (height, width) of the crops without their margin.
    """

    skeleton: Skeleton
    size: Size

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

    @abstractmethod
    def photograph(self, index: int) -> Bytes:
        """The whole image of a person: uint8 ``(height, width, 3)``."""

    @abstractmethod
    def region(self, index: int) -> Region:
        """The box of a person in the image, before it is fitted to a crop."""

    def crop_map(self, index: int) -> CropMap:
        """The map from the image to the crop at ``index``."""
        height, width = self.size
        return self.region(index).fitted(width / height).onto(self.size, self.margin)

    def image(self, index: int) -> Bytes:
        """The crop at ``index``: uint8 ``(height, width, 3)``, its margin included."""
        return self.crop_map(index).crop(self.photograph(index), self.size)
