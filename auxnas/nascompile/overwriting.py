"""Check that no output overwrites a file that is read, or another output."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from auxnas.backends.images import SUFFIXES
from auxnas.nascompile.options import OptionError


def check_overwriting(
    written: Mapping[str, Sequence[Path]],
    files: Mapping[str, str | None],
    folders: Mapping[str, str | None],
) -> None:
    """Checks that no output replaces an input, another output or a search's, links followed.

    Args:
        written: files that may be written, by option.
        files: what is read, by option; what is no file of that name does not count.
        folders: of pictures that are read, by option.

    Raises:
        OptionError: naming the first output that would replace what is read or another
            output, or lie among the pictures.
        SettingsError: for one that would replace what a search or a training left.
    """
    taken = {
        os.path.realpath(file): f"{option} {file}"
        for option, file in files.items()
        if file and os.path.exists(file)
    }
    for option, paths in written.items():
        for path in paths:
            other = taken.get(os.path.realpath(path))
            if other is not None:
                found = f"{option}: {path} would replace {other}"
                raise OptionError(f"{found}, expected another name")
            _check_folders(option, path, folders)
        taken |= {os.path.realpath(path): f"what {option} writes" for path in paths}
    for option, paths in written.items():
        for path in filter(Path.is_file, paths):
            _check_no_result(path, option)


def _check_folders(option: str, path: Path, folders: Mapping[str, str | None]) -> None:
    if path.suffix.lower() not in SUFFIXES:
        return
    places = Path(os.path.realpath(path)), Path(os.path.realpath(path.parent), path.name)
    for name, folder in folders.items():
        if folder and any(Path(os.path.realpath(folder)) in place.parents for place in places):
            found = f"{option}: {path} would be one of the pictures in {name} {folder}"
            raise OptionError(f"{found}, expected another folder")


def _check_no_result(path: Path, option: str) -> None:
    """As a search's ``check_no_result``, imported where there is a file to write over."""
    from auxnas.search.storage.folders import check_no_result

    check_no_result(path, option)
