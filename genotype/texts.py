"""Text files, standard input and JSON of other people, read with errors of one kind.

UTF-8 with or without a byte-order mark; UTF-16 and UTF-32 are named as what they are.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

ENCODING = "utf-8-sig"
"""UTF-8 whose byte-order mark, if there is one, is no part of the text."""
_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


def read_text(path: Path) -> str:
    """The text of a file.

    Raises:
        OSError: when it cannot be read.
        UnicodeDecodeError: when it is not UTF-8; ``encoding_fault`` says it in words.
    """
    return path.read_text(encoding=ENCODING)


def encoding_fault(error: UnicodeDecodeError) -> str:
    """Words for bytes that are no UTF-8: the encoding that they begin with, or the first byte."""
    for mark, name in _MARKS.items():
        if error.start == 0 and error.object.startswith(mark):
            return f"text in {name}"
    return f"byte {error.start} is not UTF-8"


def parse_json(text: str | bytes, parse_int: Callable[[str], Any] | None = None) -> Any:
    """Parsed JSON; ``json.loads`` in all but its way to fail.

    Raises:
        ValueError: for what is no JSON, nested too deep for Python, or holds an integer of
            more digits than Python reads.
    """
    try:
        return json.loads(text, parse_int=parse_int)
    except RecursionError:
        raise ValueError("nested too deep") from None
