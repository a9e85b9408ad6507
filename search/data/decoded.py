"""Datasets of image files whose labels have to be translated into classes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from auxnas.backends.images import read_label
from auxnas.compiler.tasks import Task
from auxnas.search.data.base import Bytes, text_digest
from auxnas.search.data.files import FileDataset


@dataclass(frozen=True)
class DecodedFiles(FileDataset):
    """Pairs of image files and of label files in a format of their own.

    Attributes:
        decode: the classes, uint8 (height, width), in a label file that messages name so.
        manner: names the translation; empty where labels are taken as they are stored.
    """

    decode: Callable[[Path, str], Bytes] = read_label
    manner: str = ""

    def fingerprint(self) -> str:
        """A hash of the files and of the translation; the first call reads all."""
        content = super().fingerprint()
        return text_digest(self.manner, content) if self.manner else content

    def of_task(self, task: Task) -> DecodedFiles:
        """Itself: there are no labels but classes."""
        return self

    def label(self, index: int) -> Bytes:
        """The classes at ``index``: uint8 ``(height, width)``, 255 where there is none.

        Raises:
            DataError: when the file is missing, damaged or of another format.
        """
        return self.decode(self.pair(index).label, self.label_place(index))
