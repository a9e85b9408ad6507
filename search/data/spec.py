"""From what a user writes after ``--data`` to a dataset: a source, or several joined with ``+``.

A source is the name of a format, and behind a colon what it is to read: ``list:DIR``. A format of
one's own is ``python:package.module:attribute``, and behind a further colon what it is to read,
or one that is installed under a name, an entry point of the group ``auxnas.datasets``.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, fields
from pathlib import Path

from auxnas.compiler.tasks import TASKS, Segmentation, Task, find_task
from auxnas.genotype.errors import short_repr
from auxnas.genotype.plugins import with_options
from auxnas.search.data.base import Dataset, Reader, check_size
from auxnas.search.data.completing import completed
from auxnas.search.data.errors import DataError
from auxnas.search.data.files import same_classes
from auxnas.search.data.joined import JoinedSource, join_datasets, picture_names, with_classes_of
from auxnas.search.data.mapped import mapped
from auxnas.search.data.rows.sequences import SequenceDataset, is_sequence
from auxnas.search.data.views import Colour, ResizedDataset
from auxnas.search.seams import DATA_FORMS, DATASETS

PARTS = ("train", "val")
OWN = "python"
"""Prefix of a reader of the user's own, before its place."""
_OWN_WORDS = ":package.module:attribute[:ARGUMENT]"
TAKES = (
    ", ".join(name + form.words for name, form in DATA_FORMS.items())
    + f" or {OWN}{_OWN_WORDS}, or several with a + between them"
)
"""Every source, in words."""

_NOTHING = "synthetic to try it out, or your own files: there are none at {}."
DEFAULT_SIZE = (128, 128)
_SEGMENTATION = Segmentation()
_OWN = re.compile(r"python:[^:]+:[^:]+")
_JOINT = re.compile(r"\s*\+\s*(?=[\w.-]+:|synthetic\s*(?:\+|$))")


def check_source(source: str) -> str:
    """``source`` unchanged, where it has the form of a source; nothing is opened or imported.

    Raises:
        ValueError: saying what is known, and what may have been meant.
    """
    for each in sources(source):
        kind = each.partition(":")[0]
        if not (_OWN.match(each) or _is_installed(kind) or _is_ours(each)):
            near = suggestion(each)
            meant = f"{near}?" if near else _NOTHING.format(short_repr(each))
            raise ValueError(f"{meant} Kinds of data are {TAKES}")
    return source


def open_dataset(
    spec: str,
    *,
    classes: int | None = None,
    size: tuple[int, int] | None = None,
    part: str = "train",
    seed: int = 0,
    task: Task = _SEGMENTATION,
    depth_scale: float | None = None,
    padding: Colour | None = None,
    label_map: str | None = None,
) -> Dataset:
    """The dataset that ``spec`` names; files are not read before they are asked for.

    Args:
        spec: the format's name, a colon, and what it is to read.
        classes: how many; None where the data says so itself.
        size: (height, width) to bring every image to; None leaves them as they are
            (those that are drawn: 128x128).
        part: ``train``, which a search splits into meta-train and meta-val, or ``val``.
        seed: of images that are drawn.
        task: says what labels have to be.
        depth_scale: units a metre of stored depth; None for what is usual.
        padding: colour that fills images up to the size, which keep their proportions and grow no
            larger; None to stretch them.
        label_map: other numbers for label values, as ``label_table`` reads it; None for as stored.

    Raises:
        DataError: naming what is wrong with the spec, the list or the arguments, or that there
            are no such labels in the data.
        SettingsError: for a reader of the user's own that cannot be imported, or is none.
    """
    if part not in PARTS:
        raise DataError("part", repr(part), " or ".join(PARTS))
    opening = _Opening(classes, task, depth_scale, size, seed, padding, label_map)
    if len(sources(spec)) > 1:
        return _joined(spec, part, opening)
    return opening.sized(opening(spec, part))


