"""Contract of a tracker: a session logs, the next one goes on with the same log."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from PIL import Image

from auxnas.trackers.base import TrackedRun, Tracker

SETTINGS = {"seed": 3, "data.size": [64, 96], "stage1.epochs": 2, "teacher": None}


class TrackerContract:
    """Subclass it with a fixture ``make``, the class, and ``logged``."""

    def logged(self, tracker: Tracker) -> Mapping[str, Mapping[int, float]]:
        """The log as the tool itself reads it: values by name and step."""
        raise NotImplementedError

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """A run's, with a picture and another file."""
        (tmp_path / "run").mkdir()
        Image.new("RGB", (8, 8)).save(tmp_path / "run" / "predictions.png")
        (tmp_path / "run" / "best.json").write_text("{}")
        return tmp_path / "run"

    def test_sessions_log_to_one(self, make, folder):
        first = make(TrackedRun("run", folder, SETTINGS))
        first.log_scalars({"reward": 0.5, "stage1/miou": 0.25}, 1)
        first.log_scalars({"reward": 0.75}, 3)
        first.flush()
        first.finish()
        again = make(TrackedRun("run", folder, SETTINGS, first.identity))
        assert again.identity == first.identity
        if again.anew:
            again.log_scalars({"reward": 0.5, "stage1/miou": 0.25}, 1)
            again.log_scalars({"reward": 0.75}, 3)
        again.log_scalars({"controller/entropy": 4.0}, 2)
        again.log_scalars({"reward": 1.0}, 4)
        again.log_picture("predictions", folder / "predictions.png")
        again.log_file(folder / "best.json")
        again.finish()
        found = {name: dict(rows) for name, rows in self.logged(again).items()}
        assert found == {
            "reward": {1: 0.5, 3: 0.75, 4: 1.0},
            "stage1/miou": {1: 0.25},
            "controller/entropy": {2: 4.0},
        }
