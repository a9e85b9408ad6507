"""The same pictures through every reader: the same pixels, as other commands read them."""

import json
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from auxnas.backends.images import read_photograph
from auxnas.nassearch.cli import main
from auxnas.search.data import check, open_dataset, parts
from tests.search.people_data import (
    CLASSES,
    KINDS,
    ROWS,
    SIZE,
    WRITERS,
    truth,
    write_photographs,
)

PYARROW = find_spec("pyarrow") is not None


MAKERS = [
    *WRITERS.items(),
    *(
        pytest.param(*row, marks=pytest.mark.skipif(not PYARROW, reason="no hf"))
        for row in ROWS.items()
    ),
]


@pytest.mark.parametrize(("form", "write"), MAKERS)
def test_the_same_pictures_through_every_reader(
    tmp_path: Path, form: str, write: Callable[[Path], str]
) -> None:
    (tmp_path / "here").mkdir()
    write_photographs(tmp_path / "photographs")
    photographs = {name: read_photograph(tmp_path / "photographs" / name) for name in KINDS}
    assert {pixels.shape for pixels in photographs.values()} == {(*SIZE, 3)}
    spec = write(tmp_path / "here")
    shutil.copytree(tmp_path / "here", tmp_path / "copy")
    seen = []
    for part in parts(spec):
        data = open_dataset(spec, part=part)
        assert check(data).images == len(data)
        own = np.array([data.classes.index(name) for name in CLASSES], np.uint8)
        assert len({tuple(colour) for colour in data.palette.tolist()}) == len(data.classes)
        for index in range(len(data)):
            image = data.image(index)
            (name,) = (n for n, pixels in photographs.items() if np.array_equal(image, pixels))
            assert np.array_equal(data.label(index), own[truth(name)])
            seen.append(name)
        copy = open_dataset(spec.replace("here", "copy"), part=part)
        assert (copy.fingerprint(), copy.classes) == (data.fingerprint(), data.classes)
    assert sorted(seen) == sorted(KINDS)


RUNS = ("camvid", "cvat", "ultralytics", "coco panoptic")
"""Formats that a search is run on."""


@pytest.mark.parametrize("form", RUNS)
def test_a_search_runs_on_it(tmp_path: Path, form: str) -> None:
    (tmp_path / "here").mkdir()
    spec = WRITERS[form](tmp_path / "here")
    words = [
        "--learner",
        "null",
        "--size",
        "32x32",
        "--trials",
        "2",
        "--preset",
        "demo",
        "--json",
        "--set",
        "latency.measure=false",
    ]
    places = ["--out", str(tmp_path / "run"), "--cache", str(tmp_path / "cache")]
    found = CliRunner().invoke(main, ["run", "--data", spec, *words, *places])
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout)["trials"] == 2
