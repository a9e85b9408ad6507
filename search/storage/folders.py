"""Folders of results: one holds a search, a training or an ablation, and no two of them."""

from __future__ import annotations

from pathlib import Path

from auxnas.compiler.files import check_room
from auxnas.search.errors import SettingsError
from auxnas.search.storage.rescue import BACKUP, NAME

TRAINING, ABLATION = "training.json", "ablation.settings.json"
"""Files with the settings that a training or an ablation was begun with, in its folder."""
PRETRAINED, CLASSES = "pretraining.json", "best.classes.json"
"""In a search's folder: the course of its pre-training, and its best network by class."""
SEARCH = "a search"

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


def check_folder_kind(folder: Path, kind: str) -> None:
    """Checks that a folder holds no other results than ``kind``, or was begun as that.

    Raises:
        SettingsError: naming the folder and what is in it.
        CompilerError: when it cannot be made.
    """
    if not folder.exists():
        check_room(folder)
    found = folder_kinds(folder)
    if found and kind not in found:
        raise SettingsError(str(folder), f"holds {found[0]}", f"another --out for {kind}")
    theirs = [name for name in _OUTPUTS.get(kind, ()) if (folder / name).exists()]
    if theirs and not found:
        words = f"a file that {kind} would write over, and none was begun here"
        raise SettingsError(str(folder / theirs[0]), words, "another --out")


def check_no_result(path: Path, option: str) -> None:
    """Checks that a file to be written is none of the results that its folder holds.

    Raises:
        SettingsError: naming the option, the file and the kind of results.
    """
    for kind in folder_kinds(path.parent):
        if path.name in (*_OUTPUTS.get(kind, ()), *RESULT_MARKS[kind]):
            raise SettingsError(option, f"{path} is a result of {kind}", "another name or folder")
