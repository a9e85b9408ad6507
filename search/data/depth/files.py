"""``depth:WHERE``: images and depth maps as files, by lists or in folders of equal names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from auxnas.compiler.tasks import TargetFormat, Task
from auxnas.compiler.tasks.depth import METRES, Depth
from auxnas.search.data.base import Reader, text_digest
from auxnas.search.data.depth.maps import Metres, read_depth, scale_of, stored_depth, unit_fault
from auxnas.search.data.depth.pairs import folder_pairs, folders_in, list_pairs, lists_in
from auxnas.search.data.errors import DataError
from auxnas.search.data.files import FileDataset

_LAYOUTS = (
    "a list file, a folder with one for train (and one for val or test), "
    "or a folder with images/ and depth/"
)


@dataclass(frozen=True)
class DepthFiles(FileDataset):
    """Pairs of image and depth files, read when asked for.

    Attributes:
        scale: units a metre; None for 1000 of whole numbers and 1 of real ones.
        limit: metres that the task looks at.
    """

    labels: TargetFormat = METRES
    scale: float | None = None
    limit: float = np.inf

    def fingerprint(self) -> str:
        """A hash of the files and of the scale; the first call reads all."""
        return text_digest("depth", super().fingerprint(), self.scale)

    def of_task(self, task: Task) -> DepthFiles:
        """Itself, as far as a task of depth looks: there are no other labels."""
        return replace(self, limit=task.max) if isinstance(task, Depth) else self

    def suspicion(self, middles: Sequence[float]) -> DataError | None:
        """Error of a unit that is likely another one; None where all is well.

        Args:
            middles: the median depth of each image that has any, in metres.
        """
        first = self.pairs[0].label
        stored = stored_depth(first, self.label_place(0))
        fault = unit_fault(middles, self.scale or scale_of(stored.dtype), self.limit)
        return None if fault is None else DataError(str(first), *fault)

    def scaled(self, scale: float) -> DepthFiles:
        """The same files, so many units a metre."""
        return replace(self, scale=scale)

    def label(self, index: int) -> Metres:
        """Metres at ``index``: float32 ``(height, width)``, 0 where there are none.

        Raises:
            DataError: when the file is missing, damaged or no depth map.
        """
        return read_depth(self.pairs[index].label, self.label_place(index), self.scale)


def open_depth(where: str, classes: int | None, part: str) -> DepthFiles:
    """The dataset of a list file, or of a folder with lists or with folders of equal names.

    Args:
        where: the folder or the file.
        classes: means nothing here.
        part: ``train`` or ``val``.

    Raises:
        DataError: when there is no such layout, list, file or part.
    """
    name, root = f"depth:{where}", Path(where)
    parts = depth_parts(where)
    if part not in parts:
        words = {"train": "train", "val": "val or test"}[part]
        found_parts = " and ".join(parts)
        expected = f"a list, or folders, with {words} in the name"
        raise DataError(name, f"no {part} part, only {found_parts}", expected)
    found = parts[part]
    pairs, remark = list_pairs(found) if isinstance(found, Path) else folder_pairs(*found)
    folder = root if root.is_dir() else root.parent
    return DepthFiles(name, (), pairs, folder, remark=remark)


def depth_parts(where: str) -> Mapping[str, Path | tuple[Path, Path]]:
    """The list file, or the folders of images and depth maps, of each part.

    Raises:
        DataError: when there is none.
    """
    root = Path(where)
    if root.is_file():
        return {"train": root}
    if not root.is_dir():
        raise DataError(f"depth:{where}", "no such file or folder")
    found = lists_in(root) or folders_in(root)
    if not found:
        raise DataError(f"depth:{where}", "neither lists nor folders of depth maps", _LAYOUTS)
    return found


def _is_depth(where: Path) -> bool:
    """Whether this is a file, which may be a list, or a folder of lists or of depth maps."""
    try:
        return where.is_file() or bool(lists_in(where) or folders_in(where))
    except DataError:  # several lists of a part
        return True


DEPTH = Reader(open_depth, depth_parts, fits=_is_depth)
"""``depth:DIR_OR_LIST``."""
