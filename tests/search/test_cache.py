"""Cached files carry digests of their contents, in folders that only their owner enters."""

import json
import shutil
import stat

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from auxnas.backends.caching import make_private
from auxnas.backends.progress import Silent
from auxnas.compiler import CompilerError
from auxnas.search.loop.context import RunContext
from auxnas.search.storage.cache import load_kept, other_writers, save_kept
from auxnas.search.storage.store import MANIFEST, open_store

PARAMS = {"a": np.arange(4, dtype=np.float32), "b": np.ones((2, 2), np.float32)}


def exchange(path, change):
    """Writes other values under the same metadata."""
    with safe_open(path, framework="numpy") as file:
        values = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    change(values, metadata)
    save_file(values, path, metadata)


def one_value(values, metadata):
    values[min(values)].flat[0] += 1


def test_what_is_kept_comes_back(tmp_path):
    save_kept(tmp_path / "x", PARAMS, {"key": "k", "size": (3, 4), "nested": {"x": 1.5}})
    params, metadata = load_kept(tmp_path / "x")
    assert metadata == {"key": "k", "size": [3, 4], "nested": {"x": 1.5}}
    assert all(np.array_equal(params[name], PARAMS[name]) for name in PARAMS)


@pytest.mark.parametrize(
    "change",
    [
        one_value,
        lambda values, metadata: metadata.update(key='"other"'),
        lambda values, metadata: values.pop("b"),
        lambda values, metadata: values.update(a=values["a"].astype(np.float64)),
        lambda values, metadata: values.update(a=values["a"].reshape(2, 2)),
        lambda values, metadata: metadata.update(key="[" * 99999),
        lambda values, metadata: metadata.pop("digest"),
    ],
)
def test_what_was_changed_is_refused(tmp_path, change):
    save_kept(tmp_path / "x", PARAMS, {"key": "k"})
    exchange(tmp_path / "x", change)
    with pytest.raises(CompilerError, match=r"other contents than were written|no JSON|no digest"):
        load_kept(tmp_path / "x")


def without_digest(values, metadata):
    one_value(values, metadata)
    del metadata["digest"]


@pytest.mark.parametrize(
    ("change", "words"), [(one_value, "other contents"), (without_digest, "no digest")]
)
def test_a_cached_encoder_with_other_values_is_said_and_made_again(
    place_of, tmp_path, change, words
):
    said = []

    class Heard(Silent):
        def say(self, line):
            said.append(line)

    def encoder(name):
        place = place_of(name)
        place = RunContext(place.settings, place.folder, tmp_path / "cache", Heard())
        return place.model.encoder.params

    first = encoder("one")
    (kept,) = (tmp_path / "cache" / "encoders").glob("*.safetensors")
    exchange(kept, change)
    again = encoder("two")
    assert [line for line in said if "cannot be used" in line and words in line]
    assert all(np.array_equal(again[name], first[name]) for name in first)
    (other,) = (tmp_path / "cache" / "encoders").glob("*.safetensors")
    save_kept(other, PARAMS, {"key": "another"})
    encoder("three")
    assert any("is of another pre-training and not used" in line for line in said)


def opened(folder, values):
    return open_store(folder, 3, lambda: [{"a": values}], {}, lambda line: None)


def test_a_store_under_the_name_of_another_is_made_again(tmp_path):
    opened(tmp_path / "s", np.arange(3))
    opened(tmp_path / "t", np.arange(3) + 1)
    shutil.rmtree(tmp_path / "s")
    shutil.copytree(tmp_path / "t", tmp_path / "s")
    store = opened(tmp_path / "s", np.arange(3))
    assert store.rebuilt == "of something else"
    assert store.read("a", [0, 1, 2]).tolist() == [0, 1, 2]


def test_an_array_of_the_same_size_is_noticed(tmp_path):
    for name in ("s", "t"):
        opened(tmp_path / name, np.arange(3) + (name == "t"))
    shutil.copyfile(tmp_path / "t" / "a.npy", tmp_path / "s" / "a.npy")
    assert opened(tmp_path / "s", np.arange(3)).rebuilt == "damaged: a.npy"


def test_an_array_whose_digest_is_gone_is_noticed(tmp_path):
    """With its file exchanged, the manifest of one array less would be of what is there."""
    opened(tmp_path / "s", np.arange(3))
    manifest = json.loads((tmp_path / "s" / MANIFEST).read_text())
    for changed in ({"arrays": {}}, {"arrays": {}, "digest": None}):
        (tmp_path / "s" / MANIFEST).write_text(json.dumps({**manifest, **changed}))
        np.save(tmp_path / "s" / "a.npy", np.arange(3) + 1)
        store = opened(tmp_path / "s", np.arange(3))
        assert store.rebuilt == "damaged: its manifest"
        assert store.read("a", [0, 1, 2]).tolist() == [0, 1, 2]


def test_folders_are_their_owners(place_of, tmp_path):
    place = place_of()
    place = RunContext(place.settings, place.folder, tmp_path / "new" / "cache", Silent())
    _ = place.data.training.pixels, place.model.encoder
    made = [tmp_path / "new", *(path for path in (tmp_path / "new").rglob("*") if path.is_dir())]
    assert len(made) > 4
    assert {stat.S_IMODE(path.stat().st_mode) for path in made} == {0o700}


def test_a_cache_that_others_write_is_said(tmp_path):
    assert other_writers(tmp_path / "missing") is None
    make_private(tmp_path / "mine")
    assert other_writers(tmp_path / "mine") is None
    (tmp_path / "mine").chmod(0o777)
    assert other_writers(tmp_path / "mine") == "others may write into it"
