"""Pairs of images and label files of equal names, and the folders that they are in."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from auxnas.backends.images import SUFFIXES, check_distinct_stems, find_images
from auxnas.search.data.base import Unmatched
from auxnas.search.data.errors import DataError
from auxnas.search.data.files import Pair

IMAGES = ("images", "image", "imgs", "img", "JPEGImages")
LABELS = ("masks", "mask", "labels", "label", "annotations", "annotation", "SegmentationClass")
"""Names of the two folders, the first that there is, in capitals or not."""
ENDINGS = ("", "_L", "_mask", "_masks", "_label", "_labels", "_gt", "_seg")
"""Ends of a label file's name, behind the image's."""
BESIDE = ("_labels", "_masks", "_mask", "_label", "annot", "_annot")
"""Ends of the name of a folder of labels, behind that of its images."""
_PARTS = {"train": ("train", "training"), "val": ("val", "valid", "validation", "test")}

LISTS = Path("ImageSets", "Segmentation")
"""Folder of lists of the images of each part, as PASCAL VOC and CVAT have them."""

T = TypeVar("T")
Folders = tuple[Path, Path]
"""Of images, and of labels."""


def part_folders(root: Path) -> dict[str, Folders]:
    """The folders of images and of label images of each part; none where it is laid out otherwise.

    ``images/`` and ``masks/``, each with folders ``train`` and ``val`` perhaps; or folders
    ``train`` and ``val`` with those two in each, or with ``train_labels`` beside ``train``, or with
    pictures and their ``_mask.png`` together.
    """
    images, labels = _named(root, IMAGES), _labels_in(root)
    if images is not None and labels is not None:
        parts = {
            part: (inner, labels / inner.name)
            for part, inner in folders_of_parts(images).items()
            if (labels / inner.name).is_dir()
        }
        return parts or dict.fromkeys(["train", *part_lists(root)], (images, labels))
    found = {part: _of_part(inner) for part, inner in folders_of_parts(root).items()}
    return {part: folders for part, folders in found.items() if folders is not None}


def part_lists(root: Path) -> dict[str, Path]:
    """The list of image names of each part, where there is one for train and one for val."""
    found = parts_of_names({path.stem: path for path in sorted((root / LISTS).glob("*.txt"))})
    return found if len(found) == len(_PARTS) else {}


def _of_part(folder: Path) -> Folders | None:
    """The two folders of a part."""
    images, labels = _named(folder, IMAGES), _labels_in(folder)
    if images is not None and labels is not None:
        return images, labels
    for ending in BESIDE:
        beside = folder.with_name(folder.name + ending)
        if beside.is_dir():
            return folder, beside
    together = any(_has_ending(path) for path in folder.iterdir())
    return (folder, folder) if together else None


def folders_of_parts(folder: Path) -> dict[str, Path]:
    """The folder of each part, by its name, a year behind it perhaps."""
    return parts_of_names({re.sub(r"\d+$", "", path.name): path for path in _folders(folder)})


def parts_of_names(found: Mapping[str, T]) -> dict[str, T]:
    """Those called like each part; of several the most usual name counts."""
    known = {name.lower(): each for name, each in found.items()}
    return {
        part: known[name]
        for part, names in _PARTS.items()
        for name in reversed(names)
        if name in known
    }


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []


def _named(folder: Path, names: Iterable[str]) -> Path | None:
    return next(iter(named_folders(folder, names)), None)


def named_folders(folder: Path, names: Iterable[str]) -> list[Path]:
    """Folders in one, by the order of names that they have, in capitals or not."""
    known = {path.name.lower(): path for path in _folders(folder)}
    return [known[name.lower()] for name in names if name.lower() in known]


def _labels_in(folder: Path) -> Path | None:
    """The first folder named like one of label images that has some."""
    return next(filter(has_picture, named_folders(folder, LABELS)), None)


def has_picture(folder: Path) -> bool:
    """Whether there is a file named like a picture in a folder, or below it."""
    return any(map(_is_picture, folder.rglob("*")))


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def _has_ending(path: Path) -> bool:
    return _is_picture(path) and path.stem.endswith(ENDINGS[1:])


def matched_pairs(
    images: Path, labels: Path, suffixes: Sequence[str] = SUFFIXES, word: str = "label image"
) -> tuple[tuple[Pair, ...], Unmatched]:
    """The pairs of equal names, and the files without a partner.

    Behind the names of all label files may be one of ``ENDINGS``.

    Args:
        images: folder of the images; where it is that of the labels too, these have an ending.
        labels: folder of the label files.
        suffixes: of those.
        word: for one of them.

    Raises:
        DataError: when there is no pair, or an image has two label files.
    """
    pictures, files = find_images(images), files_below(labels, suffixes)
    if images == labels:
        pictures = [path for path in pictures if not _has_ending(path)]
        files = [path for path in files if _has_ending(path)]
    named = {_key(path, images): path for path in pictures}
    ending = _common_ending(named, [_key(path, labels) for path in files])
    known: dict[str, Path] = {}
    for path in files:
        key = _key(path, labels)
        key = key.removesuffix(ending) if key.endswith(ending) else ""
        if key in known and key in named:
            raise DataError(str(path), f"the name of {known[key].name}", f"one {word} an image")
        known[key or str(path)] = path
    pairs = [(path, known[key]) for key, path in named.items() if key in known]
    if not pairs:
        found = f"{len(files)} {word}s, none with the name of an image in {images}"
        raise DataError(str(labels), found, f"equal names, with {', '.join(suffixes)}")
    check_distinct_stems([image for image, _ in pairs])
    used = {path for pair in pairs for path in pair}
    rows = tuple(Pair(image, label, f"{image.name} in {images}") for image, label in pairs)
    alone = (tuple(p for p in paths if p not in used) for paths in (pictures, files))
    return rows, Unmatched(*alone)


def _common_ending(images: Mapping[str, Path], labels: Iterable[str]) -> str:
    """The ending of ``ENDINGS`` behind which most label files have an image's name."""
    counts = Counter(
        ending
        for key in labels
        for ending in ENDINGS
        if key.endswith(ending) and key[: len(key) - len(ending)] in images
    )
    return max(ENDINGS, key=lambda ending: counts[ending])


def files_below(folder: Path, suffixes: Sequence[str] = SUFFIXES) -> list[Path]:
    """The files in a folder and below it that end like pictures, or with other suffixes."""
    files = (path for path in sorted(folder.rglob("*")) if path.suffix.lower() in suffixes)
    return [path for path in files if path.is_file()]


def _key(path: Path, folder: Path) -> str:
    return path.relative_to(folder).with_suffix("").as_posix()
