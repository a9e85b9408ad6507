"""``ade20k:DIR``: ADE20K's scene parsing (Zhou et al., 2017), where 0 means not labelled."""

from __future__ import annotations

from pathlib import Path

from auxnas.compiler.tasks import IGNORE
from auxnas.search.data.base import Reader
from auxnas.search.data.decoded import DecodedFiles
from auxnas.search.data.errors import DataError
from auxnas.search.data.files import same_classes
from auxnas.search.data.layouts.classes import LabelKey
from auxnas.search.data.layouts.pairs import Folders, matched_pairs
from auxnas.search.data.lists import numbered_lines

COUNT = 150
"""Classes, stored as 1 to 150."""
NAMES = "objectInfo150.txt"
"""Table of their names, with a head and tabs; the name is the last column."""
_PARTS = {"train": "training", "val": "validation"}
_KEY = LabelKey((IGNORE, *range(COUNT)))


def open_ade20k(where: str, classes: int | None, part: str) -> DecodedFiles:
    """A part of the data.

    Args:
        where: ``ADEChallengeData2016``, with ``images/`` and ``annotations/``.
        classes: 150, or None.
        part: ``train`` or ``val``.

    Raises:
        DataError: when the layout is not as expected.
    """
    name, root, parts = f"ade20k:{where}", Path(where), ade20k_parts(where)
    if part not in parts:
        raise DataError(name, f"no {part} part", f"images/{_PARTS[part]}")
    names = same_classes(_class_names(root / NAMES), classes, "ADE20K")
    pairs, unmatched = matched_pairs(*parts[part])
    remark = unmatched.remark(root)
    return DecodedFiles(
        name, names, pairs, root, remark=remark, unmatched=unmatched, decode=_KEY, manner="ade20k"
    )


def ade20k_parts(where: str) -> dict[str, Folders]:
    """The folders of images and of label images of each part.

    Raises:
        DataError: when this is not such a folder.
    """
    found = dict(_folders(Path(where)))
    if "train" not in found:
        expected = "folders images/training and annotations/training"
        raise DataError(f"ade20k:{where}", "not the layout of ADE20K", expected)
    return found


def _folders(root: Path) -> list[tuple[str, Folders]]:
    both = {
        part: (root / "images" / name, root / "annotations" / name) for part, name in _PARTS.items()
    }
    return [(part, pair) for part, pair in both.items() if pair[0].is_dir() and pair[1].is_dir()]


def _class_names(path: Path) -> tuple[str, ...]:
    """The first of each class's names, numbered where it is there twice; else numbers."""
    if not path.is_file():
        return tuple(f"class{index}" for index in range(COUNT))
    rows = [
        line.split("\t")[-1].split(",")[0].strip()
        for _, line in numbered_lines(path)
        if line.strip()
    ]
    names = rows[1:]
    if len(names) != COUNT:
        raise DataError(str(path), f"{len(names)} classes", f"{COUNT}, below a head")
    return tuple(n if names.index(n) == i else f"{n} {i + 1}" for i, n in enumerate(names))


ADE20K = Reader(open_ade20k, ade20k_parts, fits=lambda where: "train" in dict(_folders(where)))
"""``ade20k:DIR``."""
