"""Files that appear whole or not at all, and give way to others without being lost."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain, count
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory

from auxnas.compiler.errors import CompilerError
from auxnas.compiler.temporaries import discard_once, temporary_name

_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""Error numbers of a disk that takes no more, though the file was opened."""


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """A temporary name beside ``path``, renamed to it when the block ends well.

    When the block raises, the temporary file is removed and ``path`` is as it was, so a
    reader never sees half a file. The temporary name ends like ``path``, for writers
    that go by the suffix; those that killed processes left in the folder are removed. A
    device (``/dev/null``) is written in place.

    Raises:
        OSError: naming ``path``, when it cannot be written.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file() and not target.is_dir():
        with _named(target, path):
            yield target
        return
    _check_writable(target, path)
    with suppress(OSError):  # a folder that may be written, but not read
        discard_once(target.parent)
    temporary = target.with_name(temporary_name(target.name))
    try:
        with _named(temporary, path):
            yield temporary
            os.replace(temporary, target)
    finally:
        with suppress(OSError):  # a read-only file system fails for a missing file too
            temporary.unlink()


@contextmanager
def atomic_folder(path: str | Path, names: Sequence[str]) -> Iterator[Path]:
    """A temporary name beside ``path``, for a folder that takes its place when the block ends well.

    A folder that is there gives way where it holds nothing but files of these names: what else
    there is in it would be lost.

    Raises:
        CompilerError: for a folder that does not give way.
        OSError: naming ``path``, when it cannot be written.
    """
    target = _replaceable_folder(path, names)
    temporary = target.with_name(temporary_name(target.name))
    try:
        with _named(temporary, path):
            yield temporary
            if temporary.exists():
                _replace_folder(temporary, target)
    finally:
        discard(temporary)


def _replaceable_folder(path: str | Path, names: Sequence[str]) -> Path:
    """The folder behind ``path``, where there is none or it gives way; see ``atomic_folder``."""
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "is a file, expected a folder's name", str(path))
    _check_parent(target, path)
    others = sorted({*os.listdir(target)} - {*names}) if target.exists() else []
    if others:
        expected = "a new folder, or one with nothing but what this replaces"
        raise CompilerError(str(path), f"a folder with {others[0]} in it", expected)
    return target


def _replace_folder(made: Path, target: Path) -> None:
    """Renames a folder to ``target``, and removes the one that was there."""
    old = target.with_name(temporary_name(target.name))
    if target.exists():
        os.rename(target, old)
    try:
        os.rename(made, target)
    except OSError:
        if old.exists():
            os.rename(old, target)
        raise
    discard(old)


def discard(path: Path) -> None:
    """Removes a file, or a folder with all that is in it; there may be none."""
    if path.is_dir() and not path.is_symlink():
        rmtree(path)
    else:
        path.unlink(missing_ok=True)


def check_room(folder: Path) -> None:
    """Checks that files can be made in a folder, or in the nearest one above it that there is.

    Raises:
        CompilerError: naming the folder and the reason.
    """
    nearest = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    try:
        TemporaryDirectory(dir=nearest, prefix=".").cleanup()
    except OSError as error:
        expected = "a place that can be written to"
        raise CompilerError(
            str(folder), f"nothing can be made there ({error.strerror})", expected
        ) from None


def check_file(path: Path) -> None:
    """Checks, before the work, that a file can be written.

    Raises:
        CompilerError, OSError: naming it or its folder, and the reason.
    """
    if not path.exists() or path.is_file() or path.is_dir():
        _check_writable(Path(os.path.realpath(path)), path)
        check_room(path.absolute().parent)


def check_folder(path: Path, names: Sequence[str]) -> None:
    """Checks, before the work, that ``atomic_folder`` can make a folder.

    Raises:
        CompilerError, OSError: naming it or the one that it is in, and the reason.
    """
    check_room(_replaceable_folder(path, names).parent)


def put_aside(path: Path, name: str, sides: Sequence[str] = ()) -> str:
    """Renames a file to ``name``, or that with the first number that is free.

    Args:
        path: the file.
        name: in the same folder.
        sides: ends of the names of files that belong to it; they are renamed before it.

    Returns:
        the name that it has now.
    """
    ends, (stem, suffix) = (*sides, ""), os.path.splitext(name)
    names = chain([name], (f"{stem}-{number}{suffix}" for number in count(2)))
    taken = {entry.name for entry in os.scandir(path.parent)}
    free = next(each for each in names if not {each + end for end in ends} & taken)
    for end in ends:
        if path.name + end in taken:
            os.rename(f"{path}{end}", path.with_name(free + end))
    return free


@contextmanager
def _named(temporary: Path, path: str | Path) -> Iterator[None]:
    """Lets an error of writing ``temporary`` name ``path``.

    One without a name is from writing to an open file.
    """
    try:
        yield
    except OSError as error:
        name = None if error.filename is None else os.fsdecode(error.filename)
        if name == str(temporary) and error.errno == errno.ENOENT:
            reason = "no file can be made in its directory"
            raise PermissionError(errno.EACCES, reason, str(path)) from error
        if name == str(temporary) or (name is None and error.errno in _OF_THE_DISK):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def _check_writable(target: Path, path: str | Path) -> None:
    """Checks, before the work, that ``path`` can be written."""
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "is a directory, expected a file name", str(path))
    _check_parent(target, path)


def _check_parent(target: Path, path: str | Path) -> None:
    """Checks that ``path`` is in a directory."""
    if target.parent.is_dir():
        return
    if target.parent.exists():
        raise NotADirectoryError(errno.ENOTDIR, "its directory is a file", str(path))
    raise FileNotFoundError(errno.ENOENT, "its directory does not exist", str(path))


def kind_of_text(head: bytes) -> tuple[str, str] | None:
    """Kind of a foreign file by its first bytes, with what to do about it."""
    if not head:
        return "an empty file", "the whole file: fetch it again"
    if head.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer", "the file that it stands for: git lfs pull"
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"<!", b"<html", b"<HTML", b"<?xml")):
        return "a web page", "the file itself: fetch it again"
    return None
