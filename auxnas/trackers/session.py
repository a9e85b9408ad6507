"""Trackers of one session of a run or a training: made late, guarded, continued by the next."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from auxnas.backends.progress import Display
from auxnas.compiler.files import atomic_write
from auxnas.genotype.errors import one_line, printable
from auxnas.genotype.plugins import may_run
from auxnas.search.errors import SettingsError
from auxnas.trackers.base import TrackedRun, Tracker
from auxnas.trackers.finding import find_tracker

FILE = "trackers.json"
"""In a run's folder: identity of each log, and how much has been logged."""
PICTURES = (".png", ".jpg", ".webp")


def names_of(folder: Path, asked: Iterable[str]) -> list[str]:
    """Names of the trackers that were asked for, now or by an earlier session.

    Raises:
        SettingsError: for code that a file alone asks for.
    """
    names = [*dict.fromkeys([*asked, *_read(folder)])]
    for name in names:
        if not may_run(name):
            found = f"{name}, code that a file alone asks for"
            raise SettingsError(str(folder / FILE), found, f"--log {name}, if that is to run")
    return names


def _read(folder: Path) -> dict[str, Any]:
    """Records of earlier sessions by tracker; none where the file is not ours."""
    try:
        found = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    rows = found.items() if isinstance(found, dict) else ()
    return {name: row for name, row in rows if isinstance(row, dict)}


class Track:
    """One log. What it raises is said once, and nothing more is logged in the session."""

    def __init__(self, name: str, make: type[Tracker], run: TrackedRun, display: Display) -> None:
        row = _read(run.folder).get(name, {})
        self._name, self._display, self._folder = name, display, run.folder
        self._logged: dict[str, Any] = {} if make.anew else dict(row.get("logged") or {})
        self._tracker: Tracker | None = None
        whole = replace(run, identity=str(row.get("identity", "")))
        with self._guarded():
            self._tracker = make(whole)

    def logged(self, kind: str) -> int:
        """Number of rows of a kind that are in the log already."""
        count = self._logged.get(kind, 0)
        return count if isinstance(count, int) else 0

    def tell(self, what: Callable[[Tracker], object]) -> None:
        """Tells the tracker, as long as it works."""
        if self._tracker is not None:
            with self._guarded():
                what(self._tracker)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            with redirect_stdout(sys.stderr):
                yield
        except Exception as error:  # other people's code, servers and disks can end in any
            self._tracker = None
            said = printable(one_line(f"{type(error).__name__}: {error}"))
            self._display.say(f"warning: --log {self._name}: {said}; no more is logged to it")

    def record(self, **logged: int) -> None:
        """Keeps, for the next session, how many rows of each kind are in the log."""
        self.tell(lambda tracker: tracker.flush())
        if self._tracker is None or (self._tracker.anew and logged):
            return
        self._logged |= logged
        rows = _read(self._folder)
        rows[self._name] = {"identity": self._tracker.identity, "logged": self._logged}
        with atomic_write(self._folder / FILE) as path:
            path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


class Trackers:
    """The logs of a session, begun when its folder is there; use it in ``with``.

    Args:
        names: of trackers; each is found, and its library with it, before anything is done.
        display: destination of warnings.
    """

    def __init__(self, names: Sequence[str], display: Display) -> None:
        self._makers = {name: find_tracker(name) for name in names}
        self._display = display
        self.tracks: list[Track] = []

    def __enter__(self) -> Trackers:
        return self

    def __exit__(self, *error: object) -> None:
        for track in self.tracks:
            track.tell(lambda tracker: tracker.finish())

    def begin(self, folder: Path, settings: Mapping[str, Any]) -> list[Track]:
        """The logs of the run or training in ``folder``."""
        run = TrackedRun(folder.resolve().name, folder, settings)
        self.tracks = [Track(name, make, run, self._display) for name, make in self._makers.items()]
        for track in self.tracks:
            track.record()
        return self.tracks

    def log_files(self, paths: Iterable[str | Path]) -> None:
        """Logs what the run leaves: pictures as such."""
        for path in map(Path, paths):
            for track in self.tracks:
                track.tell(partial(_log_path, path))


def _log_path(path: Path, tracker: Tracker) -> None:
    if path.suffix in PICTURES:
        tracker.log_picture(path.stem, path)
    else:
        tracker.log_file(path)
