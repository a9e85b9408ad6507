"""Trackers by name: each keeps the contract where its tool is; none can end a run."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from click.testing import CliRunner

from auxnas.backends.base import BackendUnavailable
from auxnas.backends.progress import Silent
from auxnas.genotype import plugins
from auxnas.genotype.plugins import PluginError
from auxnas.nassearch.cli import main
from auxnas.search.errors import SettingsError
from auxnas.search.training.run import train_network
from auxnas.trackers.base import TrackedRun, Tracker
from auxnas.trackers.epochs import EpochLog
from auxnas.trackers.finding import TRACKERS, find_tracker
from auxnas.trackers.session import FILE, Trackers, names_of
from tests.auxnas.trackers.contract_tracker import TrackerContract
from tests.search.conftest import TINY
from tests.search.training import training

OWN = f"{__name__}:Listed"


class Listed(Tracker):
    """A tracker that keeps everything in a file of the run's folder."""

    made: ClassVar[list[TrackedRun]] = []

    def __init__(self, run: TrackedRun) -> None:
        super().__init__(run)
        self.identity = run.identity or f"log-{len(self.made)}"
        self.made.append(run)
        print("began")

    def _add(self, *row: Any) -> None:
        with (self.run.folder / f"{self.identity}.txt").open("a") as file:
            file.write(json.dumps(row) + "\n")

    def log_scalars(self, figures, step):
        self._add("scalars", dict(figures), step)

    def log_picture(self, name, path):
        self._add("picture", name)

    def log_file(self, path):
        self._add("file", path.name)

    def finish(self):
        self._add("finished")


def rows(folder: Path) -> list[list[Any]]:
    """All that the one log of a folder holds."""
    (path,) = folder.glob("log-*.txt")
    return [json.loads(line) for line in path.read_text().splitlines()]


class TestListed(TrackerContract):
    @pytest.fixture
    def make(self):
        return Listed

    def logged(self, tracker):
        found: dict[str, dict[int, float]] = {}
        for kind, *row in rows(tracker.run.folder):
            for name, value in row[0].items() if kind == "scalars" else ():
                found.setdefault(name, {})[row[1]] = value
        return found


@pytest.mark.filterwarnings("default")
class TestMlflow(TrackerContract):
    @pytest.fixture
    def make(self, tmp_path, monkeypatch):
        pytest.importorskip("mlflow")
        monkeypatch.chdir(tmp_path)  # where it keeps files
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
        return find_tracker("mlflow")

    def logged(self, tracker):
        client = tracker._client
        run = client.get_run(tracker.identity)
        assert run.info.status == "FINISHED"
        assert run.data.params["stage1.epochs"] == "2"
        assert {each.path for each in client.list_artifacts(tracker.identity)} == {
            "best.json",
            "pictures",
        }
        names = run.data.metrics
        history = {name: client.get_metric_history(tracker.identity, name) for name in names}
        return {name: {each.step: each.value for each in row} for name, row in history.items()}


@pytest.mark.filterwarnings("default")
class TestWandb(TrackerContract):
    @pytest.fixture
    def make(self, monkeypatch):
        pytest.importorskip("wandb")
        monkeypatch.setenv("WANDB_MODE", "offline")
        return find_tracker("wandb")

    def logged(self, tracker):
        from wandb.proto.wandb_internal_pb2 import Record

        tracker._wandb.teardown()  # which writes the last of its files
        found: dict[str, dict[int, float]] = {}
        places = sorted((tracker.run.folder / "wandb").glob(f"offline-run-*-{tracker.identity}"))
        assert len(places) in (1, 2)  # sessions of one second share a folder
        assert any((place / "files" / "best.json").exists() for place in places)
        for file in (path for place in places for path in place.glob("*.wandb")):
            for text in leveldb_records(file.read_bytes()):
                items = {
                    each.key or "/".join(each.nested_key): json.loads(each.value_json)
                    for each in Record.FromString(text).history.item
                }
                for name in items.keys() & {"reward", "stage1/miou", "controller/entropy"}:
                    found.setdefault(name, {})[items["step"]] = items[name]
        return found


def leveldb_records(data: bytes, header: int = 7, block: int = 1 << 15) -> Iterator[bytes]:
    """Records of a log in LevelDB's format, behind a header of its own."""
    at, whole = header, b""
    while at + 7 <= len(data):
        if block - at % block < 7:
            at += block - at % block
            continue
        size, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        whole += data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # whole, or the last part
            yield whole
            whole = b""


@pytest.mark.filterwarnings("default")
class TestTrackio(TrackerContract):
    @pytest.fixture
    def make(self, tmp_path, monkeypatch):
        monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
        pytest.importorskip("trackio")
        return find_tracker("trackio")

    def logged(self, tracker):
        from trackio.sqlite_storage import SQLiteStorage

        found: dict[str, dict[int, float]] = {}
        for row in SQLiteStorage.get_logs("auxnas", tracker.identity, scalar_only=True):
            for name in row.keys() - {"step", "timestamp", "predictions"}:
                found.setdefault(name, {})[row["step"]] = row[name]
        return found


