"""``folder:DIR``: images and label images in folders beside each other, by equal names."""

from __future__ import annotations

from pathlib import Path

from auxnas.backends.images import kinds_there
from auxnas.search.data.base import Reader
from auxnas.search.data.decoded import DecodedFiles
from auxnas.search.data.errors import DataError
from auxnas.search.data.layouts.classes import known_classes
from auxnas.search.data.layouts.pairs import (
    IMAGES,
    LABELS,
    Folders,
    has_picture,
    matched_pairs,
    named_folders,
    part_folders,
    part_lists,
)
from auxnas.search.data.lists import listed_names

_LAYOUTS = (
    "images/ and masks/ (or labels/), with or without train/ and val/ in both, or train/ and "
    "val/ with those two in each"
)


def open_folder(where: str, classes: int | None, part: str) -> DecodedFiles:
    """The pairs of a part.

    Args:
        where: the folder of ``images/`` and ``masks/``.
        classes: how many; None when a file beside them says so, see ``known_classes``.
        part: ``train`` or ``val``.

    Raises:
        DataError: when there is no such layout or part, or the classes are not known.
    """
    name, parts = f"folder:{where}", folder_parts(where)
    if part not in parts:
        raise DataError(name, f"no {part} part", "folders train and val")
    images, labels = parts[part]
    root = Path(where)
    table = known_classes((root, images, labels), classes)
    pairs, unmatched = matched_pairs(images, labels)
    if lists := part_lists(root):
        names = {stem for stem, _ in listed_names(lists[part])}
        pairs = tuple(
            p for p in pairs if p.image.relative_to(images).with_suffix("").as_posix() in names
        )
    said = (unmatched.remark(root), table.remark)
    return DecodedFiles(
        name=name,
        classes=table.classes,
        pairs=pairs,
        root=root,
        colours=table.colours,
        remark="\n".join(filter(None, said)),
        unmatched=unmatched,
        decode=table.key,
        manner=repr((table.key.numbers, table.key.colours)),
    )


def folder_parts(where: str) -> dict[str, Folders]:
    """The folders of images and of label images of each part.

    Raises:
        DataError: when this is not such a folder.
    """
    found = part_folders(Path(where))
    if "train" not in found:
        raise DataError(f"folder:{where}", _absence(Path(where)), _LAYOUTS)
    return found


def _absence(root: Path) -> str:
    """Words on what there is in place of such folders."""
    if not root.is_dir():
        return "no such folder"
    there = named_folders(root, (*IMAGES, *LABELS))
    empty = [path for path in there if not has_picture(path)]
    if not there:
        return "no such folders in it"
    if empty:
        names = " and ".join(f"{path.name}/{kinds_there(path)}" for path in empty)
        return f"no pictures in {names}"
    return f"{' and '.join(f'{path.name}/' for path in there)} alone"


FOLDER = Reader(open_folder, folder_parts, fits=lambda where: "train" in part_folders(where))
"""``folder:DIR``."""
