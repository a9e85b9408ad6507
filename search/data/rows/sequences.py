"""Any object with items of an image and a label, as a dataset."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from auxnas.backends.colours import class_colours
from auxnas.backends.images.pictures import label_values, photograph_pixels
from auxnas.genotype.errors import short_repr
from auxnas.search.data.base import BaseDataset, Bytes
from auxnas.search.data.errors import DataError
from auxnas.search.data.files import check_classes, same_classes
from auxnas.search.data.latest import Latest

IMAGES = ("image", "pixel_values", "img")
LABELS = ("label", "labels", "mask", "annotation", "segmentation", "semantic_segmentation")
"""Keys of the two in items that are tables."""


def is_sequence(found: object) -> bool:
    """Whether an object has a length and items, but none of a dataset's own methods."""
    own = any(hasattr(found, name) for name in ("image", "label", "fingerprint"))
    return not own and all(hasattr(found, name) for name in ("__len__", "__getitem__"))


class SequenceDataset(BaseDataset):
    """Items ``(image, label)``, or tables with these, of an object with ``len`` and ``[index]``.

    Images are uint8 arrays (height, width, 3) or pictures of Pillow's, labels whole numbers
    (height, width) or such pictures, by the rules of files: a list, a ``Dataset`` of torch's whose
    transforms make no tensors, one of Hugging Face's.

    Args:
        items: the object; its ``classes``, names, are the data's.
        name: for messages.
        classes: how many; None where ``items`` says so.

    Raises:
        DataError: when nothing says the number of classes, or both do and differ.
    """

    def __init__(self, items: Any, name: str, classes: int | None) -> None:
        self.items, self.name = items, name
        self.classes = _names(items, name, classes)
        self._last = Latest[int, tuple[Bytes, Bytes]]()

    @property
    def palette(self) -> Bytes:
        """Colours that are made up."""
        return class_colours(self.classes)

    def __len__(self) -> int:
        return len(self.items)

    def fingerprint(self) -> str:
        """A hash of all images and labels; the first call reads them."""
        return self._content

    @cached_property
    def _content(self) -> str:
        state = hashlib.sha256(repr(self.classes).encode())
        for index in range(len(self)):
            for part in (self.image(index), self.label(index)):
                state.update(repr(part.shape).encode() + part.tobytes())
        return state.hexdigest()

    def image(self, index: int) -> Bytes:
        """The image at ``index``: uint8 RGB ``(height, width, 3)``."""
        return self._item(index)[0]

    def label(self, index: int) -> Bytes:
        """The label at ``index``: uint8 ``(height, width)``."""
        return self._item(index)[1]

    def _item(self, index: int) -> tuple[Bytes, Bytes]:
        return self._last.of(index, lambda: self._read(index))

    def _read(self, index: int) -> tuple[Bytes, Bytes]:
        place = self.place(index)
        image, label = _pair(self.items[index], place)
        return photograph_pixels(image, place), label_values(label, place)


def _names(items: Any, name: str, count: int | None) -> tuple[str, ...]:
    """The class names that the object has, else numbered ones."""
    own = getattr(items, "classes", None)
    if isinstance(own, list | tuple) and own and all(isinstance(each, str) for each in own):
        check_classes(len(own), name)
        return same_classes(tuple(own), count, name)
    if count is None:
        raise DataError("classes", f"not given, and {name} has no names in classes", "one of them")
    return tuple(f"class{index}" for index in range(check_classes(count)))


def _pair(item: Any, place: str) -> tuple[Any, Any]:
    """Image and label of an item."""
    if isinstance(item, Mapping):
        found = [next((item[k] for k in keys if k in item), None) for keys in (IMAGES, LABELS)]
        if found[0] is None or found[1] is None:
            keys = short_repr(list(item))
            raise DataError(place, f"a table of {keys}", f"{IMAGES[0]} and {LABELS[0]}")
        return found[0], found[1]
    if isinstance(item, tuple | list) and len(item) >= 2:
        return item[0], item[1]
    raise DataError(place, f"an item {type(item).__name__}", "an image and a label")
