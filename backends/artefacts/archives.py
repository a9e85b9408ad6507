"""Reading of untrusted zip archives: sizes are checked before anything is unpacked."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from auxnas.compiler import CompilerError

MOST_ENTRIES = 100_000
MOST_RATIO = 20
"""Largest compression ratio: trained weights hardly compress at all."""
SPARE = 1 << 20
"""Unpacked bytes that are always allowed, since texts compress well."""
DAMAGED = (
    zipfile.BadZipFile, EOFError, KeyError, ValueError, zlib.error, lzma.LZMAError,
    NotImplementedError,
)  # fmt: skip
"""Exceptions of ``zipfile`` for what is no archive, damaged, or compressed in a rare way."""


@contextmanager
def open_archive(
    file: Path | BinaryIO,
    place: str,
    expected: str,
    damaged: str = "no archive, or a truncated one",
) -> Iterator[zipfile.ZipFile]:
    """Opens a zip archive whose unpacked size is in proportion to the file's.

    Args:
        file: the archive.
        place: its name, for messages.
        expected: what would have been right.
        damaged: what to say of one that cannot be unpacked.

    Raises:
        CompilerError: when it is none, is damaged, encrypted, packed in an odd way, or would
            take far more room than the file itself.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            _check_unpacked_size(archive, place, expected)
            yield archive
    except CompilerError:
        raise
    except DAMAGED as error:
        raise CompilerError(place, f"{damaged}: {error}", expected) from None


def _check_unpacked_size(archive: zipfile.ZipFile, place: str, expected: str) -> None:
    entries = archive.infolist()
    for each in entries:
        if each.flag_bits & 1:
            raise CompilerError(place, f"an encrypted archive ({each.filename})", expected)
        if each.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            found = f"{each.filename} packed by method {each.compress_type}"
            raise CompilerError(place, found, expected)
    packed, unpacked = sum(e.compress_size for e in entries), sum(e.file_size for e in entries)
    if unpacked > MOST_RATIO * packed + SPARE or len(entries) > MOST_ENTRIES:
        found = f"{len(entries)} files of {unpacked:,} bytes in an archive of {packed:,}"
        raise CompilerError(place, found, f"{expected}, at most {MOST_RATIO} times as large")