@pytest.fixture(autouse=True)
def _trusted(monkeypatch):
    monkeypatch.setattr(plugins, "_named_by_user", {*plugins._named_by_user, OWN})
    monkeypatch.setattr(Listed, "made", [])


def nassearch(*words: object, **settings: Any) -> Any:
    sets = [f"{name}={json.dumps(value)}" for name, value in settings.items()]
    options = [word for text in sets for word in ("--set", text)]
    return CliRunner().invoke(main, [*map(str, words), *options])


def test_a_run_that_goes_on_is_one_log(tmp_path, cache):
    out, tiny = tmp_path / "run", {k: v for k, v in TINY.items() if k != "trials"}
    where = ("--cache", cache, "--json")
    first = nassearch("run", "--log", OWN, "--trials", 2, "--out", out, *where, **tiny)
    assert first.exit_code == 0, first.stderr
    assert json.loads(first.stdout)["trials"] == 2  # what a tool prints is not the result's
    again = nassearch("resume", out, "--trials", 4, *where)
    assert again.exit_code == 0, again.stderr
    found = rows(out)
    steps = [row[2] for row in found if row[0] == "scalars" and "p" in row[1]]
    assert steps == [1, 2, 3, 4]
    assert [row[0] for row in found].count("finished") == 2
    assert ["picture", "predictions"] in found
    assert ["file", "best.safetensors"] in found
    assert len(Listed.made) == 2
    assert Listed.made[1].identity == "log-0"
    assert Listed.made[0].settings["search.searcher"] == "predictor"


def test_a_training_is_logged_by_epochs(tmp_path, cache):
    with Trackers([OWN], Silent()) as trackers:
        place = training(tmp_path / "t", cache)
        told = EpochLog(trackers, place.folder, place.settings)
        train_network(replace(place, told=told))
    found = [row for row in rows(tmp_path / "t") if row[0] == "scalars"]
    history = [json.loads(x) for x in (tmp_path / "t/metrics.jsonl").read_text().splitlines()]
    assert [row[2] for row in found] == [entry["epoch"] for entry in history]
    assert found[-1][1]["miou"] == pytest.approx(history[-1]["miou"])
    again = EpochLog(Trackers([OWN], Silent()), tmp_path / "t", training(tmp_path, cache).settings)
    again([*history, {"epoch": 99, "loss": 1.0, "phase": 1}])
    added = [row for row in rows(tmp_path / "t") if row[0] == "scalars"][len(found) :]
    assert added == [["scalars", {"loss": 1.0}, 99]]


class Lines(Silent):
    """A display that keeps what it is to say."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


@pytest.mark.parametrize("method", ["__init__", "log_scalars", "log_file", "flush", "finish"])
def test_a_tracker_that_fails_is_said_once(method, tmp_path, monkeypatch):
    def fail(self, *given):
        raise ConnectionError("the server\nis away")

    monkeypatch.setattr(Listed, method, fail)
    display = Lines()
    with Trackers([OWN], display) as trackers:
        for track in trackers.begin(tmp_path, {}):
            for step in range(3):
                track.tell(lambda tracker, step=step: tracker.log_scalars({"a": 1.0}, step))
                track.record(trials=step)
        trackers.log_files([tmp_path / "a.json", tmp_path / "b.json"])
    said = f"warning: --log {OWN}: ConnectionError: the server is away; no more is logged to it"
    assert display.lines == [said]


def test_code_that_a_file_alone_asks_for_is_not_run(tmp_path):
    (tmp_path / FILE).write_text('{"somebody.elses:Tracker": {}, "mlflow": {"logged": 7}}')
    with pytest.raises(SettingsError, match=r"--log somebody\.elses:Tracker, if that is to run"):
        names_of(tmp_path, ["wandb"])
    (tmp_path / FILE).write_text("[1]")
    assert names_of(tmp_path, ["wandb", "wandb"]) == ["wandb"]


def test_what_is_no_tracker_is_named():
    with pytest.raises(PluginError, match="no 'mflow', expected perhaps mlflow"):
        find_tracker("mflow")
    for name in ("json:loads", f"{__name__}:Lines"):
        with pytest.raises(PluginError, match="expected"):
            find_tracker(name)


def test_the_option_is_named_that_names_no_tracker(tmp_path):
    for name in ("mflow", "json:loads", "nowhere.to.be.found:Tracker"):
        done = nassearch("run", "--log", name, "--out", tmp_path / "new", **TINY)
        assert (done.exit_code, done.stderr[:12]) == (2, "error: --log")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", TRACKERS)
def test_a_missing_tool_is_named_with_its_extra(name, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, name, None)
    with pytest.raises(BackendUnavailable, match=rf"pip install \"auxnas\[{name}\]\""):
        find_tracker(name)


def test_a_tool_that_is_missing_is_said_before_anything_is_made(tmp_path, cache):
    name = next((each for each in TRACKERS if importlib.util.find_spec(each) is None), None)
    if name is None:
        pytest.skip("all tools are installed")
    done = nassearch("run", "--log", name, "--out", tmp_path / "new", "--cache", cache, **TINY)
    assert done.exit_code == 3
    assert f'pip install "auxnas[{name}]"' in done.stderr
    assert not (tmp_path / "new").exists()