@dataclass(frozen=True)
class _Opening:
    """Manner of opening sources, the same for all that are joined; see ``open_dataset``."""

    classes: int | None
    task: Task
    depth_scale: float | None
    size: tuple[int, int] | None
    seed: int
    padding: Colour | None
    label_map: str | None

    def __call__(self, source: str, part: str) -> Dataset:
        """The part of one source, as it is stored."""
        name, rest = _parse(source)
        asked = self.classes if self.task.labels.classes else 0
        made = DATASETS.find(name)(rest, asked, part)
        made = (
            SequenceDataset(made, source, asked)
            if is_sequence(made)
            else DATASETS.checked(name, made)
        )
        found = mapped(completed(completed(made).of_task(self.task)), self.label_map)
        _check_labels(found, self.task, source)
        if self.task.labels.classes:
            same_classes(tuple(found.classes), self.classes, found.name)
        return found if self.depth_scale is None else completed(found.scaled(self.depth_scale))

    def sized(self, found: Dataset) -> Dataset:
        """The dataset at the size asked for."""
        drawn = found.rendered(check_size(self.size or DEFAULT_SIZE), self.seed)
        if drawn is not None:
            return completed(drawn)
        return found if self.size is None else ResizedDataset(found, self.size, self.padding)


def _joined(spec: str, part: str, opening: _Opening) -> Dataset:
    """The part of several sources.

    The last that has a part to validate on has it for all; of its own pictures, those that are
    borrowed give it only where nothing else does.
    """
    members = sources(spec)
    judges = [each for each in members if "val" in parts(each)]
    borrowed = {each: _reader(reader_of(each)).borrowed for each in members}
    judge = max(reversed(judges), key=lambda each: not borrowed[each], default=None)
    if part == "val":
        if judge is None:
            raise DataError(f"data {spec!r}", "no val part", "one in any of them")
        return opening.sized(opening(judge, "val"))
    first = opening(judge or members[-1], "train")
    held = picture_names([] if judge is None else [opening(judge, "val")])
    joined = []
    for each in members:
        taken = parts(each) if borrowed[each] and each != judge else ("train",)
        found = (with_classes_of(opening(each, one), first) for one in taken)
        joined.append(JoinedSource(tuple(map(opening.sized, found)), borrowed[each]))
    return join_datasets(joined, held)


def _check_labels(dataset: Dataset, task: Task, source: str) -> None:
    """Finds data without the labels of a task."""
    found, wanted = dataset.labels, task.labels
    if not found.same_numbers(wanted):
        known = {name: task_on(source, name) for name in TASKS}
        meant = [name for name in TASKS if find_task(known[name]).labels.same_numbers(found)]
        shown = [known[name] if name == task.name else name for name in meant]
        hint = f": --task {shown[0]}?" if shown else ""
        expected = f"{wanted.described}, as the task {task.name} has them{hint}"
        raise DataError(dataset.name, f"labels of {found.described}", expected)


def task_on(spec: str, name: str) -> str:
    """``name`` of a task, with the options that these data give it where it has no others."""
    task, given = with_options(name)
    options: dict[str, str] = {}
    for data, rest in map(_split, sources(spec)):
        options |= _reader(data).options(rest).get(task, {})
    return ",".join([task, *(f"{key}={value}" for key, value in {**options, **given}.items())])


def parts(spec: str) -> tuple[str, ...]:
    """Parts that ``open_dataset`` can open of ``spec``: ``train``, and perhaps ``val``.

    Raises:
        DataError: when the spec names no dataset.
        SettingsError: as ``open_dataset``.
    """
    members = sources(spec)
    if len(members) > 1:
        known = {part for each in members for part in parts(each)}
        return tuple(part for part in PARTS if part in known)
    name, rest = _parse(spec)
    found = tuple(_reader(name).parts(rest))
    if not found or not set(found) <= set(PARTS):
        raise DataError(f"data {spec!r}", f"parts {short_repr(found)}", " and ".join(PARTS))
    return found


def unscored_classes(spec: str) -> tuple[str, ...]:
    """Classes that count in no score of this data where no setting names any."""
    found = (_reader(reader_of(each)).unscored for each in sources(spec))
    return tuple(dict.fromkeys(name for names in found for name in names))


