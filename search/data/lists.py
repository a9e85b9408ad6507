"""Text files beside a dataset: lists of images and labels, and names of classes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from auxnas.genotype.texts import encoding_fault, read_text
from auxnas.search.data.errors import DataError

LONGEST_NAME = 100
"""Characters of a class name; tables and pictures have no room for more."""

_MOST_BLANKS = 16


@dataclass(frozen=True)
class ListRow:
    """The two file names of a line (``train.lst line 3``) of a list, or the line's fault."""

    image: str
    label: str
    line: str
    fault: DataError | None = None


def list_rows(path: Path) -> tuple[tuple[ListRow, ...], str]:
    """The rows of a list file, at least one, and a remark about what was not read, or "".

    A line is an image and a label with a tab between them. Further columns are ignored.
    Without a tab the columns are apart by blanks, as long as there are two of them, or only
    one way to cut the line gives two names of files. Blank lines, and those that begin with
    ``#`` and name no file, are passed over. A line that is none of these has a fault.

    Raises:
        DataError: for an empty list; the first fault where there is nothing else.
    """
    rows, wider = [], []
    for number, line in numbered_lines(path):
        line = line.strip()
        if not line or _is_comment(line, path.parent):
            continue
        place, short = f"{path} line {number}", f"{path.name} line {number}"
        try:
            image, label, *more = _columns(line, path.parent, place)
        except DataError as fault:
            rows.append(ListRow("", "", short, fault))
            continue
        rows.append(ListRow(image, label, short))
        if more:
            wider.append((number, more))
    if not rows:
        raise DataError(str(path), "an empty list", "one image TAB label a line")
    faults = [row.fault for row in rows if row.fault]
    if len(faults) == len(rows):
        raise faults[0]
    if not wider:
        return tuple(rows), ""
    number, more = wider[0]
    count = f"{len(wider)} of {len(rows)} lines"
    return tuple(rows), (
        f"{path}: only image and label are read; ignored in {count} is what follows them, "
        f"such as {' '.join(more)[:80]!r} (line {number})"
    )


def _is_comment(line: str, folder: Path) -> bool:
    first = line.split("\t")[0].split()[0]
    return line.startswith("#") and not (folder / first).is_file()


def _columns(line: str, folder: Path, place: str) -> list[str]:
    """Image, label, and whatever else there is."""
    columns = [field.strip() for field in line.split("\t")] if "\t" in line else line.split()
    if len(columns) > 2 and "\t" not in line:
        columns = _cut(line, folder) or columns[:0]
    if len(columns) < 2 or not all(columns[:2]):
        found = f"{len(line.split())} names in {line[:80]!r}"
        raise DataError(place, found, "image TAB label")
    return columns


def _cut(line: str, folder: Path) -> list[str] | None:
    """The only way to cut a line at blanks into two names of files and a rest; None for others."""
    blanks = [match.span() for match in re.finditer(r"\s+", line)]
    if len(blanks) > _MOST_BLANKS:
        return None
    ends = [*blanks, (len(line), len(line))]
    ways = [
        [line[: first[0]], line[first[1] : second[0]], line[second[1] :]]
        for n, first in enumerate(blanks)
        if (folder / line[: first[0]]).is_file()
        for second in ends[n + 1 :]
        if (folder / line[first[1] : second[0]]).is_file()
    ]
    return [part for part in ways[0] if part] if len(ways) == 1 else None


def listed_names(path: Path) -> tuple[tuple[str, str], ...]:
    """The names in an image set, one a line, each with the line's own (``train.txt line 3``).

    Raises:
        DataError: when the file cannot be read, or has none.
    """
    rows = [(line.strip(), f"{path.name} line {n}") for n, line in numbered_lines(path)]
    found = tuple((name, line) for name, line in rows if name)
    if not found:
        raise DataError(str(path), "an empty list", "one image name a line")
    return found


def read_names(path: Path) -> tuple[str, ...]:
    """The class names in a file, one a line; lines that begin with ``#`` are comments.

    Raises:
        DataError: naming the line of a name that is empty, too long or there twice.
    """
    found: dict[str, int] = {}
    rows = [(n, line.strip()) for n, line in numbered_lines(path) if not line.startswith("#")]
    while rows and not rows[-1][1]:
        rows.pop()
    for number, name in rows:
        place = f"{path} line {number}"
        if not name:
            raise DataError(place, "no class name", "one a line")
        if len(name) > LONGEST_NAME:
            expected = f"at most {LONGEST_NAME}"
            raise DataError(place, f"a class name of {len(name)} characters", expected)
        if name in found:
            earlier = f"class {name!r} twice (first in line {found[name]})"
            raise DataError(place, earlier, "distinct names")
        found[name] = number
    return tuple(found)


def read_colours(path: Path, names: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    """The classes' colours in a file, one a line: ``128 64 128``, commas too, or ``#804080``.

    Empty where there is no such file. Lines that begin with ``# `` are comments.

    Args:
        path: the file.
        names: of the classes.

    Raises:
        DataError: naming a line that is no colour, two of the same one, or how many colours there
            are where that is not one a class.
    """
    if not path.is_file():
        return ()
    rows = [(n, text.strip()) for n, text in numbered_lines(path) if not text.startswith("# ")]
    found = tuple(parse_colour(text, f"{path} line {n}") for n, text in rows if text)
    if len(found) != len(names):
        raise DataError(str(path), f"{len(found)} colours", f"{len(names)}, one for each class")
    firsts: dict[tuple[int, ...], tuple[int, str]] = {}
    for number, colour, name in zip((n for n, text in rows if text), found, names, strict=True):
        first, other = firsts.setdefault(colour, (number, name))
        if first != number:
            twice = f"the colour of {name} is that of {other} in line {first}"
            raise DataError(f"{path} line {number}", twice, "another one for each class")
    return found


def parse_colour(text: str, place: str) -> tuple[int, ...]:
    """Red, green and blue of ``128 64 128``, commas too, or ``#804080``.

    Raises:
        DataError: naming ``place``, for a text that is none of these.
    """
    if re.fullmatch("#[0-9a-fA-F]{6}", text):
        return tuple(bytes.fromhex(text[1:]))
    parts = text.replace(",", " ").split()
    if len(parts) == 3 and all(re.fullmatch("[0-9]{1,3}", part) for part in parts):
        values = tuple(map(int, parts))
        if max(values) <= 255:
            return values
    raise DataError(place, repr(text[:60]), "red, green and blue from 0 to 255, or #rrggbb")


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The numbered lines of a text file in UTF-8, with a byte-order mark or without.

    Raises:
        DataError: when it cannot be read, or a line has a control character.
    """
    for number, line in enumerate(_text(path).split("\n"), start=1):
        bad = next((c for c in line if c != "\t" and unicodedata.category(c) == "Cc"), None)
        if bad is not None:
            raise DataError(f"{path} line {number}", f"control character {bad!r}", "plain text")
        yield number, line


def _text(path: Path) -> str:
    try:
        return read_text(path)
    except FileNotFoundError:
        raise DataError(str(path), "no such file") from None
    except UnicodeDecodeError as error:
        raise DataError(
            str(path), f"not a text file ({encoding_fault(error)})", "UTF-8 text"
        ) from None
    except OSError as error:
        raise DataError(str(path), error.strerror or str(error)) from error
