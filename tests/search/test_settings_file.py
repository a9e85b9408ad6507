"""Settings in TOML: what is written is read again, what is wrong is named with its line."""

import json

import pytest

from auxnas.search.errors import SettingsError
from auxnas.search.loop.run import SETTINGS, environment_of, execute
from auxnas.search.settings.presets import PRESETS
from auxnas.search.settings.resolving import resolve
from auxnas.search.settings.toml_file import read_settings, write_settings


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("more", [{}, {"budget": "1h30m"}, {"task": {"ignore": ['"', "\\ä\n"]}}])
def test_what_is_written_is_read_again(tmp_path, name, more):
    settings = resolve(PRESETS[name], more)
    path = tmp_path / "settings.toml"
    write_settings(path, settings, ["a remark", "another"])
    assert path.read_text().startswith("# a remark\n# another\n")
    assert resolve(PRESETS["paper"], read_settings(path)) == settings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed =\n", ", line 1, column 7: Invalid value, expected TOML"),
        ("[stage1\n", ", line 1, column 8: Expected ']' at the end of a table"),
        (
            "# one\n\n[stage1]\nepoch = 3\n",
            ", line 4: stage1.epoch: no such setting, expected",
        ),
        ("[stage1]\nepochs = -3\n", ", line 2: stage1.epochs: -3, expected at least 0"),
        ("stage1.epochs = 'x'\n", ", line 1: stage1.epochs: 'x', expected a whole number"),
        ("[data]\nsize = [3]\n", ", line 2: data.size.1: [3], expected"),
        ("\n[nowhere]\n", ", line 2: nowhere: no such setting, expected perhaps"),
        ("stage1 = 3\n", ", line 1: stage1: 3, expected a group of settings"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path, text, message):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        read_settings(path)
    assert str(caught.value).startswith(str(path) + message)


def test_other_encodings_are_named(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_bytes(b"# \xff\n")
    with pytest.raises(SettingsError, match=r"mine\.toml: byte 2 is not UTF-8, expected TOML"):
        read_settings(path)


def test_a_run_leaves_its_settings_and_environment(place_of):
    place = place_of(threads=1)
    execute(place)
    path = place.folder / SETTINGS
    assert resolve(read_settings(path)) == place.settings
    text = path.read_text()
    environment = environment_of(place)
    for found in (environment["host"], environment["versions"]["numpy"], place.meta()["data"]):
        assert found in text
    assert "trained on no device (the null learner does not train), 1 thread" in text
    assert json.loads(json.dumps(environment)) == environment