def sources(spec: str) -> tuple[str, ...]:
    """The sources that ``spec`` joins with ``+``: one, or several.

    A plus divides where the name of a format and a colon follow, unless a path with it exists.
    """
    if "+" not in spec or _exists(spec.partition(":")[2]):
        return (spec,)
    return tuple(_JOINT.split(spec.strip()))


def _reader(name: str) -> Reader:
    """The reader called ``name``; a function or class of a user's may have some of its members."""
    found = DATASETS.find(name)
    if isinstance(found, Reader):
        return found
    own = {each.name for each in fields(Reader)[1:] if hasattr(found, each.name)}
    return Reader(found, **{name: getattr(found, name) for name in own})


def reader_of(spec: str) -> str:
    """The name of a source's format, or the place of its reader, as in a run's settings."""
    return _split(spec)[0]


def with_absolute_path(spec: str) -> str:
    """``spec`` with paths that hold wherever it is opened from.

    What a reader of the user's own is to read is taken for a path where there is such a one.
    """
    return " + ".join(map(_with_absolute_path, sources(spec)))


def _with_absolute_path(source: str) -> str:
    name, rest = _split(source)
    if not (DATA_FORMS[name].is_path if name in DATA_FORMS else _exists(rest)):
        return source
    return f"{source.removesuffix(rest)}{_reader(name).absolute(rest)}"


def _split(spec: str) -> tuple[str, str]:
    """The format's name, or the place of its reader, and what it is to read."""
    kind, _, rest = spec.partition(":")
    if kind != OWN:
        return kind, rest
    module, _, rest = rest.partition(":")
    attribute, _, rest = rest.partition(":")
    return f"{module}:{attribute}", rest


def _parse(spec: str) -> tuple[str, str]:
    """As ``_split``, of a spec that is one.

    Raises:
        DataError: saying which would be, and what may have been meant.
    """
    kind, _, rest = spec.partition(":")
    if _is_ours(spec):
        fitting = _kinds_of(rest) if DATA_FORMS[kind].is_path else []
        if fitting and kind not in fitting:
            found = f"not the layout of {kind} ({fitting[0]}:{rest}?)"
            raise DataError(f"data {spec!r}", found, TAKES)
        return kind, rest
    if _OWN.match(spec) or _is_installed(kind):
        return _split(spec)
    meant = f" ({suggestion(spec)}?)" if suggestion(spec) else ""
    raise DataError(f"data {spec[:80]!r}", f"not a known kind of data{meant}", TAKES)


def _is_ours(spec: str) -> bool:
    """Whether this is the name of a format of ours, with a text behind it where it has a colon."""
    kind, colon, rest = spec.partition(":")
    form = DATA_FORMS.get(kind)
    return form is not None and bool(rest) == (bool(colon) or form.is_path)


def _is_installed(kind: str) -> bool:
    """Whether there is a format of this name that is not ours."""
    try:
        return kind not in DATASETS.table and bool(DATASETS.known(kind))
    except ValueError:
        return False


def suggestion(spec: str) -> str:
    """The spec that was meant: by a place on disk, else by a kind of nearly that name; or ""."""
    where = spec if _exists(spec) else spec.partition(":")[2]
    if _exists(where):
        return f"{(*_kinds_of(where), 'list')[0]}:{where}"
    kind, _, rest = spec.partition(":")
    forms = {name: form.words for name, form in DATA_FORMS.items()} | {OWN: _OWN_WORDS}
    for name in difflib.get_close_matches(kind.lower(), forms, 1):
        given = f"{name}:{rest}"
        return given if rest and (_is_ours(given) or _OWN.match(given)) else name + forms[name]
    return ""


def _kinds_of(where: str) -> list[str]:
    """The kinds of data that a folder or a file has the layout of."""
    if not _exists(where):
        return []
    return [kind for kind in DATA_FORMS if _reader(kind).fits(Path(where))]


def _exists(where: str) -> bool:
    try:
        return bool(where) and Path(where).exists()
    except (OSError, ValueError):  # no name that a file can have
        return False
