"""``nassearch settings``: every setting, with words that agree with what is accepted."""

import json

import pytest
from click.testing import CliRunner
from pydantic import TypeAdapter

from auxnas.nassearch.cli import main
from auxnas.search.errors import SettingsError
from auxnas.search.settings.listing import KINDS, range_in_words, setting_schemas, settings_list
from auxnas.search.settings.presets import PRESETS
from auxnas.search.settings.resolving import flatten, nest, resolve
from auxnas.search.settings.search import Settings
from auxnas.search.settings.training import preset_layers

STEPS = {"minimum": -1, "exclusiveMinimum": 0, "maximum": 1, "exclusiveMaximum": 0}
"""From each bound to the next number that is beyond it."""
BOUNDED = [
    (command, name, part, key)
    for command, kind in KINDS.items()
    for name, schema in setting_schemas(kind)
    for part in schema.get("anyOf", [schema])
    for key in STEPS
    if key in part and "takes" not in schema
]


def lines(*words, status=0):
    result = CliRunner().invoke(main, ["settings", *words])
    assert result.exit_code == status, result.output
    return result.output


@pytest.mark.parametrize("command", KINDS)
@pytest.mark.parametrize("preset", PRESETS)
def test_every_setting_is_listed_with_its_values(command, preset):
    kind = KINDS[command]
    layers = [PRESETS[preset]] if kind is Settings else preset_layers(preset)
    rows = settings_list("", command, preset)
    assert {r.name: r.default for r in rows} == dict(flatten(kind().model_dump(mode="json")))
    under = dict(flatten(resolve(*layers, kind=kind).model_dump(mode="json")))
    assert {r.name: r.preset for r in rows} == under
    assert all(row.takes and row.description for row in rows)


@pytest.mark.parametrize(("command", "name", "part", "key"), BOUNDED)
def test_the_bounds_in_words_are_the_bounds_that_hold(command, name, part, key):
    words = dict(zip(STEPS, ("at least", "more than", "at most", "less than"), strict=True))
    (row,) = settings_list(name, command, "paper")
    assert f"{words[key]} {part[key]:g}" in row.takes
    beyond = int(part[key]) + STEPS[key]
    with pytest.raises(SettingsError, match="expected"):
        resolve(nest({name: beyond}), kind=KINDS[command])


def test_bounds_are_looked_for_where_there_are_some():
    assert len(BOUNDED) > 60


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (bool, "true or false"),
        (str | None, "text, or null"),
        (list[int], "a list, each a whole number"),
        (float, "a number"),
    ],
)
def test_types_in_words(kind, words):
    assert range_in_words(TypeAdapter(kind).json_schema()) == words


@pytest.mark.parametrize("name", ["data.size", "data.source", "budget", "data.scale"])
def test_what_a_text_or_list_takes_is_said(name):
    (row,) = settings_list(name, "run", "paper")
    assert not row.takes.startswith(("a list,", "text", "a number"))


def test_a_name_lists_itself_and_a_group_its_settings():
    one = json.loads(lines("stage1.epochs", "--json"))
    assert [(row["command"], row["name"], row["default"]) for row in one] == [
        ("run", "stage1.epochs", 5)
    ]
    group = json.loads(lines("search.controller", "--json"))
    assert len(group) > 8
    assert all(row["name"].startswith("search.controller.") for row in group)
    both = json.loads(lines("model.agg_size", "--json", "--preset", "demo"))
    assert [(r["command"], r["default"], r["preset"]) for r in both] == [
        ("run", 48, 16),
        ("train", 64, 16),
    ]
    assert json.loads(lines("model.agg_size", "--json", "--for", "train"))[0]["default"] == 64


def test_text_shows_preset_default_range_and_meaning():
    assert lines("stage1.batch_size", "--preset", "demo").splitlines()[2:5] == [
        "stage1.batch_size = 8 (default 64)",
        "    a whole number, at least 2",
        "    Images a step (64 and 32).",
    ]
    assert "stage1.epochs = 4 (default 5)\n" in lines("stage1")
    assert all(len(line) <= 88 for line in lines().splitlines())


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("stage1.epoch", "stage1.epochs"),
        ("stage1.epochs.x", "stage1.epochs"),
        ("epochs", "stage1.epochs or stage2.epochs or pretrain.epochs or train.epochs"),
        ("trian.epochs", "train"),
        ("search.control", "search.controller"),
        ("..", ""),
    ],
)
def test_an_unknown_name_is_answered_with_near_ones(name, near):
    (line,) = lines(name, status=2).splitlines()
    assert f"no such setting, expected perhaps {near}" in line


def test_an_unknown_preset_or_command_is_refused():
    assert "none of paper, small, demo" in lines("--preset", "huge", status=2)
    assert "'pretrain' is not one of 'run', 'train'" in lines("--for", "pretrain", status=2)


def test_values_shown_are_accepted_by_set():
    for row in settings_list("", "run", "small"):
        assert resolve(nest({row.name: row.preset}), {"trials": 1}) is not None
