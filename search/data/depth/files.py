"""``depth:WHERE``: images and depth maps as files, by lists or in folders of equal names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from auxnas.backends.images.depth import MAPS
from auxnas.compiler.tasks import TargetFormat, Task
from auxnas.compiler.tasks.depth import METRES
from auxnas.search.data.base import Reader, Unmatched, text_digest
from auxnas.search.data.depth.pairs import folders_in, list_pairs, lists_in
from auxnas.search.data.depth.places import ListPlaces
from auxnas.search.data.errors import DataError
from auxnas.search.data.files import FileDataset, lone_file
from auxnas.search.data.layouts.pairs import matched_pairs

_LAYOUTS = (
    "a list file, a folder with one for train (and one for val or test), "
    "or a folder with images/ and depth/"
)


@dataclass(frozen=True)
class DepthFiles(FileDataset):
    """Pairs of image and depth files, read when asked for.

    Attributes:
        roots: folders that the fingerprint's file names are relative to, the first they are in.
    """

    labels: TargetFormat = METRES
    roots: tuple[Path, ...] = ()

    def fingerprint(self) -> str:
        """A hash of the files and of the unit; the first call reads all."""
        return text_digest("depth", self.content, self.labels.units)

    def relative(self, path: Path) -> str:
        """The name of a file in the folder that it is in."""
        whole, roots = path.absolute(), (root.absolute() for root in self.roots)
        inside = (whole.relative_to(root) for root in roots if whole.is_relative_to(root))
        return next(inside, path).as_posix()

    def of_task(self, task: Task) -> DepthFiles:
        """Itself, as far as a task of depth looks: there are no other labels."""
        return replace(self, labels=replace(METRES, limit=task.labels.limit))


def open_depth(where: str, classes: int | None, part: str) -> DepthFiles:
    """The dataset of a list file, or of a folder with lists or with folders of equal names.

    Args:
        where: the folder or the file, and perhaps other folders, see ``ListPlaces``.
        classes: means nothing here.
        part: ``train`` or ``val``.

    Raises:
        DataError: when there is no such layout, list, file or part.
    """
    name, places, parts = f"depth:{where}", ListPlaces.of(where), depth_parts(where)
    if part not in parts:
        words = {"train": "train", "val": "val or test"}[part]
        found_parts = " and ".join(parts)
        expected = f"a list, or folders, with {words} in the name"
        raise DataError(name, f"no {part} part, only {found_parts}", expected)
    found = parts[part]
    if isinstance(found, Path):
        pairs, remark = list_pairs(found, places.images, places.depth)
        unmatched = Unmatched()
    else:
        pairs, unmatched = matched_pairs(*found, MAPS, "depth map")
        remark = unmatched.remark(found[0].parent, "depth map")
    roots = places.roots
    return DepthFiles(name, (), pairs, roots[-1], remark=remark, roots=roots, unmatched=unmatched)


def depth_parts(where: str) -> Mapping[str, Path | tuple[Path, Path]]:
    """The list file, or the folders of images and depth maps, of each part.

    Raises:
        DataError: when there is none.
    """
    places = ListPlaces.of(where)
    root, val = places.where, {} if places.val is None else {"val": places.val}
    if alone := lone_file(f"depth:{where}", root):
        return {**alone, **val}
    lists = lists_in(root)
    if not lists and len(places.roots) > 1:
        raise DataError(f"depth:{where}", f"no list in {root}", "one, for images= and depth=")
    found = lists or folders_in(root)
    if not found:
        raise DataError(f"depth:{where}", "neither lists nor folders of depth maps", _LAYOUTS)
    return {**found, **val}


def _is_depth(where: Path) -> bool:
    """Whether this is a file, which may be a list, or a folder of lists or of depth maps."""
    try:
        if where.is_file() or lists_in(where):
            return True
    except DataError:  # several lists of a part
        return True
    depths = (depths for _, depths in folders_in(where).values())
    return any(path.suffix.lower() in MAPS for each in depths for path in each.rglob("*"))


DEPTH = Reader(
    open_depth, depth_parts, fits=_is_depth, absolute=lambda rest: ListPlaces.of(rest).absolute
)
"""``depth:DIR_OR_LIST``."""
