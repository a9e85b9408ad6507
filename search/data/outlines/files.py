"""Datasets of image files whose labels are drawn."""

from __future__ import annotations

from dataclasses import dataclass

from auxnas.backends.images import header
from auxnas.backends.images.opening import turn_upright
from auxnas.compiler.tasks import Task
from auxnas.search.data.base import Bytes, text_digest
from auxnas.search.data.files import FileDataset, file_content
from auxnas.search.data.outlines.shapes import Drawing, draw_marks


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
        drawing, size = self.drawings[index], self.drawings[index].size
        if size is None:
            size = header(file_content(self.pairs[index].image, self.place(index))).upright
        return self.upright(index, draw_marks(drawing.marks, size, self.background))
