"""``nassearch ablate``: which setups, what is switched off in each, what is kept."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from auxnas.backends.null.learner import NullLearner
from auxnas.compiler.tasks import Metric, Segmentation
from auxnas.genotype import SearchSpace
from auxnas.nassearch import ablate
from auxnas.search.errors import SearchError
from auxnas.search.evaluation.evaluator import evaluator_of
from auxnas.search.evaluation.two_stages import ignore_progress
from auxnas.search.settings.presets import PRESETS
from auxnas.search.studies.ablation import (
    COMPONENTS,
    KINDS,
    RESULTS,
    SETUPS,
    Setup,
    ablation_report,
    append_row,
    evaluate_all,
    genotypes,
    read_rows,
)
from auxnas.search.trials.records import COMPLETE, Outcome, Stage, lost

ON = Setup(polyak=True, auxiliary="cell", distillation=True)


def test_the_papers_setups():
    assert [setup.name for setup in COMPONENTS] == [
        "baseline",
        "KD",
        "AUX",
        "Polyak",
        "AUX+KD",
        "Polyak+KD",
        "Polyak+AUX",
        "Polyak+AUX+KD",
    ]
    assert [setup.auxiliary for setup in KINDS] == ["none", "classifier", "cell"]
    assert not any(setup.polyak or setup.distillation for setup in KINDS)
    assert len(SETUPS) == len({setup.name for setup in SETUPS}) == 9


def test_what_is_off_is_off_in_both_stages_and_the_rest_is_as_set(place_of):
    whole = evaluator_of(place_of(stage2__distillation=0.1).model)
    for setup in SETUPS:
        found = setup.of(whole)
        assert found.spec == replace(whole.spec, auxiliary=setup.auxiliary)
        for mine, all_on in ((found.stage1, whole.stage1), (found.stage2, whole.stage2)):
            assert mine.polyak == (all_on.polyak if setup.polyak else 0), setup.name
            assert mine.distillation == (all_on.distillation if setup.distillation else 0)
            off = {"polyak": all_on.polyak, "distillation": all_on.distillation}
            assert mine.model_copy(update=off) == all_on
        rest = (found.first, found.second, found.encoder)
        assert rest == (whole.first, whole.second, whole.encoder)


def test_everything_on_is_the_searchs_own_evaluator(place_of):
    whole = evaluator_of(place_of().model)
    assert ON.of(whole) == whole


def test_more_genotypes_continue_the_series():
    space = SearchSpace.cvpr2019()
    assert genotypes(space, 7, 3)[:4] == genotypes(space, 4, 3)
    assert genotypes(space, 4, 3) != genotypes(space, 4, 2)


# What is found --------------------------------------------------------------------------


def made_up(number, setup, first, second, failure=None):
    stages = [{"reward": r, "metrics": {"miou": r / 2}, "seconds": 1.0} for r in (first, second)]
    return {"number": number, "genotype": "g", "setup": setup.name, "stages": stages} | {
        "failure": failure
    }


def rows_of(reward):
    return [
        made_up(n, setup, *(reward(n, setup, stage) for stage in (1, 2)))
        for n in range(4)
        for setup in SETUPS
    ]


MIOU = next(iter(Segmentation.metrics.items()))


def test_the_best_kind_is_the_lowest_of_errors():
    rows = rows_of(lambda number, setup, stage: 0.3 * (setup.auxiliary == "cell"))
    for higher, best in ((True, "cell"), (False, "none")):
        (found,) = (
            row["auxiliary"]
            for row in ablation_report(rows, ("miou", Metric("error", higher)))["kinds"]
            if row["best"] == 4 and row["auxiliary"] != "classifier"
        )
        assert found == best


def test_gains_are_paired():
    def reward(number, setup, stage):
        lift = 0.1 * setup.polyak - 0.05 * setup.distillation
        if setup.auxiliary == "cell":
            lift += 0.3 if number == 0 else -0.02
        return 0.1 * number + lift + 0.01 * stage

    found = ablation_report(rows_of(reward), MIOU)
    by_setup = {(row["setup"], row["stage"]): row for row in found["components"]}
    assert by_setup["Polyak", 1]["gain"] == pytest.approx(0.1)
    assert by_setup["Polyak", 2]["gained"] == 4
    assert (by_setup["KD", 1]["gained"], by_setup["AUX", 1]["gained"]) == (0, 1)
    assert by_setup["AUX", 1]["gain"] == pytest.approx(0.06)
    assert by_setup["baseline", 2]["median"] == pytest.approx(0.17)
    kinds = {row["auxiliary"]: row for row in found["kinds"]}
    assert (kinds["cell"]["best"], kinds["none"]["best"]) == (1, 3)
    assert kinds["none"]["mean"] == pytest.approx(0.17 / 2)


def test_a_genotype_that_failed_anywhere_counts_nowhere():
    rows = rows_of(lambda number, setup, stage: 0.1 * number)
    rows[10] = made_up(1, SETUPS[1], 0.0, 0.0, "nan: loss nan")
    rows[10]["stages"] = []
    found = ablation_report(rows, MIOU)
    assert (found["genotypes"], found["failed"]) == (3, 1)
    assert all(row["count"] == 3 for row in (*found["components"], *found["kinds"]))


def test_a_torn_line_is_cut_off_and_a_wrong_one_named(tmp_path):
    rows = [made_up(0, setup, 0.1, 0.2) for setup in SETUPS[:2]]
    for row in rows:
        append_row(tmp_path, row)
    path = tmp_path / RESULTS
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"number": 3, "gen')
    assert read_rows(tmp_path) == rows
    assert path.read_bytes() == whole
    path.write_bytes(b"nonsense\n" + whole)
    with pytest.raises(SearchError, match="a line that is not JSON"):
        read_rows(tmp_path)


# The command ----------------------------------------------------------------------------

TINY = [
    *("--data", "synthetic:12", "--preset", "demo", "--learner", "null", "--size", "32x32"),
    *("--set", "model.width=0.1", "--set", "model.agg_size=8"),
]


def undrawn(monkeypatch):
    """Plots take longer than all the rest."""
    for name in ("plot_components", "plot_kinds"):
        monkeypatch.setattr(ablate, name, lambda found, path: None)


def lines(folder):
    return [json.loads(line) for line in (folder / RESULTS).read_text().splitlines()]


def test_figures_and_numbers(run, tmp_path):
    result = run("ablate", *TINY, "--count", 2, "--out", tmp_path / "a", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["genotypes"], found["failed"]) == (2, 0)
    assert found["evaluations"] == lines(tmp_path / "a")
    assert len(found["evaluations"]) == 18
    assert json.loads(Path(found["files"]["data"]).read_text()) == found
    for name in ("components", "kinds"):
        assert Path(found["files"][name]).read_bytes().startswith(b"\x89PNG")
    table = run("ablate", *TINY, "--count", 2, "--out", tmp_path / "a").stdout
    for word in ("Polyak+AUX+KD", "gain over baseline", "classifier", "best, of 2"):
        assert word in table


@pytest.mark.parametrize("preset", [name for name in PRESETS if "-" not in name])
def test_every_preset_of_segmentation_has_something_to_compare(run, tmp_path, preset, monkeypatch):
    undrawn(monkeypatch)
    batches = [f"{stage}.batch_size=2" for stage in ("stage1", "stage2", "pretrain")]
    sets = [word for each in batches for word in ("--set", each)]
    result = run("ablate", *TINY, "--preset", preset, *sets, "--count", 1, "--out", tmp_path / "a")
    assert result.exit_code == 0, result.output
    assert len(lines(tmp_path / "a")) == 9


def test_interrupted_and_made_larger_nothing_is_evaluated_twice(run, tmp_path, monkeypatch):
    undrawn(monkeypatch)
    command = ("ablate", *TINY, "--out", tmp_path / "a", "--count")
    inner, calls = NullLearner.fit, []

    def interrupting(self, *args):
        calls.append(1)
        if len(calls) == 12:
            raise KeyboardInterrupt
        return inner(self, *args)

    monkeypatch.setattr(NullLearner, "fit", interrupting)
    assert run(*command, 1).exit_code == 130
    assert len(lines(tmp_path / "a")) == 5
    assert run(*command, 1).exit_code == 0
    assert run(*command, 2).exit_code == 0
    assert len(calls) == 2 + 2 * 2 * 9
    rows = lines(tmp_path / "a")
    assert [(row["number"], row["setup"]) for row in rows] == [
        (number, setup.name) for number in range(2) for setup in SETUPS
    ]
    small = run(*command, 1, "--json")
    assert json.loads(small.stdout)["evaluations"] == rows[:9]


def test_evaluations_elsewhere_are_the_same(run, tmp_path, monkeypatch):
    undrawn(monkeypatch)
    found = []
    for name, more in ("here", ()), ("there", ("--workers", 2, "--set", "threads=1")):
        result = run("ablate", *TINY, "--count", 1, "--out", tmp_path / name, *more)
        assert result.exit_code == 0, result.output
        rows = lines(tmp_path / name)
        for row in rows:
            for stage in row["stages"]:
                stage.pop("seconds")
        found.append(sorted(rows, key=str))
    assert found[0] == found[1]
    result = run("ablate", *TINY, "--out", tmp_path / "a", "--workers", 2, "--set", "threads=null")
    assert "threads: none, with evaluations elsewhere, expected a number" in result.stderr


def test_an_evaluation_that_is_lost_is_done_again_and_fails_at_last(tmp_path):
    class Losing:
        places, jobs = 3, ()

        def submit(self, job, progress):
            self.jobs = (*self.jobs, job)

        def next(self):
            job, self.jobs = self.jobs[-1], self.jobs[:-1]
            seen[job.number] += 1
            if job.number == 4 or seen[job.number] <= job.number % 3:
                return job.number, lost("gone")
            return job.number, Outcome(COMPLETE, (Stage(job.seed / 2**32, {}),))

    seen, told = Counter(), []
    chosen = genotypes(SearchSpace.cvpr2019(), 2, 0)
    rows = evaluate_all(Losing(), chosen, 0, tmp_path, lambda *_: ignore_progress, told.append)
    assert [(row["number"], row["setup"]) for row in rows] == [
        (number, setup.name) for number in range(2) for setup in SETUPS
    ]
    assert [row["failure"] for row in rows if row["failure"]] == ["crash: gone"]
    assert seen[4] == 3
    assert len(told) == len(rows) == len(lines(tmp_path))
    assert len({row["stages"][0]["reward"] for row in rows if not row["failure"]}) == 2


@pytest.mark.parametrize(
    ("args", "status", "words"),
    [
        (["--set", "stage1.polyak=0"], 2, "stage1.polyak: 0.0, expected more than 0"),
        (["--set", "stage2.auxiliary=0"], 2, "stage2.auxiliary: 0.0, expected more than 0"),
        (["--set", "encoder_weights=a.pth"], 2, "encoder_weights: a.pth, expected a teacher"),
        (["--data", "list:/nowhere"], 2, "list:/nowhere: no such file or folder"),
        (["--count", "0"], 2, "0 is not in the range"),
        (["--data", "synthetic:1"], 2, "images, expected at least"),
    ],
)
def test_errors_are_one_line_and_leave_no_folder(run, tmp_path, args, status, words):
    result = run("ablate", *TINY, "--out", tmp_path / "a", *args)
    assert result.exit_code == status, result.output
    assert words in result.stderr.splitlines()[-1]
    assert not (tmp_path / "a").exists()


def test_another_ablation_in_the_folder_is_refused(run, tmp_path, monkeypatch):
    undrawn(monkeypatch)
    command = ("ablate", *TINY, "--count", 1, "--out", tmp_path / "a")
    assert run(*command).exit_code == 0
    result = run(*command, "--seed", 5)
    assert result.exit_code == 2
    assert "begun as something else: seed was 4 and is 5" in result.stderr
