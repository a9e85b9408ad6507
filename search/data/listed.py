"""``list:WHERE``: pairs of images and labels by a list file."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from auxnas.backends.images import header
from auxnas.compiler.tasks import IGNORE
from auxnas.search.data.base import Array, Reader, text_digest
from auxnas.search.data.errors import DataError
from auxnas.search.data.files import (
    FileDataset,
    Pair,
    check_classes,
    file_content,
    lone_file,
    same_classes,
)
from auxnas.search.data.layouts.classes import PALETTE, LabelKey, palette_classes
from auxnas.search.data.lists import list_rows, read_names


@dataclass(frozen=True)
class ListedFiles(FileDataset):
    """Pairs of a list, whose label images may be in the colours of ``palette.txt`` beside it.

    Attributes:
        key: of label images; without colours these are numbers as they are stored.
    """

    key: LabelKey = field(default_factory=LabelKey)

    def label(self, index: int) -> Array:
        """The label at ``index``, values as stored; with a table of colours the classes.

        Raises:
            DataError: as ``FileDataset``, or for a colour that is no class's.
        """
        if not self._is_keyed:
            return super().label(index)
        return self.key(self.pair(index).label, self.label_place(index))

    def fingerprint(self) -> str:
        """A hash of the files, and of what colours and numbers mean where that says more."""
        content = super().fingerprint()
        if self._in_colours:
            content = text_digest("colours", content, self.key.colours)
        moved = self._is_keyed and IGNORE in self.key.numbers
        return text_digest("rows", content, self.key.numbers) if moved else content

    @property
    def _is_keyed(self) -> bool:
        return bool(self.key.colours and self.labels.classes)

    @cached_property
    def _in_colours(self) -> bool:
        if not self._is_keyed:
            return False
        files = {pair.label: pair.place(pair.label) for pair in self.pairs}
        return any(
            header(file_content(path, place)).raw_mode.startswith("RGB")
            for path, place in files.items()
        )


def open_list(where: str, classes: int | None, part: str) -> ListedFiles:
    """The dataset of a list file, or of a folder with ``train.lst`` (and ``val.lst``).

    Args:
        where: the folder or the file. File names are relative to the list's folder.
        classes: how many classes; None when ``classes.txt`` beside the list says so; 0 for none.
        part: ``train`` or ``val``.

    Raises:
        DataError: when the list is missing, empty or none, the part does not exist,
            or the number of classes is unknown or contradicts ``classes.txt`` or
            ``palette.txt``, which has their colours.
    """
    lists = list_parts(where)
    if part not in lists:
        raise DataError(f"list:{where}", f"no {part} part", "a folder with train.lst and val.lst")
    path = lists[part]
    here = path.parent
    names = _class_names(here / "classes.txt", classes)
    table = palette_classes(here / PALETTE, names)
    if table.classes and (here / "classes.txt").is_file():
        same_classes(table.classes, classes, str(here / "classes.txt"))
    rows, remark = list_rows(path)
    pairs = tuple(Pair(here / r.image, here / r.label, r.line, r.fault) for r in rows)
    return ListedFiles(
        name=f"list:{where}",
        classes=table.classes,
        pairs=pairs,
        root=here,
        colours=table.colours,
        remark="\n".join(filter(None, (remark, table.remark))),
        key=replace(table.key, indexed=True),
    )


def list_parts(where: str) -> dict[str, Path]:
    """The list file of each part that ``where`` (a folder or a list) has.

    Raises:
        DataError: when there is none, or which one is meant cannot be told.
    """
    root = Path(where)
    if alone := lone_file(f"list:{where}", root):
        return alone
    found = {path.stem: path for path in sorted(root.glob("*.lst"))}
    if "train" in found:
        return {part: found[part] for part in ("train", "val") if part in found}
    if len(found) != 1:
        names = ", ".join(path.name for path in found.values()) or "no .lst file"
        raise DataError(f"list:{where}", names, "train.lst, or exactly one .lst file")
    return {"train": next(iter(found.values()))}


def _class_names(path: Path, count: int | None) -> tuple[str, ...]:
    """The names in ``path`` if it exists, else ``class0`` ... for ``count`` classes."""
    if count == 0:
        return ()
    if not path.is_file():
        palette = path.with_name(PALETTE)
        if count is None and palette.is_file():
            expected = f"their names in {path}, one a line, or how many: --classes N"
            raise DataError(str(palette), "colours of classes without names", expected)
        if count is None:
            raise DataError("classes", f"not given, and there is no {path}", "one of the two")
        return tuple(f"class{index}" for index in range(check_classes(count)))
    names = read_names(path)
    check_classes(len(names), str(path))
    return names


def _is_list(where: Path) -> bool:
    """Whether this is a file, which may be a list, or a folder of lists."""
    if where.is_file():
        return where.suffix.lower() not in (".json", ".xml", ".yaml", ".yml")
    return next(where.glob("*.lst"), None) is not None


LIST = Reader(open_list, list_parts, fits=_is_list)
"""``list:DIR_OR_FILE``."""
