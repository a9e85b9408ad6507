"""What is trained beside what was searched: said, held to the search's limits, or kept."""

import json

import pytest

from auxnas.compiler import ModelSpec, cost, lower
from auxnas.genotype import zoo
from auxnas.nassearch import correlate
from auxnas.search.errors import SearchError
from auxnas.search.loop.run import execute
from auxnas.search.networks import searched as searched_module
from auxnas.search.networks.searched import SIZES, Searched, compare_with_search, comparison_lines
from auxnas.search.networks.sources import find_source, searched_as
from auxnas.search.storage.export import trial_document, write_document
from auxnas.search.trials.records import best_of

ARCH0 = zoo.load_published("arch0").genotype
SIZE = (32, 64)
COMMON = ("--preset", "small", "--epochs", "4", "--json")


@pytest.fixture
def searched(place_of):
    """A run with a limit that holds at its own size, and its best trial."""
    place = place_of("run", data__source="synthetic:30", limits__params=200_000)
    return place, best_of(execute(place))[0]


def figures(genotype, spec, size=SIZE):
    found = cost(lower(genotype, spec), size)
    return found.parameters, found.multiply_adds


def test_costs_by_the_compilers_count():
    small, large = ModelSpec(width=0.1, agg_size=8, sep_repeats=1), ModelSpec(width=0.1)
    found = compare_with_search(Searched("run", small, SIZE), ARCH0, large, SIZE, 1)
    for name, spec in (("searched", small), ("trained", large)):
        row = found[name]
        assert (row["parameters"], row["multiply_adds"]) == figures(ARCH0, spec)
        assert [row[each] for each in SIZES] == [getattr(spec, each) for each in SIZES]
    assert found["over"] == []
    one, other = comparison_lines(found)
    assert one.startswith("searched: 0.")
    assert one.endswith("(width 0.1, agg_size 8, sep_repeats 1)")
    assert "(width 0.1, agg_size 64, sep_repeats 2); --as-searched" in other
    same = compare_with_search(Searched("run", small, SIZE), ARCH0, small, SIZE, 1)
    (line,) = comparison_lines(same)
    assert line.startswith("trained as searched: ")


def test_every_limit_that_is_broken_is_named(place_of, monkeypatch):
    monkeypatch.setattr(searched_module, "compiled_latency", lambda *_: 0.02)
    limits = place_of(limits__params=9, limits__madds=8, limits__latency_ms=7).settings.limits
    found = compare_with_search(
        Searched("run", ModelSpec(), SIZE, limits), ARCH0, ModelSpec(), SIZE, 1
    )
    names = [line.split()[0] for line in found["over"]]
    assert names == ["params", "madds", "latency_ms"]
    warnings = [line for line in comparison_lines(found) if line.startswith("warning: ")]
    assert warnings[2] == "warning: over a limit of run: latency_ms 20, at most 7"


def test_a_training_says_what_it_makes_of_what_was_searched(run, searched, tmp_path):
    place, best = searched
    source = ("--genotype", f"{place.folder}:best")
    result = run("train", *COMMON, *source, "--out", tmp_path / "paper")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["searched"]["searched"]["parameters"] == best.parameters
    assert found["searched"]["searched"]["multiply_adds"] == best.multiply_adds
    assert found["searched"]["trained"]["parameters"] == found["parameters"] > best.parameters
    assert [found["searched"]["trained"][name] for name in SIZES] == [0.1, 64, 2]
    (over,) = found["searched"]["over"]
    assert over == f"params {found['parameters']:,}, at most 200,000"
    assert f"warning: over a limit of {place.folder}: {over}" in result.stderr
    result = run("train", *COMMON, *source, "--as-searched", "--out", tmp_path / "kept")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["parameters"], found["multiply_adds"]) == (best.parameters, best.multiply_adds)
    assert found["searched"]["searched"] == found["searched"]["trained"]
    assert "trained as searched: " in result.stderr
    (odd,) = [line for line in result.stderr.splitlines() if "warning" in line]
    assert "52 of its 52 batch norms have mean 0 and variance 1" in odd  # nothing was trained


def test_a_file_of_a_run_knows_its_sizes_too(run, searched, tmp_path):
    place, best = searched
    file = tmp_path / "best.json"
    write_document(file, trial_document(best, "best", "run", place.meta()))
    data = ("--data", "synthetic:30", "--size", "32x32", "--learner", "null")
    words = ("train", *COMMON, *data, "--genotype", file, "--set", "pretrain.channels=8")
    result = run(*words, "--as-searched", "--out", tmp_path / "t")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["parameters"] == best.parameters
    result = run(*words, "--out", tmp_path / "other")
    assert "searched: " in result.stderr
    assert json.loads(result.stdout)["parameters"] > best.parameters


