"""Labels of pose: the joints of one person, in pixels of the image that the label is of.

A label is float32 ``(K + 1, 3)``. Row k is joint k of the skeleton: x, y, flag. The last row is
of the person: the square root of the area, the head's size, and the box's score. Places are
COCO's and MPII's after its shift: the first pixel's is 0, and an affine map takes them as they
are, without half pixels. All that is measured in pixels (x, y, and the first two numbers of the
last row) is so in the image given: a crop that shows a person twice as large has twice the numbers.

A dataset of persons gives one a time. Its image is a crop around the person's box, and shows
``context`` pixels more on every side than the network is given, so that images that are turned
and scaled in training find something there; without them it is the published crop to the bit.
The dataset says how many in ``margin``; ``rendered(size, seed)`` tells it the size. It has no
``classes``; its ``labels`` are ``Joints`` of its skeleton, and ``of_task(task)`` may give other
joints, those of ``task.labels.skeleton``. A reader whose files say what their joints are gives the
task that skeleton in its ``options``: ``{"pose": {"skeleton": skeleton.text}}``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from auxnas.compiler.tasks.pose.skeletons import Skeleton
from auxnas.compiler.tasks.target import IGNORE, Size, TargetFormat

Array = np.ndarray[Any, Any]
Floats = NDArray[np.float32]

ABSENT, HIDDEN, VISIBLE = 0, 1, 2
"""Flags of a joint: not labelled (x and y mean nothing), labelled though not seen, seen."""
ROOT_AREA, HEAD, SCORE = 0, 1, 2
"""Columns of the last row: pixels, 0 unknown; pixels, 0 unknown; of a detector, 1 for a truth."""


def context(size: Size) -> int:
    """Pixels that a dataset shows around each side of a crop of (height, width).

    A quarter of the longer side: magnifications down to 0.77 without a turn, or a turn of 30
    degrees of a crop 3:4, find nearly all pixels.
    """
    return max(size) // 4


def person_label(
    points: Array | Sequence[Sequence[float]],
    flags: Array | Sequence[int],
    area: float = 0.0,
    head: float = 0.0,
    score: float = 1.0,
) -> Floats:
    """The label of a person.

    Args:
        points: (K, 2) x and y.
        flags: (K,) 0 absent, 1 hidden, 2 visible.
        area: pixels that the person covers, for OKS; 0 where it is not known.
        head: pixels, what PCKh measures by; likewise. MPII's is 0.6 of the head box's diagonal.
        score: the box's, of a detector.

    Returns:
        (K + 1, 3); the places of absent joints are 0.
    """
    marks = np.asarray(flags, np.float32)[:, None]
    rows = np.concatenate([np.asarray(points, np.float32), marks], axis=1)
    rows[rows[:, 2] == ABSENT] = 0
    last = np.array([[area**0.5, head, score]], np.float32)
    found: Floats = np.concatenate([rows, last]).astype(np.float32)
    return found


@dataclass(frozen=True)
class Joints(TargetFormat):
    """Labels that are the joints of a person.

    Attributes:
        skeleton: which; None for any.
    """

    dtype: str = "float32"
    unlabelled: float = 0.0
    skeleton: Skeleton | None = None

    is_map: ClassVar[bool] = False
    element: ClassVar[str] = "joint"

    @property
    def described(self) -> str:
        """The numbers in words."""
        known = self.skeleton
        return "joints of a person" + ("" if known is None else f" ({known.name})")

    def same_numbers(self, other: TargetFormat) -> bool:
        """Whether both are joints, the same ones where both say which."""
        if not isinstance(other, Joints):
            return False
        one, two = self.skeleton, other.skeleton
        return one is None or two is None or one.joints == two.joints

    def fault(self, label: Array, size: Size) -> str | None:
        """The reason that an array is no person's joints; None where it is."""
        if label.dtype != self.dtype:
            return f"label of type {label.dtype}, expected {self.dtype}"
        count = max(len(label) - 1, 1) if self.skeleton is None else len(self.skeleton)
        if label.shape != (count + 1, 3):
            return f"label of shape {label.shape}, expected ({count} joints + 1, 3)"
        if not np.isfinite(label).all():
            return "label has a number that is not finite"
        flags = label[:-1, 2]
        wrong = flags[~np.isin(flags, (ABSENT, HIDDEN, VISIBLE))]
        return f"label has the flag {wrong[0]:g}, expected 0, 1 or 2" if wrong.size else None

    def known(self, target: Array) -> NDArray[np.bool_]:
        """Mask of the rows of labels (..., K + 1, 3) that are joints that count: (..., K + 1)."""
        found: NDArray[np.bool_] = target[..., 2] > ABSENT
        found[..., -1] = False
        return found

    def values(self, label: Array) -> Array:
        """x and y of the joints that count, in a row."""
        found: Array = label[self.known(label), :2].ravel()
        return found

    def counted(self, label: Array) -> NDArray[np.uint8]:
        """0 for a row that is a joint that counts, else 255."""
        return np.where(self.known(label), 0, IGNORE).astype(np.uint8)

    def cut(self, labels: Array, margin: int) -> Array:
        """Labels (..., K + 1, 3) of images without ``margin`` pixels on every side."""
        found = labels.copy()
        found[..., :2] -= margin * self.known(labels)[..., None]
        return found
