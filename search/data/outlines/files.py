"""Datasets of image files whose labels are drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from auxnas.backends.images import header
from auxnas.backends.images.opening import turn_upright
from auxnas.compiler.tasks import Task
from auxnas.search.data.base import Bytes, text_digest
from auxnas.search.data.errors import DataError
from auxnas.search.data.files import FileDataset, Pair, file_content
from auxnas.search.data.outlines.shapes import Drawing, draw_marks

Drawn = tuple[tuple[Pair, ...], tuple[Drawing, ...]]


@dataclass(frozen=True)
class UprightFiles(FileDataset):
    """Images whose labels lie as these are shown, or are turned with them.

    Attributes:
        manner: names how labels are made.
        as_stored: whether labels are of the pixels as they are stored, whatever EXIF says, as
            COCO's; else those alone that have the size of the stored image and not of the shown.
    """

    manner: str = ""
    as_stored: bool = False

    def fingerprint(self) -> str:
        """A hash of the files and of how labels are made of them; the first call reads all."""
        turned = ("upright",) if self.as_stored and self.turned else ()
        return text_digest(self.manner, super().fingerprint(), *turned)

    def note(self) -> str:
        """Nothing: labels are turned where that is needed."""
        return ""

    def of_task(self, task: Task) -> UprightFiles:
        """Itself: there are no labels but classes."""
        return self

    def upright(self, index: int, label: Bytes) -> Bytes:
        """The label at ``index`` as its image is shown."""
        found = header(file_content(self.pairs[index].image, self.place(index)))
        shown = label.shape == found.upright and not self.as_stored
        if found.orientation == 1 or shown or label.shape != found.size:
            return label
        return turn_upright(label, found.orientation)


@dataclass(frozen=True)
class DrawnFiles(UprightFiles):
    """Images whose labels are drawn from outlines.

    Attributes:
        drawings: of each image.
        background: number of the pixels that are in no outline; 255 for none.
    """

    drawings: tuple[Drawing, ...] = ()
    background: int = 0

    def label(self, index: int) -> Bytes:
        """The classes at ``index``: uint8 ``(height, width)``, 255 where there is none.

        Raises:
            DataError: when an outline is damaged, or the image that has the size cannot be read.
        """
        pair, drawing = self.pair(index), self.drawings[index]
        size = drawing.size
        if size is None:
            size = header(file_content(pair.image, self.place(index))).upright
        return self.upright(index, draw_marks(drawing.marks, size, self.background))


def drawn(rows: Iterable[tuple[Pair, Callable[[], Drawing]]]) -> Drawn:
    """Pairs and the drawings of their labels; one that cannot be made is its pair's fault.

    Args:
        rows: pairs, each with the maker of its drawing, which raises ``DataError``.
    """
    found = [_drawn(*row) for row in rows]
    return tuple(pair for pair, _ in found), tuple(drawing for _, drawing in found)


def _drawn(pair: Pair, draw: Callable[[], Drawing]) -> tuple[Pair, Drawing]:
    if pair.fault is None:
        try:
            return pair, draw()
        except DataError as fault:
            pair = replace(pair, fault=fault)
    return pair, Drawing(())
