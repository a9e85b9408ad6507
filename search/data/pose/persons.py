"""Datasets of persons in image files."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from auxnas.backends.images import read_photograph
from auxnas.compiler.errors import CompilerError
from auxnas.compiler.tasks.pose import ABSENT, Skeleton, skeleton_of
from auxnas.search.data.base import Array, Bytes, check_size, text_digest
from auxnas.search.data.errors import DataError
from auxnas.search.data.latest import Latest
from auxnas.search.data.pose.base import PersonCrops
from auxnas.search.data.pose.crops import Region, Size

Floats = NDArray[np.float32]

DEFAULT_CROP = (256, 192)
"""(height, width) of crops where nothing is said."""
OUTSIDE = 0.05
"""Share of an image's longer side that joints may lie outside it: heads that are cut off do."""


@dataclass(frozen=True, eq=False)
class Person:
    """A person in an image, in places of its stored pixels: the first one's is 0.

    Attributes:
        image: the file.
        line: words for the entry that names the person: ``valid.json person 3``.
        region: the box, as it is before it is fitted to a crop.
        joints: (K, 3) x, y and flag.
        area: pixels that the person covers; 0 unknown.
        head: size of the head; 0 unknown.
        score: the box's, 1 for a true one.
        image_id: number of the image, for results.
        size: (height, width) of the image as the annotations say it; None where they do not.
    """

    image: Path
    line: str
    region: Region
    joints: Floats
    area: float = 0.0
    head: float = 0.0
    score: float = 1.0
    image_id: int = 0
    size: Size | None = None

    @property
    def place(self) -> str:
        """Words by which errors name the person."""
        return f"{self.image} ({self.line})"


@dataclass(frozen=True)
class PersonFiles(PersonCrops):
    """Persons in image files: each item is the crop of one, read when asked for.

    Attributes:
        name: for people.
        skeleton: the joints.
        people: in the order of the items.
        source: the file of annotations, or a folder of several.
        size: (height, width) of the crops without their margin.
        remark: something that users should know of how the file was read; may be empty.
    """

    name: str
    skeleton: Skeleton
    people: tuple[Person, ...]
    source: Path
    size: Size = DEFAULT_CROP
    remark: str = ""
    _last: Latest[Path, Bytes] = field(
        default_factory=Latest, init=False, repr=False, compare=False
    )

    def __len__(self) -> int:
        return len(self.people)

    def fingerprint(self) -> str:
        """A hash of all persons and of the images' bytes; the first call reads all.

        Raises:
            DataError: when a file cannot be read.
        """
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        contents: dict[Path, str] = {}
        state = hashlib.sha256(text_digest("persons", self.skeleton, tuple(self.size)).encode())
        for person in self.people:
            if person.image not in contents:
                contents[person.image] = _digest(person)
            numbers = (person.region, person.area, person.head, person.score)
            state.update(text_digest(contents[person.image], *numbers).encode())
            state.update(person.joints.tobytes())
        return state.hexdigest()

    def place(self, index: int) -> str:
        """The image's file, and the entry that names the person."""
        return self.people[index].place

    def group(self, index: int) -> str:
        """The photograph: people who are together in one are not split."""
        return str(self.people[index].image)

    def check_presence(self, index: int) -> None:
        """Checks that the image exists.

        Raises:
            DataError: when it does not.
        """
        if not self.people[index].image.is_file():
            raise DataError(self.place(index), "no such file")

    def check_item(self, index: int, image: Array, label: Array) -> None:
        """Checks that the image has the size that the annotations say, and the joints in it.

        Raises:
            DataError: where it has not.
        """
        person, pixels = self.people[index], self.photograph(index)
        height, width = pixels.shape[:2]
        if person.size is not None and person.size != (height, width):
            said = "x".join(map(str, person.size))
            expected = f"{said} (height x width), as the annotations say: is it turned or resized?"
            raise DataError(person.place, f"an image of {height}x{width}", expected)
        limit = OUTSIDE * max(height, width) + 1
        far = _outside(person.joints, (height, width)) > limit
        if far.any():
            joint = int(np.flatnonzero(far)[0])
            x, y = person.joints[joint, :2]
            found = f"{self.classes[joint]} at x {x:g}, y {y:g}, outside the image"
            raise DataError(person.place, found, f"within {width}x{height} (width x height) pixels")

    def photograph(self, index: int) -> Bytes:
        """The whole image of a person, as it is stored; the last one read is kept.

        Raises:
            DataError: when the file is missing or damaged.
        """
        person = self.people[index]
        return self._last.of(
            person.image, lambda: read_photograph(person.image, person.place, upright=False)
        )

    def region(self, index: int) -> Region:
        """The person's box in the image."""
        return self.people[index].region

    def label(self, index: int) -> Floats:
        """The joints at ``index``: float32 ``(joints + 1, 3)``."""
        person = self.people[index]
        found = self.crop_map(index)
        return found.label(person.joints, person.area, person.head, person.score)

    def rendered(self, size: Size, seed: int) -> PersonFiles:
        """The same persons in crops of (height, width)."""
        return replace(self, size=check_size(size))


def _digest(person: Person) -> str:
    try:
        return hashlib.sha256(person.image.read_bytes()).hexdigest()
    except OSError as error:
        raise DataError(person.place, error.strerror or str(error)) from error


def _outside(joints: Floats, size: Size) -> NDArray[np.float32]:
    """Pixels that each joint lies outside an image of (height, width); 0 where it is absent."""
    height, width = size
    low, high = np.zeros(2, np.float32), np.array((width - 1, height - 1), np.float32)
    far = np.maximum(low - joints[:, :2], joints[:, :2] - high).max(axis=1)
    found: NDArray[np.float32] = np.where(joints[:, 2] == ABSENT, 0, far)
    return found


def checked_skeleton(joints: Sequence[str], place: str) -> Skeleton:
    """The skeleton of a file's joints.

    Raises:
        DataError: naming the file, for names that are not usable or do not pair up.
    """
    for name in joints:
        if not isinstance(name, str) or not name.strip() or set(name) & set(",=+"):
            raise DataError(place, f"a joint called {name!r}"[:80], "names without , = or +")
    try:
        return skeleton_of(joints)
    except CompilerError as error:
        raise DataError(place, f"joints: {error.found}", error.expected) from None