def test_limits_are_held_to_however_run_and_genotype_are_named(run, searched, place_of, tmp_path):
    place, best = searched
    free = place_of("free", data__source="synthetic:30")
    other = best_of(execute(free))[0]
    files = {"best": (best, place), "other": (other, free)}
    for name, (trial, its) in files.items():
        write_document(tmp_path / name, trial_document(trial, name, "run", its.meta()))
    warned = []
    for genotype, named in (
        (place.folder, None), (f"{place.folder}:best", None), (tmp_path / "best", None),
        (tmp_path / "best", place.folder), (tmp_path / "best", free.folder),
        (tmp_path / "other", place.folder), (free.folder, place.folder),
        ("arch0", place.folder), (other.genotype, place.folder),
        (free.folder, None), (tmp_path / "other", None), ("arch0", free.folder),
    ):  # fmt: skip
        source = find_source(str(genotype))
        found = searched_as(source, named)
        compared = compare_with_search(found, source.architecture, ModelSpec(), SIZE, 1)
        lines = [line for line in comparison_lines(compared) if line.startswith("warning: over")]
        warned.append([line.rpartition(": ")[2].endswith("at most 200,000") for line in lines])
    assert warned == [*[[True]] * 9, *[[]] * 3]
    words = ("--genotype", tmp_path / "other", "--run", place.folder, "--out", tmp_path / "t")
    result = run("train", *COMMON, *words)
    assert result.exit_code == 0, result.output
    assert f"warning: over a limit of {place.folder}: params " in result.stderr
    ((where, line),) = json.loads(result.stdout)["searched"]["over_others"]
    assert where == str(place.folder)
    assert line.endswith(", at most 200,000")


def test_limits_of_a_file_that_are_none_name_it(searched, tmp_path):
    place, best = searched
    text = json.loads(trial_document(best, "best", "run", place.meta()))
    assert text["limits"] == {"params": 200_000}
    for limits in (3, [1], {"params": "many"}, {"height": 2}):
        (tmp_path / "a").write_text(json.dumps({**text, "limits": limits}))
        with pytest.raises(SearchError, match=r"/a: limits: .*, expected those that nassearch"):
            find_source(str(tmp_path / "a"))


@pytest.mark.parametrize("trial", ["best", "3"])
def test_a_run_that_is_not_there_is_named(tmp_path, trial):
    with pytest.raises(SearchError, match=r"/none: no search in it, expected the folder of one"):
        find_source(f"{tmp_path / 'none'}:{trial}")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--genotype", "arch0", "--data", "synthetic:12"), "nothing is known of a search"),
        (("--genotype", "lwrf", "--run", "{run}"), "nothing is known of a search"),
        (("--genotype", "{run}:best", "--set", "model.agg_size=9"), "model.agg_size was 8 in"),
        (("--genotype", "{run}:best", "--set", "model.width=0.2"), "model.width was 0.1 in"),
    ],
)
def test_as_searched_takes_a_search_and_no_other_sizes(run, searched, tmp_path, words, said):
    words = [word.format(run=searched[0].folder) for word in words]
    result = run("train", *COMMON, *words, "--as-searched", "--out", tmp_path / "t")
    assert result.exit_code == 2
    assert f"--as-searched: {said}" in result.stderr
    assert not (tmp_path / "t").exists()


def test_other_data_and_another_encoder_are_said(run, searched, place_of, tmp_path):
    place, best = searched
    file = tmp_path / "best.json"
    write_document(file, trial_document(best, "best", "run", place.meta()))
    other = place_of("other", pretrain__seed=5, limits__params=200_000)
    execute(other)
    others = ("--data", "synthetic:15")
    others += ("--encoder-weights", other.folder / "encoder.safetensors")
    for words in ((f"{place.folder}:best",), (file, "--run", place.folder)):
        out = ("--out", tmp_path / str(len(words)))
        result = run("train", *COMMON, "--genotype", *words, *others, *out)
        assert result.exit_code == 0, result.output
        assert f"warning: other data than those that {place.folder} searched on" in result.stderr
        said = f"warning: another encoder than the one that {place.folder} searched with"
        assert said in result.stderr


def test_correlate_trains_at_either_size(run, place_of, tmp_path, monkeypatch):
    monkeypatch.setattr(correlate, "plot_correlation", lambda found, path: None)
    place = place_of("run")
    trials = execute(place)
    common = ("correlate", place.folder, "--count", 3, *COMMON)
    for words, sizes in (((), (64, 2)), (("--as-searched",), (8, 1))):
        result = run(*common, *words, "--out", tmp_path / str(sizes[0]))
        assert result.exit_code == 0, result.output
        found = json.loads(result.stdout)
        width = place.settings.model.width
        assert found["model"] == {
            "searched": dict(zip(SIZES, (width, 8, 1), strict=True)),
            "trained": dict(zip(SIZES, (width, *sizes), strict=True)),
        }
        number = found["architectures"][0]["trial"]
        folder = tmp_path / str(sizes[0]) / f"trial-{number:05}"
        trained = json.loads((folder / "result.json").read_text())["parameters"]
        assert (trained == trials[number - 1].parameters) == (sizes == (8, 1))
