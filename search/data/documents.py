"""Documents of JSON and XML that annotations are in, read with errors that name the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from auxnas.genotype.errors import short_repr
from auxnas.genotype.texts import encoding_fault, parse_json, read_text
from auxnas.search.data.errors import DataError
from auxnas.search.data.files import file_content

T = TypeVar("T")
_KINDS = {int: "a whole number", float: "a number", str: "text", list: "a list", dict: "an object"}


def json_document(path: Path) -> dict[str, Any]:
    """The object in a file of JSON.

    Raises:
        DataError: when it is missing, cut off, or holds something else.
    """
    try:
        found = parse_json(read_text(path))
    except UnicodeDecodeError as error:
        raise DataError(str(path), f"no text ({encoding_fault(error)})", "JSON") from None
    except OSError as error:
        raise DataError(str(path), error.strerror or str(error)) from error
    except ValueError as error:
        found, expected = f"no JSON ({str(error)[:100]})", "the whole file: is it cut off?"
        raise DataError(str(path), found, expected) from None
    if not isinstance(found, dict):
        raise DataError(str(path), short_repr(found), "an object")
    return found


def member(row: Any, key: str, kind: type[T], place: str) -> T:
    """A member of a JSON object; whole numbers are real ones too.

    Raises:
        DataError: naming ``place``, when there is none of the kind.
    """
    found = row.get(key) if isinstance(row, dict) else None
    if kind is float and type(found) is int:
        return float(found)  # type: ignore[return-value]
    if type(found) is not kind:
        what = f"{key} {short_repr(found)}" if isinstance(row, dict) and key in row else f"no {key}"
        raise DataError(place, what, _KINDS[kind])
    return found


def xml_document(path: Path) -> Element:
    """The root of a file of XML; a document type, which could hold entities, is refused.

    Raises:
        DataError: when it is missing, no XML, or has one.
    """
    builder, parser = TreeBuilder(), expat.ParserCreate()

    def forbid(*what: object) -> None:
        raise DataError(str(path), "a document type", "XML without one: entities are not read")

    parser.StartDoctypeDeclHandler = forbid
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(file_content(path, str(path)), True)
    except expat.ExpatError as error:
        raise DataError(str(path), f"no XML ({error})", "the whole file: is it cut off?") from None
    return builder.close()


def number_in(text: str | None, what: str, place: str) -> float:
    """A finite number in a text.

    Raises:
        DataError: naming ``place`` and ``what`` it is of.
    """
    try:
        found = float(text or "")
    except ValueError:
        found = float("nan")
    if not abs(found) < 1e9:
        raise DataError(place, f"{what} {short_repr(text)}", "a number")
    return found
