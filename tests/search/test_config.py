"""Settings: documented, strict, the paper's by default."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from auxnas.search.errors import SettingsError
from auxnas.search.settings.durations import duration_text, parse_duration
from auxnas.search.settings.presets import DEFAULT, PRESETS
from auxnas.search.settings.recorded import recorded_settings
from auxnas.search.settings.resolving import BEFORE, first_difference, flatten, nest, resolve
from auxnas.search.settings.search import HARMLESS, Settings
from auxnas.search.settings.training import TrainingSettings


def sections(model=Settings):
    yield model
    for field in model.model_fields.values():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from sections(field.annotation)


def test_every_field_is_documented():
    fields = [(s, n, f) for s in set(sections()) for n, f in s.model_fields.items()]
    assert len(fields) > 40
    assert [(s.__name__, n) for s, n, f in fields if not f.description] == []


def test_defaults_are_the_papers():
    found = dict(flatten(resolve().model_dump(mode="json")))
    expected = {
        "model.agg_size": 48,
        "model.sep_repeats": 1,
        "model.width": 1.0,
        "model.auxiliary": "cell",
        "data.meta_train": 0.9,
        "features.images": 4000,
        "search.searcher": "ppo",
        "search.controller.layers": 2,
        "search.controller.hidden": 100,
        "search.controller.spread": 0.1,
        "search.controller.rate": 1e-4,
        "search.controller.clip_coef": 0.1,
        "search.controller.max_grad_norm": 2.0,
        "search.controller.baseline_decay": 0.95,
        "search.proceed": 0.9,
        "stage1.epochs": 5,
        "stage2.epochs": 1,
        "stage1.batch_size": 64,
        "stage2.batch_size": 32,
        "stage1.decoder_rate": 3e-3,
        "stage2.decoder_rate": 3e-3,
        "stage2.encoder_rate": 1e-3,
        "stage1.polyak": 0.9,
        "stage2.polyak": 0.99,
        "stage1.distillation": 0.3,
        "stage2.distillation": 0.0,
        "stage1.auxiliary": 0.15,
        "stage2.auxiliary": 0.15,
    }
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize("name", PRESETS)
def test_presets_resolve_and_survive_storage(name):
    settings = resolve(PRESETS[name])
    stored = settings.model_dump(mode="json")
    assert resolve(stored) == settings
    assert first_difference(stored, settings) is None


def test_the_default_preset_exists_and_paper_changes_nothing():
    assert DEFAULT in PRESETS
    assert resolve(PRESETS["paper"]) == Settings()


def test_later_layers_win_and_leave_the_rest():
    found = resolve({"stage1": {"epochs": 2}}, nest({"stage1.epochs": 3, "seed": 4}))
    assert (found.stage1.epochs, found.stage1.batch_size, found.seed) == (3, 64, 4)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("stage1.epoch", "stage1.epochs"),
        ("sead", "seed"),
        ("model.aggsize", "model.agg_size"),
        ("stage3.epochs", "stage[12]"),
        ("agg_siz", "model.agg_size"),
        ("qqq", "[a-z]+"),
        ("trails", "trials"),
        ("search.trails", "trials"),
        ("epochs", "stage1.epochs or stage2.epochs or pretrain.epochs$"),
    ],
)
def test_an_unknown_setting_names_the_nearest(name, near):
    place = name.split(".")[0] if name.startswith("stage3") else name
    with pytest.raises(SettingsError, match=rf"^{place}: no such setting, .*perhaps {near}"):
        resolve(nest({name: 1}))


def test_in_a_group_that_it_is_like_nothing_of_all_are_named():
    with pytest.raises(SettingsError, match=r"^search.predictor.zzz: no .* one of initial, cand"):
        resolve(nest({"search.predictor.zzz": 1}))


@pytest.mark.parametrize(
    ("name", "value", "place"),
    [
        ("trials", 0, "trials: 0"),
        (
            "search.controller",
            {"update_every": 1, "norm_adv": True},
            "search.controller.norm_adv: True, expected false, or update_every=2",
        ),
        ("stage1.polyak", 1.0, "stage1.polyak: 1.0"),
        ("data.size", [0, 3], "data.size.0: 0"),
        ("learner", "jax", "learner: 'jax'"),
        ("model", 3, "model: 3, expected a group"),
        ("seed", "x", "seed: 'x', expected a whole number"),
        ("seed", None, "seed: None, expected a whole number"),
        ("model.width", "x", "model.width: 'x', expected a number"),
        ("tensorboard", 3.5, "tensorboard: 3.5, expected true or false"),
        ("teacher", 3, "teacher: 3, expected text"),
        ("data.size", [64, 64, 64], "data.size: [64, 64, 64], expected at most 2 of them"),
        ("data.size", [64], "data.size.1: [64], expected one more of them"),
        ("data.size", 64, "data.size: 64, expected a list such as [1, 2]"),
        ("data.size", [31, 64], "data.size: [31, 64], expected 32 to 8192"),
        ("data.size", [99999, 64], "data.size: [99999, 64], expected 32 to"),
        ("data.meta_train", 1, "data.meta_train: 1, expected less than 1"),
    ],
)
def test_a_value_out_of_range_is_one_line_with_its_place(name, value, place):
    with pytest.raises(SettingsError) as caught:
        resolve(nest({name: value}))
    assert str(caught.value).startswith(place)
    assert "expected" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_names_that_json_or_a_list_would_have_otherwise():
    assert resolve({"learner": None}).learner == "null"
    assert resolve(nest({"task.ignore": "background"})).task.ignore == ("background",)
    assert resolve(nest({"task.ignore": ["a", "b"]})).task.ignore == ("a", "b")
    assert resolve(nest({"task.ignore": None})).task.ignore is None


def test_difference_names_setting_stored_and_given():
    stored = resolve().model_dump(mode="json")
    assert first_difference(stored, resolve({"trials": 7})) is None
    found = first_difference(stored, resolve(nest({"stage1.epochs": 2})))
    assert found == "stage1.epochs was 5 and is 2"


IN_0_1_0 = """
budget encoder_weights keep learner seed teacher tensorboard threads trial_timeout trials workers
data: classes meta_train mirror scale size source
features: dtype images
latency: exponent measure target_ms
limits: latency_ms madds params
model: agg_size auxiliary sep_repeats width
pretrain: batch_size channels epochs poly polyak rate scale seed
search: batch proceed proceed_half_life reuse searcher
search.controller: baseline_decay clip_coef ent_coef hidden layers max_grad_norm minibatches
search.controller: norm_adv rate spread update_epochs update_every
search.evolution: population sample
stage1: auxiliary batch_size clip_norm decoder_rate distillation encoder_rate epochs polyak
stage2: auxiliary batch_size clip_norm decoder_rate distillation encoder_rate epochs polyak
task: ignore
train: auxiliary batch_size beta2 channels checkpoint clip_norm decoder_rate distillation
train: encoder_rate epochs epsilon frozen phases poly polyak schedule teacher validate_every
"""
KINDS = (Settings, TrainingSettings)


def in_0_1_0():
    for line in IN_0_1_0.strip().splitlines():
        group, _, names = line.rpartition(":")
        yield from (f"{group}.{name}" if group else name for name in names.split())


def test_a_setting_that_is_added_says_what_was_done_before_it_existed():
    now = {name for kind in KINDS for name, _ in flatten(kind().model_dump(mode="json"))}
    assert now == {*in_0_1_0(), *BEFORE}
    assert not set(in_0_1_0()) & set(BEFORE)


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_begun_without_a_setting_goes_on_as_before_or_is_refused(kind):
    whole = dict(flatten(kind().model_dump(mode="json")))
    for name in whole:
        stored = nest({other: value for other, value in whole.items() if other != name})
        if name in BEFORE:
            found = recorded_settings(stored, kind)
            assert dict(flatten(found.model_dump(mode="json"))) == {**whole, name: BEFORE[name]}
            assert first_difference(stored, found) is None
            if BEFORE[name] != whole[name] and name not in HARMLESS:
                expected = f"{name} was {BEFORE[name]!r} and is {whole[name]!r}"
                assert first_difference(stored, kind()) == expected
        elif name not in HARMLESS:
            expected = f"{name} was not recorded and is {whole[name]!r}"
            assert first_difference(stored, kind()) == expected


@given(st.floats(min_value=1e-12, max_value=1e9) | st.integers(1, 10**6).map(float))
def test_a_duration_is_read_back_exactly(value):
    assert parse_duration(duration_text(value)) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("4h", 14400), ("30m", 1800), ("90s", 90), ("1h30m", 5400), ("1.5h", 5400), ("2m0.5s", 120.5)],
)
def test_durations(text, value):
    assert parse_duration(text) == value
    assert resolve({"budget": text}).budget == value


@pytest.mark.parametrize("text", ["", "4", "h", "4x", "30m1h", "-1h", "1h 30m", "0s", "1e3s"])
def test_what_is_no_duration_says_what_is(text):
    with pytest.raises(SettingsError, match=r"^budget: .*expected a duration like 4h, 30m"):
        resolve({"budget": text})


def test_a_layer_with_a_bound_lifts_the_bounds_before_it():
    def bounds(*layers):
        found = resolve(*layers)
        return found.trials, found.budget

    assert bounds({"trials": 5}, {"budget": "1h"}) == (None, 3600)
    assert bounds({"budget": "1h"}, {"trials": 5}) == (5, None)
    assert bounds({"trials": 5}, {"budget": "1h", "trials": 7}) == (7, 3600)
    assert bounds({"trials": 5}, {"seed": 1}) == (5, None)
    with pytest.raises(SettingsError, match="budget: None, expected a duration like 4h, or a num"):
        bounds({"trials": None})


def test_settings_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        resolve().seed = 3


def test_a_folder_as_data_is_asked_whether_its_list_was_meant(tmp_path):
    (tmp_path / "train.lst").write_text("")
    with pytest.raises(SettingsError, match=rf"expected list:{tmp_path}\? Kinds of data are syn"):
        resolve({"data": {"source": str(tmp_path)}})
    with pytest.raises(SettingsError, match=r"expected synthetic to .*synthetic\[:COUNT\], list:"):
        resolve({"data": {"source": str(tmp_path / "none")}})


@pytest.mark.parametrize("address", ["auto", "head:6379", "10.0.0.1:1", "[::1]:65535", "a-b.c_d:8"])
def test_addresses_of_clusters_are_auto_or_a_host_and_a_port(address):
    assert resolve({"cluster": {"address": address}}).cluster.address == address


WRONG = [
    "",
    "local",
    "head",
    "127.0.0.1:x",
    "ray://head:10001",
    "head:0",
    "head:65536",
    ":1",
    "a b:1",
]


@pytest.mark.parametrize("address", [*WRONG, "::1:6379", "head:6379\n", "head:\u0661"])
def test_other_addresses_of_clusters_are_one_line(address):
    with pytest.raises(SettingsError) as caught:
        resolve({"cluster": {"address": address}})
    assert str(caught.value) == f"cluster.address: {address!r}, expected auto or HOST:PORT"
