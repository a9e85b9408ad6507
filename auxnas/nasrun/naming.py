"""Images to predict on, and names of the files made of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from auxnas.backends.images import find_images
from auxnas.compiler import CompilerError


@dataclass(frozen=True, slots=True)
class PredictionFiles:
    """Files that the pictures of one image go to.

    Attributes:
        image: what is read.
        pictures: what is written, by name.
    """

    image: Path
    pictures: Mapping[str, Path]


def expand_sources(sources: Sequence[str], output: Path) -> list[Path]:
    """The images meant by files and directories, each once, in the order given.

    A directory stands for all images below it, those below ``output`` left out. Whether a file
    can be read is not looked at yet.

    Raises:
        CompilerError: for a directory without images, or one that is ``output`` itself; where
            there is no file at all.
    """
    found: dict[str, Path] = {}
    for source in map(Path, sources):
        for path in _below(source, output) if source.is_dir() else [source]:
            found.setdefault(os.path.abspath(path), path)
    if not any(map(os.path.lexists, found)):
        raise CompilerError(sources[0], "no such file", "a photograph, or a folder of some")
    return list(found.values())


def _below(folder: Path, output: Path) -> list[Path]:
    made = output.resolve()
    if folder.resolve() == made:
        raise CompilerError(
            str(output), "holds the images themselves", "another directory for --output"
        )
    images = find_images(folder)
    kept = [path for path in images if made not in Path(os.path.realpath(path)).parents]
    if not kept:
        raise CompilerError(str(folder), "no images outside --output", "some images")
    return kept


def prediction_files(
    images: Sequence[Path], output: Path, pictures: Sequence[str]
) -> list[PredictionFiles]:
    """A target for every image; no two share a file, and none is an image that is read.

    Args:
        images: what is read.
        output: where to.
        pictures: names of those that are made of each.

    Raises:
        CompilerError: when a result would replace one of the images.
    """
    made = [
        PredictionFiles(image, {each: output / f"{name}_{each}.png" for each in pictures})
        for image, name in zip(images, unique_names(images), strict=True)
    ]
    read = {os.path.realpath(image) for image in images}
    for target in made:
        for path in target.pictures.values():
            if os.path.realpath(path) in read:
                raise CompilerError(str(path), "one of the images", "another --output")
    return made


def unique_names(images: Sequence[Path]) -> list[str]:
    """A short name for every image, no two alike even where case is not told apart.

    The file's stem; where several share it, the folders that tell them apart go before it
    (``left_frame``), then the suffix behind it (``frame_jpg``), then a number, as needed.
    """
    names = [image.stem for image in images]
    for group in _sharing(names):
        for index, folders in zip(group, _folders([images[i] for i in group]), strict=True):
            names[index] = "_".join([*folders, names[index]])
    for group in _sharing(names):
        for index in group:
            names[index] += images[index].suffix.replace(".", "_")
    return _numbered(names)


def _sharing(names: Sequence[str]) -> list[list[int]]:
    """The positions of every name that is not alone."""
    groups: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        groups.setdefault(name.casefold(), []).append(index)
    return [group for group in groups.values() if len(group) > 1]


def _folders(images: Sequence[Path]) -> list[tuple[str, ...]]:
    """The folders of each below the one that holds them all."""
    parents = [os.path.abspath(image.parent) for image in images]
    common = os.path.commonpath(parents)
    return [Path(os.path.relpath(parent, common)).parts for parent in parents]


def _numbered(names: Iterable[str]) -> list[str]:
    taken: set[str] = set()
    made = []
    for name in names:
        number, candidate = 1, name
        while candidate.casefold() in taken:
            number += 1
            candidate = f"{name}_{number}"
        taken.add(candidate.casefold())
        made.append(candidate)
    return made
