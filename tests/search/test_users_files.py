"""What users keep in our folders stays, and so does what is behind their links."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from auxnas.compiler import CompilerError
from auxnas.compiler.temporaries import temporary_name
from auxnas.search.errors import SettingsError
from auxnas.search.loop.run import execute
from auxnas.search.storage.checkpoint import DAMAGED, Checkpoint
from auxnas.search.storage.checkpoint import NAME as CHECKPOINT
from auxnas.search.storage.folders import RESULT_MARKS, SEARCH, check_folder_kind
from auxnas.search.storage.lock import NAME as LOCK
from auxnas.search.storage.store import MANIFEST, open_store
from auxnas.search.trials.records import Trial

NAMES = [
    "weights/notes.txt",
    "weights/trial-1.safetensors",
    "weights/trial-99999.safetensors",
    "weights/.hidden",
    "weights/.deadbeef.trial-00000.safetensors",
    ".deadbeef.notes",
    ".0a1b2c3d.settings.toml",
    "notes.part",
    "journal.part",
    "journal.backup.part",
    "journal.sqlite.part",
]


@pytest.fixture
def run(place_of):
    """A run with two trials, to be gone on with."""
    execute(place_of(trials=2, keep=1))
    return place_of().folder


@pytest.mark.parametrize("name", NAMES)
def test_a_run_goes_on_beside_files_of_others(run, place_of, name):
    (run / name).write_text("mine")
    execute(place_of(trials=4, keep=1))
    assert (run / name).read_text() == "mine"
    assert len(list((run / "weights").glob("trial-0000?.safetensors"))) == 1


def test_a_folder_of_weights_that_is_a_link_keeps_what_it_has(run, place_of, tmp_path):
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    for name in ("notes.txt", "trial-00000.safetensors", "trial-00009.safetensors"):
        (theirs / name).write_text("mine")
    shutil.rmtree(run / "weights")
    (run / "weights").symlink_to(theirs)
    place = place_of(keep=1)
    trial = Trial(0, 0, None, "", 0, "complete", (), 0.1)
    place.weights.prune([replace(trial, number=1, reward=0.2)], 2)
    assert {path.read_text() for path in theirs.iterdir()} == {"mine"}
    assert len(list(theirs.iterdir())) == 3


def test_a_link_among_the_weights_is_left(run, place_of, tmp_path):
    (tmp_path / "theirs").write_text("mine")
    link = run / "weights" / "trial-00001.safetensors"
    link.unlink(missing_ok=True)
    link.symlink_to(tmp_path / "theirs")
    trial = Trial(0, 0, None, "", 0, "complete", (), 0.3)
    place_of(keep=1).weights.prune([trial], 2)
    assert link.is_symlink()


def test_temporaries_behind_a_link_to_a_folder_are_left(run, place_of, tmp_path):
    (tmp_path / "theirs").mkdir()
    kept = tmp_path / "theirs" / temporary_name("x")
    kept.write_text("mine")
    (run / "other").symlink_to(tmp_path / "theirs")
    execute(place_of(trials=4, keep=1))
    assert kept.read_text() == "mine"


@pytest.mark.parametrize("name", ["settings.toml", "encoder.safetensors", "best.json"])
def test_a_new_run_does_not_write_over_what_is_there(place_of, name):
    folder = place_of("new").folder
    folder.mkdir()
    (folder / name).write_text("mine")
    with pytest.raises(SettingsError, match=rf"new/{name}: a file that a search would write over"):
        execute(place_of("new"))
    assert [path.read_text() for path in folder.iterdir()] == ["mine"]


@pytest.mark.parametrize("name", ["model.safetensors", "result.json", "checkpoint.safetensors"])
def test_nor_does_a_new_training(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(SettingsError, match="a file that a training would write over"):
        check_folder_kind(tmp_path, "a training")


@pytest.mark.parametrize("kind", [*RESULT_MARKS, "a Pareto front"])
def test_nothing_is_begun_among_files_of_somebody(tmp_path, kind):
    check_folder_kind(tmp_path, kind)
    (tmp_path / ".hidden").touch()
    check_folder_kind(tmp_path, kind)
    (tmp_path / "masks").mkdir()
    with pytest.raises(SettingsError, match=f"a folder with masks in it, where {kind} was not"):
        check_folder_kind(tmp_path, kind)
    (tmp_path / LOCK).touch()  # of one that was ended before it had settings
    check_folder_kind(tmp_path, kind)


def test_a_folder_that_cannot_be_made_is_refused_before_any_work(tmp_path):
    (tmp_path / "file").write_text("mine")
    for place in (Path("/proc/x/y"), tmp_path / "file/x"):
        with pytest.raises(
            CompilerError, match=rf"{place}: nothing can be made there .*, expected a place"
        ):
            check_folder_kind(place, SEARCH)
    check_folder_kind(tmp_path / "new/run", SEARCH)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_checkpoint_that_is_not_ours_is_kept_aside(tmp_path):
    from safetensors.numpy import save_file

    from auxnas.backends.progress import Silent

    for number, kept in enumerate((DAMAGED, "checkpoint.damaged-2.safetensors")):
        for name in (f"{number}", CHECKPOINT):
            save_file({"a": np.full(3, number)}, tmp_path / name)
        assert Checkpoint.load(tmp_path, Silent()).epoch == 0
        assert (tmp_path / kept).read_bytes() == (tmp_path / f"{number}").read_bytes()
    assert (tmp_path / DAMAGED).read_bytes() == (tmp_path / "0").read_bytes()


def opened(folder):
    rows = [{"a": np.arange(3)}]
    return open_store(folder, 3, lambda: rows, {}, lambda line: None)


def test_a_store_that_is_made_again_keeps_what_else_is_in_its_folder(tmp_path):
    opened(tmp_path / "s")
    (tmp_path / "s" / "notes.txt").write_text("mine")
    (tmp_path / "s" / "a.npy").write_bytes(b"damaged")
    assert opened(tmp_path / "s").rebuilt == "damaged: a.npy"
    assert opened(tmp_path / "s").rebuilt == ""
    assert (tmp_path / "s" / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("name", ["s", ".s.part"])
def test_a_store_behind_a_link_is_not_touched(tmp_path, name):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / MANIFEST).write_text("mine")
    (tmp_path / name).symlink_to(tmp_path / "theirs")
    opened(tmp_path / "s")
    assert [path.read_text() for path in (tmp_path / "theirs").iterdir()] == ["mine"]
    assert not (tmp_path / "s").is_symlink()
