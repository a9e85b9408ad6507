"""Pairs of images and depth maps: list files, and folders of equal names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from auxnas.search.data.errors import DataError
from auxnas.search.data.files import Pair
from auxnas.search.data.lists import ListRow, numbered_lines

ABSENT = "None"
"""Word of KITTI's lists instead of a depth map that there is not."""
IMAGES = ("images", "image", "rgb", "color", "colour")
DEPTHS = ("depth", "depths", "annotations", "gt")
"""Names of the two folders of equal names."""
_PARTS = {"train": ("train",), "val": ("val", "valid", "test", "eval")}
_LISTS = ("*.lst", "*.txt")


def list_pairs(
    path: Path, images: Path | None = None, depth: Path | None = None
) -> tuple[tuple[Pair, ...], str]:
    """The pairs of a list file, and a remark about lines that were passed over, or "".

    A line is an image and its depth map, apart by a tab or blanks. Numbers behind them, as BTS's
    focal length, are passed over, and so is what stands between, as a mask; a line whose
    depth is ``None`` has none. Names may begin with a slash all the same as they are
    relative: to the list's folder, or to one or two folders below it; they may be absolute too.

    Args:
        path: of the list.
        images: folder in the place of the list's, for images.
        depth: likewise for depth maps.

    Raises:
        DataError: naming the line that is none, or the file that is not there.
    """
    rows, absent = [], 0
    for number, line in numbered_lines(path):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        row = _row(text, f"{path} line {number}", f"{path.name} line {number}")
        if row is None:
            absent += 1
        else:
            rows.append(row)
    if not rows:
        raise DataError(str(path), "no pair in the list", "one image TAB depth a line")
    first = rows[0]
    roots = (
        _root(images or path.parent, first.line, first.image),
        _root(depth or path.parent, first.line, first.label),
    )
    found = (Pair(roots[0] / row.image, roots[1] / row.label, row.line) for row in rows)
    remark = f"{path}: {absent} of {absent + len(rows)} lines have no depth map" if absent else ""
    return tuple(found), remark


def _row(text: str, place: str, line: str) -> ListRow | None:
    names = [part.strip() for part in (text.split("\t") if "\t" in text else text.split())]
    while len(names) > 2 and _is_number(names[-1]):
        names.pop()
    if len(names) < 2 or not all(names) or (len(names) > 3 and "\t" not in text):
        raise DataError(place, f"{len(names)} names in {text[:80]!r}", "an image and a depth map")
    image, depth = (name.lstrip("/") for name in (names[0], names[-1]))
    return None if depth == ABSENT else ListRow(image, depth, line)


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?", text, re.IGNORECASE) is not None


def _root(where: Path, line: str, name: str) -> Path:
    """The folder that ``name`` is relative to: ``where``, the first below that has it, or ``/``."""
    below = (folder for pattern in ("*", "*/*") for folder in sorted(where.glob(pattern)))
    for folder in (where, *below, Path("/")):
        if (folder / name).is_file():
            return folder
    expected = f"it in {where} or up to two folders below; depth:LIST,images=DIR,depth=DIR"
    raise DataError(f"{where / name} ({line})", "no such file", f"{expected} if it is elsewhere")


def lists_in(folder: Path) -> dict[str, Path]:
    """The list file of each part in a folder: by ``train``, ``val`` or ``test`` in its name."""
    for pattern in _LISTS:
        found: dict[str, Path] = {}
        for path in sorted(folder.glob(pattern)):
            part = _part(path.stem)
            if part is not None:
                if part in found and path.stem not in _PARTS[part]:
                    names = f"{found[part].name} and {path.name}"
                    raise DataError(str(folder), names, f"one list of the {part} part, or its name")
                found[part] = path
        if found:
            return found
    return {}


def _part(name: str) -> str | None:
    """The part that the words of a name say; the first that says one."""
    words = re.split(r"[^a-z0-9]+", name.lower())
    return next((part for word in words for part, known in _PARTS.items() if word in known), None)


def folders_in(folder: Path) -> dict[str, tuple[Path, Path]]:
    """The folders of images and of depth maps of each part, where they are laid out so.

    Either ``images/`` and ``depth/``, or each with folders ``train`` and ``val`` (or ``test``).
    """
    pair = [_named(folder, names) for names in (IMAGES, DEPTHS)]
    if None in pair:
        return {}
    images, depths = (each for each in pair if each is not None)
    parts = {
        part: (images / name, depths / name)
        for part, names in _PARTS.items()
        for name in reversed(names)
        if (images / name).is_dir() and (depths / name).is_dir()
    }
    return parts or {"train": (images, depths)}


def _named(folder: Path, names: Iterable[str]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_dir()), None)
