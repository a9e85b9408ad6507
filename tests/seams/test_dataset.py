"""A user's format of data, searched on, trained on and scored on by the real commands."""

from __future__ import annotations

import json
import pickle
import re
from importlib.metadata import EntryPoint

import pytest

from auxnas.genotype import plugins
from auxnas.nassearch.cli import main as nassearch
from auxnas.search.data import BaseDataset, DataError, Dataset, check, open_dataset, subset
from auxnas.search.errors import SettingsError
from auxnas.search.seams import DATASETS
from auxnas.search.settings.search import DataSettings
from tests.seams.test_encoder import TINY
from tests.search.contract_dataset import DatasetContract

OWN = "python:dataset:Discs:24"
WORDS = ["--data", OWN, "--size", "32x32", "--preset", "demo"]


@pytest.mark.usefixtures("user")
class TestDiscs(DatasetContract):
    @pytest.fixture
    def spec(self):
        return OWN


def test_it_is_searched_trained_and_scored(user, command):
    command(nassearch, "run", *WORDS, *TINY, "--out", "run")
    command(nassearch, "resume", "run", "--trials", 3)
    tiny = ["--learner", "null", "--epochs", 4, "--preset", "demo", "--size", "32x32"]
    command(nassearch, "train", "--genotype", "run", *tiny, "--out", "trained")
    made = command(nassearch, "status", "run", "--json")
    assert json.loads(made.stdout)["settings"]["data"]["source"] == OWN


def test_a_module_that_ends_the_process_is_one_line(user, command):
    (user / "ends.py").write_text("import sys\nsys.exit(0)\n")
    words = ("--data", "python:ends:Discs", *TINY, "--out", "run")
    found = command(nassearch, "run", *words, fails=True)
    assert found.exit_code == 2
    assert "'ends:Discs' cannot be imported (SystemExit: 0)" in found.stderr


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("python:dataset:Discs:many", "data python:dataset:Discs: 'many', expected a number"),
        ("python:dataset:Disks", "data.source: 'dataset:Disks' cannot be imported"),
        ("python:nowhere:Discs", "data.source: 'nowhere:Discs' cannot be imported"),
        ("python:dataset:np", "data.source: dataset:np is <module"),
        ("python:dataset", "data.source: 'python:dataset', expected python:package.module:attr"),
        ("python::Discs", "data.source: 'python::Discs', expected python:package.module:attr"),
        ("discs:24", "data.source: 'discs:24', expected synthetic"),
    ],
)
def test_what_is_wrong_is_one_line(command, spec, message):
    found = command(nassearch, "run", "--data", spec, *TINY, "--out", "run", fails=True)
    assert found.exit_code == 2
    (line,) = found.stderr.strip().splitlines()
    assert message in line


def test_a_number_of_classes_that_is_not_its_own_is_refused(user):
    with pytest.raises(DataError, match="3 asked for, expected 2 as in discs:24"):
        open_dataset(OWN, classes=3)


def public(kind):
    return {name for name in vars(kind) if not name.startswith("_")} | {"__len__"}


def test_every_member_is_one_that_all_have_or_one_with_a_usual_answer():
    usual = public(BaseDataset) - {"__len__"}
    assert set(DATASETS.members).isdisjoint(usual)
    assert public(Dataset) == {*DATASETS.members, *usual}


OWN_WORDS = """
import dataset

class Told(dataset.Discs):
    remark = "found in the attic"

    def note(self):
        return f"{len(self)} of them, all read"

    def place(self, index):
        return f"disc {index}"

    def check_presence(self, index):
        if self.part == "val":
            raise FileNotFoundError(index)
"""


def test_an_object_without_the_base_class_has_its_own_members_and_the_usual_others(user):
    (user / "told.py").write_text(OWN_WORDS)
    plain = open_dataset("python:told:Told:3")
    assert not isinstance(plain.given, BaseDataset)
    assert check(plain).images == 3
    for data in (plain, subset(plain, [2, 1]), pickle.loads(pickle.dumps(plain))):
        assert (data.remark, data.note()) == ("found in the attic", "3 of them, all read")
        assert data.labels == BaseDataset().labels
    view = subset(plain, [2, 1])
    assert (view.place(0), view.label_place(0), view.origin(0)) == ("disc 2", "disc 2", (plain, 2))
    with pytest.raises(FileNotFoundError):
        check(open_dataset("python:told:Told:3", part="val"))
    with pytest.raises(DataError, match=r"data.depth_scale: 2 for discs:3, expected data whose"):
        open_dataset("python:told:Told:3", depth_scale=2)


FAULTS = """
import numpy as np
import dataset

class Base(dataset.Discs):
    def fingerprint(self): return type(self).__name__

class Named(Base):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.name = None
class Letters(Base): classes = "ab"
class Repeated(Base): classes = ("disc", "disc")
class Painted(Base): palette = [[1, 2, 3], [4, 5, 6]]
class Narrow(Base): palette = np.zeros((1, 3), np.uint8)
class Labelled(Base): labels = "classes"
class Remarked(Base): remark = None
class Empty(Base):
    def __len__(self): return 0
class Endless(Base):
    def __len__(self): return None
class Tasked(Base):
    def of_task(self, task): return None
class NoImage(Base):
    def image(self, index): return None
class Lists(Base):
    def image(self, index): return np.zeros((96, 96, 3), np.uint8)
    def label(self, index): return [[0, 1]]
"""
TOLD = {
    "Named": "dataset faults:Named: name None, expected a text",
    "Letters": "dataset faults:Letters: classes 'ab', expected a tuple of names",
    "Repeated": "dataset faults:Repeated: classes ('disc', 'disc'), expected a tuple of names",
    "Painted": "dataset faults:Painted: palette [[1, 2, 3], [4, 5, 6]], expected uint8 of shape",
    "Narrow": "dataset faults:Narrow: palette array([[0, 0, 0]], dtype=uint8), expected uint8 of",
    "Labelled": "dataset faults:Labelled: labels 'classes', expected a TargetFormat",
    "Remarked": "dataset faults:Remarked: remark None, expected a text",
    "Empty": "dataset faults:Empty: images 0, expected at least one",
    "Endless": "dataset faults:Endless: images None, expected at least one",
    "Tasked": "dataset builtins:NoneType: without name, classes, palette, ",
    "NoImage": "discs:3 item 0: image None, expected an array of numpy's",
    "Lists": "discs:3 item 0: label [[0, 1]], expected an array of numpy's",
}


@pytest.mark.parametrize(("name", "message"), TOLD.items())
def test_what_is_no_whole_dataset_is_told(user, name, message):
    (user / "faults.py").write_text(FAULTS)
    with pytest.raises(DataError, match=f"^{re.escape(message)}"):
        check(open_dataset(f"python:faults:{name}:3"))


def test_an_installed_format_is_found_by_its_name(user, monkeypatch):
    point = EntryPoint("discs", "dataset:Discs", "auxnas.datasets")
    monkeypatch.setattr(plugins, "entry_points", lambda group: [point])
    monkeypatch.syspath_prepend(str(user))
    assert len(open_dataset(DataSettings(source="discs:7").source)) == 7


def test_what_is_no_dataset_is_answered_with_the_easy_form():
    with pytest.raises(SettingsError, match="expected a list of pairs of an image and a label, or"):
        DATASETS.checked("mod:none", None)
