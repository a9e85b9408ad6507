"""Folders of pictures: what lies below one, links followed, and the labels beside it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

from auxnas.backends.images.depth import MAPS
from auxnas.backends.images.errors import DataError
from auxnas.compiler.tasks import TargetFormat

_Named = dict[str, list[Path]]

SUFFIXES = (
    ".jpg",
    ".jpeg",
    ".png",
    ".bmp",
    ".webp",
    ".tif",
    ".tiff",
    ".gif",
    ".pgm",
    ".ppm",
    ".pnm",
)
_KINDS = 3
"""Suffixes of other files that are told of."""
NUMBERS = (".npy",)
"""Suffixes of labels that are other numbers than classes."""


def label_suffixes(numbers: TargetFormat) -> tuple[str, ...]:
    """Suffixes of the files that labels are in."""
    if numbers.classes:
        return SUFFIXES
    return MAPS if numbers.metric else NUMBERS


def find_images(folder: str | Path, most: int | None = None) -> list[Path]:
    """The image files below ``folder`` in order of name, at most ``most`` spread over them.

    Links are followed, to files and to folders. A link that leads nowhere is among them where it
    is named like a picture or like a folder, so that reading it says so.

    Raises:
        DataError: when there is no folder, one that cannot be listed, or no image in it.
    """
    folder = _directory(folder)
    found = sorted(path for path in _files(folder) if _meant(path))
    if not any(path.exists() for path in found):
        nothing = f"no image files{kinds_there(folder)}"
        if found:
            first = f"{found[0].relative_to(folder)} -> {os.readlink(found[0])}"
            nothing += f", but {_links(len(found))} ({first})"
        raise DataError(str(folder), nothing, f"some of {', '.join(SUFFIXES)}")
    if most is None or len(found) <= most:
        return found
    return [found[index * len(found) // most] for index in range(most)]


def kinds_there(folder: Path) -> str:
    """Words in brackets on the files below a folder by their suffixes, "" where there are none."""
    counts = Counter(path.suffix.lower() or "no suffix" for path in _files(folder) if path.exists())
    shown = ", ".join(f"{count} of {kind}" for kind, count in counts.most_common(_KINDS))
    return f" ({shown})" if shown else ""


def _directory(folder: str | Path, of: str = "images") -> Path:
    folder = Path(folder)
    if not folder.is_dir():
        what = "no such directory"
        if os.path.lexists(folder):
            what = "not a directory" if folder.exists() else "a broken link"
        raise DataError(str(folder), what, f"a directory of {of}")
    return folder


def _links(count: int) -> str:
    return "a link that leads nowhere" if count == 1 else f"{count} links that lead nowhere"


def _meant(path: Path) -> bool:
    """Whether a file is an image by its name, or a broken link that may have led to some."""
    suffix = path.suffix.lower()
    return suffix in SUFFIXES or (not suffix and path.is_symlink() and not path.exists())


def _files(folder: Path) -> Iterator[Path]:
    """All that is no folder below ``folder``; every folder once, by its own name if it has one.

    A link to a folder around the one that it lies in is a loop and is left out.
    """
    seen: set[str] = set()
    waiting, linked = [folder], list[Path]()
    while waiting or linked:
        current = waiting.pop() if waiting else linked.pop()
        real = os.path.realpath(current)
        if real in seen:
            continue
        seen.add(real)
        for path in _listed(current):
            if not path.is_dir():
                yield path
            elif not path.is_symlink():
                waiting.append(path)
            elif not Path(real).is_relative_to(os.path.realpath(path)):
                linked.append(path)


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir(), reverse=True)
    except OSError as error:
        words = error.strerror or str(error)
        raise DataError(str(folder), f"cannot be listed ({words})", "a readable folder") from error


def find_label_images(
    photographs: Sequence[Path],
    images: str | Path,
    labels: str | Path,
    suffixes: Sequence[str] = SUFFIXES,
) -> tuple[Path, ...]:
    """The label file of each photograph: at the same place below ``labels``, suffixes aside.

    Args:
        photographs: below ``images``.
        images: their folder.
        labels: the folder of label files.
        suffixes: of those.

    Raises:
        DataError: naming a photograph without a label image or with several, or two photographs
            that would share one.
    """
    root, named = _directory(labels, "label images"), cache(_named)
    check_distinct_stems(photographs)
    return tuple(
        _label_of(path, root / path.relative_to(images), named, suffixes) for path in photographs
    )


def check_distinct_stems(photographs: Sequence[Path]) -> None:
    """Checks that no photograph has another beside it that one label image would belong to, too.

    Raises:
        DataError: naming both.
    """
    named = cache(_named)
    for photograph in photographs:
        for twin in named(photograph.parent).get(photograph.stem, []):
            if twin != photograph and twin.suffix.lower() in SUFFIXES:
                words = f"{twin.name} beside it, and one label image for both"
                raise DataError(str(photograph), words, "names that differ before the suffix")


def _label_of(
    photograph: Path, place: Path, named: Callable[[Path], _Named], suffixes: Sequence[str]
) -> Path:
    beside = named(place.parent).get(place.stem, [])
    found = [path for path in beside if path.suffix.lower() in suffixes]
    if not found:
        expected = f"one for {photograph}"
        usual = ".png" if ".png" in suffixes else suffixes[0]
        raise DataError(str(place.parent), f"no label image {place.stem}{usual}", expected)
    if len(found) > 1:
        several = " and ".join(path.name for path in found)
        raise DataError(str(place.parent), several, f"one label image for {photograph}")
    return found[0]


def _named(folder: Path) -> _Named:
    """The files in ``folder`` by name, whatever their suffix."""
    found: _Named = {}
    for path in reversed(_listed(folder)) if folder.is_dir() else ():
        found.setdefault(path.stem, []).append(path)
    return found
