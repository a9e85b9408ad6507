"""``voc:DEVKIT``: the PASCAL VOC layout."""

from __future__ import annotations

from pathlib import Path

from auxnas.backends.colours import pascal_colours
from auxnas.compiler.tasks import IGNORE
from auxnas.search.data.base import Array, Reader
from auxnas.search.data.errors import DataError
from auxnas.search.data.files import FileDataset, Pair, same_classes
from auxnas.search.data.layouts.classes import LabelKey
from auxnas.search.data.lists import listed_names

VOC_CLASSES = (
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)
"""The classes of PASCAL VOC segmentation; borders between objects are 255."""

VOC_COLOURS = tuple(map(tuple, pascal_colours(len(VOC_CLASSES)).tolist()))
"""Their colours."""

VOC_PICTURES = "VOC"
"""Collection of the pictures, under whose names SBD has them too."""

VOC_LISTS_FOLDER = Path("ImageSets", "Segmentation")
"""A PASCAL VOC year's lists of segmented images."""

_VOC_LISTS = {"train": ("train.txt", "trainval.txt"), "val": ("val.txt",)}


VOC_KEY = LabelKey(
    (*range(len(VOC_CLASSES)), IGNORE),
    (*VOC_COLOURS, (224, 224, 192)),
    "PASCAL VOC's palette",
    (*VOC_CLASSES, "border"),
    indexed=True,
)
"""Meaning of label images that were saved in VOC's colours instead of with a palette."""


class VocFiles(FileDataset):
    """Pairs of PASCAL VOC's layout, with indices or in VOC's colours."""

    def label(self, index: int) -> Array:
        """The label at ``index``, values as stored; of a label image in colours the classes."""
        if not self.labels.classes:
            return super().label(index)
        return VOC_KEY(self.pair(index).label, self.label_place(index))


def open_voc(where: str, classes: int | None, part: str) -> VocFiles:
    """The segmentation part of a PASCAL VOC folder in the official layout.

    Args:
        where: ``VOCdevkit``, or the year's folder in it.
        classes: 21, or None.
        part: ``train`` (``train.txt``, else ``trainval.txt``) or ``val``.

    Raises:
        DataError: when the layout is not as expected or the list is empty.
    """
    same_classes(VOC_CLASSES, classes, "PASCAL VOC")
    root, lists = voc_parts(where)
    if part not in lists:
        raise DataError(f"voc:{where}", f"no {part} part", " or ".join(_VOC_LISTS[part]))
    names = listed_names(lists[part])
    images, labels = root / "JPEGImages", root / "SegmentationClass"
    pairs = tuple(Pair(images / f"{n}.jpg", labels / f"{n}.png", line) for n, line in names)
    return VocFiles(f"voc:{where}", VOC_CLASSES, pairs, root, VOC_COLOURS, collection=VOC_PICTURES)


def voc_parts(where: str) -> tuple[Path, dict[str, Path]]:
    """The year's folder, and the list file of each part that it has.

    Raises:
        DataError: when this is not a PASCAL VOC folder.
    """
    years = [Path(where), *sorted(Path(where).glob("VOC[0-9]*"), reverse=True)]
    for root in years:
        folder = root / VOC_LISTS_FOLDER
        if folder.is_dir():
            return root, {
                part: next(folder / name for name in names if (folder / name).is_file())
                for part, names in _VOC_LISTS.items()
                if any((folder / name).is_file() for name in names)
            }
    raise DataError(
        f"voc:{where}", "no VOC2012/ImageSets/Segmentation in it", "the official VOCdevkit layout"
    )


def _is_voc(where: Path) -> bool:
    """Whether this is a folder in PASCAL VOC's layout, with its own classes."""
    years = (where, *where.glob("VOC[0-9]*"))
    return not (where / "labelmap.txt").is_file() and any(
        (year / VOC_LISTS_FOLDER).is_dir() for year in years
    )


VOC = Reader(open_voc, lambda where: voc_parts(where)[1], ("background",), _is_voc)
"""``voc:VOCDEVKIT``; the paper's scores leave background out."""
