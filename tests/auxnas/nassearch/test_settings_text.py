"""Settings as somebody wrote them: files and --set with marks, depth and numbers of any size."""

from __future__ import annotations

import pytest
from click import BadParameter
from click.testing import CliRunner

from auxnas.nassearch.cli import main
from auxnas.nassearch.options import AssignmentType
from auxnas.search.errors import SettingsError
from auxnas.search.settings.resolving import resolve
from auxnas.search.settings.toml_file import read_settings

MARKED = "\ufefftrials = 2\n"
FILES = {
    "deep": ("a = " + "[" * 100_000 + "]" * 100_000, "nested too deep"),
    "deep tables": ("a = " + "{b=" * 5000 + "1" + "}" * 5000, "nested too deep"),
    "long": ("seed = " + "9" * 5000, "5000 digits"),
    "beyond 64 bits": ("seed = 99999999999999999999", "line 1: seed: 99999999999999999999, "),
}


def test_a_byte_order_mark_is_no_part_of_the_settings(tmp_path):
    (tmp_path / "a.toml").write_text(MARKED, "utf-8")
    assert read_settings(tmp_path / "a.toml") == {"trials": 2}


def test_another_encoding_is_named(tmp_path):
    (tmp_path / "a.toml").write_text("trials = 2\n", "utf-16")
    with pytest.raises(SettingsError, match=r"a\.toml: text in UTF-16, expected TOML in UTF-8"):
        read_settings(tmp_path / "a.toml")


@pytest.mark.parametrize(("text", "found"), FILES.values(), ids=FILES)
def test_a_file_beyond_bounds_is_refused_by_name(text, found, tmp_path):
    path = tmp_path / "a.toml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=found) as caught:
        read_settings(path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize(
    "values",
    [
        {"seed": 1 << 63},
        {"trials": 1 << 70},
        {"data": {"size": [1 << 64, 64]}},
        {"encoder_weights": "\ud800"},
        {"teacher": "not-utf-8-\udcff"},
        {"task": {"ignore": ["sky", "\udfff"]}},
        {"task": {"\ud800": 1}},
        {"threads": 10_000},
        {"workers": 10**9},
        {"model": {"agg_size": 10**6}},
        {"budget": 1e300},
    ],
)
def test_what_no_library_takes_is_refused_at_once(values):
    with pytest.raises(SettingsError):
        resolve(values)


def test_the_largest_integer_of_64_bits_is_a_seed():
    assert resolve({"seed": (1 << 63) - 1}).seed == (1 << 63) - 1


@pytest.mark.parametrize("text", ["[" * 50_000, "9" * 5000])
def test_values_beyond_bounds_are_refused_by_name(text):
    with pytest.raises(BadParameter, match=r"^seed: "):
        AssignmentType().convert(f"seed={text}", None, None)


@pytest.mark.parametrize("text", ["[1, 2", "text", '"\\ud800"'])
def test_other_values_are_json_or_text(text):
    assert AssignmentType().convert(f"a={text}", None, None)[0] == "a"


def test_a_run_on_data_whose_name_is_not_utf8_ends_before_it_begins(tmp_path):
    folder = tmp_path / "out"
    words = ["run", "--data", "list:a\udcff", "--learner", "null", "--out", str(folder)]
    result = CliRunner().invoke(main, words, standalone_mode=False)
    assert "text or a path in UTF-8" in str(result.exception)
    assert not folder.exists()
