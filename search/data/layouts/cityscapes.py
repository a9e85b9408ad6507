"""``cityscapes:DIR``: street scenes with fine labels (Cordts et al., 2016)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from auxnas.backends.images import read_label
from auxnas.search.data.base import Bytes, Reader, Unmatched
from auxnas.search.data.decoded import DecodedFiles
from auxnas.search.data.errors import DataError
from auxnas.search.data.files import Pair, same_classes

IMAGES, LABELS = "leftImg8bit", "gtFine"
"""Folders of the data, and words at the end of the names in them."""
IDS, TRAINING_IDS = "labelIds", "labelTrainIds"
"""Label images: of all 34 ids, and those that createTrainIdLabelImgs.py makes of them."""
PARTS = ("train", "val")

CITYSCAPES_CLASSES = {
    "road": (7, (128, 64, 128)),
    "sidewalk": (8, (244, 35, 232)),
    "building": (11, (70, 70, 70)),
    "wall": (12, (102, 102, 156)),
    "fence": (13, (190, 153, 153)),
    "pole": (17, (153, 153, 153)),
    "traffic light": (19, (250, 170, 30)),
    "traffic sign": (20, (220, 220, 0)),
    "vegetation": (21, (107, 142, 35)),
    "terrain": (22, (152, 251, 152)),
    "sky": (23, (70, 130, 180)),
    "person": (24, (220, 20, 60)),
    "rider": (25, (255, 0, 0)),
    "car": (26, (0, 0, 142)),
    "truck": (27, (0, 0, 70)),
    "bus": (28, (0, 60, 100)),
    "train": (31, (0, 80, 100)),
    "motorcycle": (32, (0, 0, 230)),
    "bicycle": (33, (119, 11, 32)),
}
"""Id and colour of each class that is trained on, in the order of the training ids."""
_IDS = 34
"""Ids that there are, from 0; those of no class count as not labelled."""


def _translation() -> Bytes:
    """The training id of each id; what is no id stays as it is, and so is found."""
    table = np.arange(256, dtype=np.uint8)
    table[:_IDS] = 255
    for index, (number, _) in enumerate(CITYSCAPES_CLASSES.values()):
        table[number] = index
    return table


def read_cityscapes_label(path: Path, place: str) -> Bytes:
    """The training ids in a label image of ids, or of training ids: its name says which.

    Raises:
        DataError: when it is missing, damaged or no label image.
    """
    found = read_label(path, place)
    return found if path.stem.endswith(TRAINING_IDS) else _translation()[found]


def open_cityscapes(where: str, classes: int | None, part: str) -> DecodedFiles:
    """A part of the data as its folders have it.

    Args:
        where: the folder of ``leftImg8bit`` and ``gtFine``.
        classes: 19, or None.
        part: ``train`` or ``val``.

    Raises:
        DataError: when the layout is not as expected.
    """
    name, root = f"cityscapes:{where}", Path(where)
    same_classes(tuple(CITYSCAPES_CLASSES), classes, "Cityscapes")
    if part not in cityscapes_parts(where):
        raise DataError(name, f"no {part} part", f"{IMAGES}/{part}")
    images, labels = root / IMAGES / part, root / LABELS / part
    pairs = tuple(_pairs(images, labels))
    if not pairs:
        expected = f"CITY/NAME_{IMAGES}.png or .jpg"
        raise DataError(str(images), "no image", expected)
    known = {pair.line for pair in pairs}
    alone = {
        stem: path for stem, path in sorted(_stems(labels, LABELS).items()) if stem not in known
    }
    return DecodedFiles(
        name=name,
        classes=tuple(CITYSCAPES_CLASSES),
        pairs=pairs,
        root=root,
        colours=tuple(colour for _, colour in CITYSCAPES_CLASSES.values()),
        remark=f"{labels}: passed over the labels of {len(alone)} images that are not there "
        f"(first {next(iter(alone))})"
        if alone
        else "",
        decode=read_cityscapes_label,
        manner="cityscapes",
        unmatched=Unmatched(labels=tuple(alone.values())),
    )


def cityscapes_parts(where: str) -> tuple[str, ...]:
    """The parts that there are images of.

    Raises:
        DataError: when this is not such a folder.
    """
    root = Path(where)
    if not _is_cityscapes(root):
        expected = f"folders {IMAGES}/train and {LABELS}/train"
        raise DataError(f"cityscapes:{where}", "not the layout of Cityscapes", expected)
    return tuple(part for part in PARTS if (root / IMAGES / part).is_dir())


def _pairs(images: Path, labels: Path) -> Iterator[Pair]:
    """Each image and its label image: of training ids where there is one, else of ids."""
    for stem, path in sorted(_stems(images, IMAGES).items()):
        beside = [labels / f"{stem}_{LABELS}_{kind}.png" for kind in (TRAINING_IDS, IDS)]
        yield Pair(path, next((p for p in beside if p.is_file()), beside[-1]), stem)


def _stems(folder: Path, ending: str) -> dict[str, Path]:
    """Files by city and name without the ending: ``ulm/ulm_000000_000019``."""
    found = sorted(folder.glob(f"*/*_{ending}*"))
    return {f"{each.parent.name}/{each.name.split(f'_{ending}')[0]}": each for each in found}


def _is_cityscapes(where: Path) -> bool:
    """Whether there are the two folders with a part to train on."""
    return all((where / folder / PARTS[0]).is_dir() for folder in (IMAGES, LABELS))


CITYSCAPES = Reader(open_cityscapes, cityscapes_parts, fits=_is_cityscapes)
"""``cityscapes:DIR``."""
