"""Folders of results: one holds a search, a training or an ablation, and no two of them."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

from auxnas.compiler.files import check_file, check_room
from auxnas.search.errors import SettingsError
from auxnas.search.executors.attempts import NAME as ATTEMPTS
from auxnas.search.storage.lock import NAME as LOCK
from auxnas.search.storage.rescue import BACKUP, NAME

TRAINING, ABLATION = "training.json", "ablation.settings.json"
"""Files with the settings that a training or an ablation was begun with, in its folder."""
PRETRAINED, CLASSES = "pretraining.json", "best.classes.json"
"""In a search's folder: the course of its pre-training, and its best network by class."""
SEARCH = "a search"
PROGRESS = "progress.json"
"""How far a search is, while it goes on."""

RESULT_MARKS = {SEARCH: (NAME, BACKUP), "a training": (TRAINING,), "an ablation": (ABLATION,)}
"""Files by which a kind of results is recognised; nothing else has their names."""


def folder_kinds(folder: Path) -> list[str]:
    """Kinds of results in the folder, in words."""
    return [
        kind for kind, names in RESULT_MARKS.items() if any((folder / n).is_file() for n in names)
    ]


_OUTPUTS = {
    SEARCH: (
        "settings.toml",
        "encoder.safetensors",
        PRETRAINED,
        "best.json",
        CLASSES,
        "best.safetensors",
        "predictions.png",
    ),
    "a training": (
        "model.safetensors",
        "genotype.json",
        "result.json",
        "metrics.jsonl",
        "checkpoint.safetensors",
    ),
}
"""Output files that a run or a training overwrites in its own folder."""
_BEGUN = (LOCK, PROGRESS, ATTEMPTS, "trial-*")
"""What a command that was ended early may have left, alone in its folder."""


def check_folder_kind(folder: Path, kind: str) -> None:
    """Checks that a folder holds nothing but ``kind``, or was begun as that.

    Raises:
        SettingsError: naming the folder and what is in it: other results, or somebody's files.
        CompilerError: when it cannot be made.
    """
    if not folder.exists():
        check_room(folder)
    found = folder_kinds(folder)
    if found and kind not in found:
        raise SettingsError(str(folder), f"holds {found[0]}", f"another --out for {kind}")
    if found or not folder.exists():
        return
    names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    theirs = [name for name in _OUTPUTS.get(kind, ()) if name in names]
    if theirs:
        words = f"a file that {kind} would write over, and none was begun here"
        raise SettingsError(str(folder / theirs[0]), words, "another --out")
    if names and not any(fnmatch(name, begun) for name in names for begun in _BEGUN):
        words = f"a folder with {names[0]} in it, where {kind} was not begun"
        raise SettingsError(str(folder), words, "another --out, new or empty")


def check_no_result(path: Path, option: str) -> None:
    """Checks, before the work, that a file can be written, and is no result that its folder holds.

    Raises:
        SettingsError: naming the option, the file and the kind of results.
        CompilerError, OSError: naming the file that cannot be written.
    """
    check_file(path)
    for kind in folder_kinds(path.parent):
        if path.name in (*_OUTPUTS.get(kind, ()), *RESULT_MARKS[kind]):
            raise SettingsError(option, f"{path} is a result of {kind}", "another name or folder")
