"""``WHERE,images=DIR,depth=DIR,val=LIST``: lists, and the folders that they are relative to.

BTS and what follows it keep lists apart from the data, and give one folder for images
(``--data_path``) and another one for depth (``--gt_path``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from auxnas.search.data.errors import DataError

_KEYS = ("images", "depth", "val")
_KEY = re.compile(f",({'|'.join(_KEYS)})=")


@dataclass(frozen=True)
class ListPlaces:
    """ListPlaces of depth data.

    Attributes:
        where: a list file, or a folder of lists or of pictures.
        images: folder that images in lists are relative to; None for the list's own.
        depth: likewise of depth maps.
        val: a list of validation images beside the list ``where``.
    """

    where: Path
    images: Path | None = None
    depth: Path | None = None
    val: Path | None = None

    @classmethod
    def of(cls, text: str) -> ListPlaces:
        """The places that a user names.

        Raises:
            DataError: for one that is named twice or not at all, or is not there.
        """
        where, *rest = _KEY.split(text)
        keys, values = rest[::2], rest[1::2]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice is not None:
            raise DataError(f"depth:{text}", f"{twice}= twice", "once")
        found = dict(zip(keys, map(Path, values), strict=True))
        for key, value in zip(keys, values, strict=True):
            there = Path(value).is_file() if key == "val" else Path(value).is_dir()
            if not value or not there:
                kind = "list file" if key == "val" else "folder"
                raise DataError(f"depth:{text}", f"{key}={value}: no such {kind}", f"{key}=PLACE")
        return cls(Path(where), **found)

    @property
    def absolute(self) -> str:
        """The same as text, with paths that hold from everywhere."""
        named = ((key, getattr(self, key)) for key in _KEYS)
        behind = (f",{key}={path.absolute()}" for key, path in named if path is not None)
        return "".join([str(self.where.absolute()), *behind])

    @property
    def roots(self) -> tuple[Path, ...]:
        """Folders that the names of files are relative to, the first that they are in."""
        own = self.where if self.where.is_dir() else self.where.parent
        return tuple(root for root in (self.depth, self.images, own) if root is not None)
