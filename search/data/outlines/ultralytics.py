"""``ultralytics:FILE.yaml``: the ``data.yaml`` of Ultralytics, with masks or with polygons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from auxnas.backends.images import SUFFIXES, find_images
from auxnas.search.data.base import Reader, Unmatched
from auxnas.search.data.decoded import DecodedFiles
from auxnas.search.data.documents import number_in
from auxnas.search.data.errors import DataError
from auxnas.search.data.files import (
    FileDataset,
    Pair,
    check_classes,
    same_classes,
)
from auxnas.search.data.lists import numbered_lines
from auxnas.search.data.outlines.files import DrawnFiles, drawn
from auxnas.search.data.outlines.shapes import Drawing, Mark, Polygon, vertices
from auxnas.search.data.outlines.yaml_file import Value, yaml_values

NAMES = ("data.yaml", "dataset.yaml", "data.yml")
"""Of the file in a folder."""
_KEYS = {"train": ("train",), "val": ("val", "valid", "validation")}
_BACKGROUND = "background"


def open_ultralytics(where: str, classes: int | None, part: str) -> FileDataset:
    """The images of a part.

    With ``masks_dir`` labels are images of class numbers in that folder in place of ``images``;
    else polygons in ``labels``, of which smaller ones are on top, and what is in none is a class
    ``background`` behind the others.

    Args:
        where: the file, or the folder that it is in.
        classes: how many; None for as many as there are.
        part: ``train`` or ``val``.

    Raises:
        DataError: when the file is missing or not as the format has it, or names no labels.
    """
    name, path = f"ultralytics:{where}", _file(where)
    values, images = _values(path), ultralytics_parts(where)
    if part not in images:
        raise DataError(name, f"no {part} part", f"{part}: in {path}")
    masks, named = values.get("masks_dir"), _names(values, path)
    if masks is not None and not isinstance(masks, str):
        raise DataError(f"{path}: masks_dir", "a list", "a folder")
    names = named if masks else (*named, _BACKGROUND)
    same_classes(names, classes, str(path))
    check_classes(len(names), str(path))
    found = [(image, _label_of(image, masks)) for image in images[part]]
    pairs = tuple(Pair(image, label, image.name) for image, label in found if label is not None)
    if not pairs:
        kind = f"a mask in {masks}" if masks else "a text in labels"
        raise DataError(name, f"{len(found)} images, none with a label", f"{kind} for each")
    unmatched = Unmatched(tuple(image for image, label in found if label is None))
    told = {"remark": unmatched.remark(path.parent), "unmatched": unmatched}
    if masks:
        return DecodedFiles(name, names, pairs, path.parent, **told)  # type: ignore[arg-type]
    pairs, drawings = drawn((each, partial(_drawing, each, len(named))) for each in pairs)
    return DrawnFiles(
        name,
        names,
        pairs,
        path.parent,
        **told,  # type: ignore[arg-type]
        manner="ultralytics",
        drawings=drawings,
        background=len(named),
    )


def ultralytics_parts(where: str) -> dict[str, list[Path]]:
    """The images of each part.

    Raises:
        DataError: when there is no such file, or no images that it names.
    """
    path = _file(where)
    values = _values(path)
    if "train" not in values:
        raise DataError(str(path), "no train in it", "the data.yaml of Ultralytics")
    given = {
        part: next((values[k] for k in keys if k in values), None) for part, keys in _KEYS.items()
    }
    return {
        part: sorted(dict.fromkeys(_images(value, _root(values, path), f"{path}: {part}")))
        for part, value in given.items()
        if value is not None
    }


def _file(where: str) -> Path:
    path = Path(where)
    if not path.is_dir():
        return path
    found = [path / name for name in NAMES if (path / name).is_file()]
    if not found:
        raise DataError(f"ultralytics:{where}", f"no {NAMES[0]} in it", "the file of the data")
    return found[0]


def _values(path: Path) -> Mapping[str, Value]:
    keys = tuple(key for keys in _KEYS.values() for key in keys)
    return yaml_values(path, ("path", "names", "nc", "masks_dir", *keys))


def _root(values: Mapping[str, Value], path: Path) -> Path:
    """The folder that places are relative to: ``path``, where that is here."""
    given = values.get("path", "")
    root = path.parent / given if isinstance(given, str) else path.parent
    return root if root.is_dir() else path.parent


def _images(value: Value, root: Path, place: str) -> Iterator[Path]:
    """The images in folders and in lists."""
    for each in [value] if isinstance(value, str) else list(value):
        inner = each
        while inner.startswith("../") and not (root / inner).exists():
            inner = inner.removeprefix("../")  # of files that were written for another place
        found = root / inner
        if found.is_dir():
            yield from find_images(found)
        elif found.suffix == ".txt" and found.is_file():
            lines = (text.strip() for _, text in numbered_lines(found))
            yield from (found.parent / line for line in lines if line)
        else:
            raise DataError(place, f"{each}: no such folder or list", f"one in {root}")


def _names(values: Mapping[str, Value], path: Path) -> tuple[str, ...]:
    """The class names, by their numbers from 0 on."""
    names, count = values.get("names"), values.get("nc")
    if names is None and isinstance(count, str) and count.isdecimal():
        return tuple(f"class{index}" for index in range(int(count)))
    if isinstance(names, dict):
        if list(names) != [str(index) for index in range(len(names))]:
            raise DataError(
                f"{path}: names", f"numbers {', '.join(names)[:60]}", "0, 1, 2 and so on"
            )
        names = list(names.values())
    if not isinstance(names, list):
        raise DataError(f"{path}: names", "no class names", "a list or a table of them")
    if len(set(names)) != len(names) or (count is not None and count != str(len(names))):
        found = f"{len(set(names))} different ones"
        raise DataError(f"{path}: names", found, f"{count or len(names)}")
    return tuple(names)


def _label_of(image: Path, masks: str | None) -> Path | None:
    """The label file of an image, where there is one."""
    before, images, after = image.as_posix().rpartition("/images/")
    folder = Path(f"{before}/{masks or 'labels'}/{after}" if images else image).parent
    suffixes = SUFFIXES if masks else (".txt",)
    places = [folder / f"{image.stem}{suffix}" for suffix in suffixes]
    return next((each for each in places if each != image and each.is_file()), None)


def _drawing(pair: Pair, classes: int) -> Drawing:
    """The polygons of an image, in shares of its sides, the largest first."""
    found = []
    for n, text in numbered_lines(pair.label):
        words, place = text.split(), f"{pair.label} line {n}"
        if not words:
            continue
        label, *numbers = (number_in(word, "a number", place) for word in words)
        if label not in range(classes):
            raise DataError(place, f"class {words[0]}", f"0..{classes - 1}")
        if len(numbers) == 4:
            raise DataError(place, "a box (4 numbers behind the class)", "polygons, or masks_dir")
        outside = [x for x in numbers if not 0 <= x <= 1]
        if outside:
            expected = "0 to 1: shares of the image's width and height, no pixels"
            raise DataError(place, f"a point with {outside[0]:g}", expected)
        found.append((int(label), Polygon(vertices(numbers, (1, 1), place), relative=True)))
    found.sort(key=lambda each: -each[1].area)
    return Drawing(tuple(Mark(*each) for each in found))


def _is_ultralytics(where: Path) -> bool:
    """Whether this is a file of YAML, or a folder with one that names images to train on."""
    if where.is_file():
        return where.suffix in (".yaml", ".yml")
    try:
        return "train" in _values(_file(str(where)))
    except DataError:
        return False


ULTRALYTICS = Reader(open_ultralytics, ultralytics_parts, fits=_is_ultralytics)
"""``ultralytics:FILE.yaml``."""
