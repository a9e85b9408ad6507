"""The page of a run: whole, sound, readable by all, and right in its numbers."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from auxnas.backends.base import BackendUnavailable
from auxnas.compiler.drawing.genotype_drawing import draw_genotype
from auxnas.genotype import zoo
from auxnas.nassearch import report as command
from auxnas.search.loop.run import execute
from auxnas.search.settings.search import Settings
from auxnas.search.storage.journal import Journal
from auxnas.search.storage.lock import run_lock
from auxnas.search.storage.schema import JournalRow, dump
from auxnas.search.trials.records import (
    COMPLETE,
    FAILED,
    PENDING,
    REUSED,
    STOPPED,
    Failure,
    Rejection,
    Stage,
    Trial,
)

pytest.importorskip("matplotlib")
pytest.importorskip("jinja2")

from matplotlib.collections import PathCollection

from auxnas.html import charts, costs, diagnostics, page, series, svg, write_report
from auxnas.html.page import render_page
from auxnas.html.runs import Run, read_run, with_distinct_labels

GENOTYPES = [zoo.load_published(name).genotype for name in zoo.NAMES]
VOID = {"meta", "link", "img", "br", "hr", "input"}
DRAWN = cache(draw_genotype)
CHARTS = [(charts, "search_charts"), (costs, "pareto_charts")]
CHARTS += [(diagnostics, "stage_time_chart"), (diagnostics, "controller_charts")]
SEARCH_CHARTS, COST_CHARTS, SECONDS, _ = (getattr(module, name) for module, name in CHARTS)
PLAIN = {"settings": Settings().model_dump(mode="json")}
NOW = datetime(2024, 1, 2, 3, 4, tzinfo=UTC)


class Checker(HTMLParser):
    """Notes what is wrong with a page that is to stand alone and be read by everyone."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.ids: Counter[str] = Counter()
        self.referred: set[str] = set()
        self.headings: list[int] = []
        self.open: list[str] = []
        self.words = ""
        self.feed(text)
        self.close()
        self.faults += [f"open: {tag}" for tag in self.open]
        self.faults += [f"id twice: {name}" for name, count in self.ids.items() if count > 1]
        self.faults += [f"no id: {name}" for name in sorted(self.referred - self.ids.keys())]
        steps = zip([0, *self.headings], self.headings, strict=False)
        self.faults += [f"heading {b} after {a}" for a, b in steps if b > a + 1]

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))
        self._note_links(tag, found)
        self._note_texts(tag, found)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"closed: {tag}")

    def handle_data(self, data):
        self.words += data

    def _note_links(self, tag, attrs):
        self.ids.update([attrs["id"]] if "id" in attrs else [])
        for key, value in attrs.items():
            self.referred |= set(re.findall(r"url\(#([^)]+)\)", value or ""))
            if key in ("href", "src") or (key == "style" and "url(" in (value or "")):
                if value.startswith("#"):
                    self.referred.add(value[1:])
                elif not value.startswith("data:") and "url(#" not in value:
                    self.faults.append(f"elsewhere: {value}")
            if key.startswith("on"):
                self.faults.append(f"script: {key}")
        self.referred |= set((attrs.get("aria-labelledby") or "").split())
        if tag in ("script", "iframe", "object", "link"):
            self.faults.append(f"element: {tag}")

    def _note_texts(self, tag, attrs):
        if tag == "img" and not attrs.get("alt"):
            self.faults.append("a picture without words")
        if tag == "svg" and not (attrs.get("aria-label") or attrs.get("role") == "img"):
            self.faults.append("a chart without words")
        if attrs.get("role") == "region" and attrs.get("tabindex") != "0":
            self.faults.append("a region that no key reaches")
        if tag == "html" and not attrs.get("lang"):
            self.faults.append("no language")


GOOD = '<html lang="en"><h1 id="a">x</h1><a href="#a">y</a><img src="data:," alt="z"></html>'
MUTANTS = {
    "open": GOOD.replace("</h1>", ""),
    "id twice": GOOD.replace("<a ", '<a id="a" '),
    "no id": GOOD.replace('"#a"', '"#b"'),
    "elsewhere": GOOD.replace("data:,", "http://example.org/x.png"),
    "heading 3": GOOD.replace("h1>", "h3>").replace("<h1", "<h3"),
    "without words": GOOD.replace(' alt="z"', ""),
    "element: script": GOOD.replace("<a ", "<script></script><a "),
    "no language": GOOD.replace(' lang="en"', ""),
}


@pytest.mark.parametrize("fault", MUTANTS)
def test_the_checker_finds_what_is_wrong(fault):
    assert not Checker(GOOD).faults
    assert any(fault in found for found in Checker(MUTANTS[fault]).faults)


def scored(number, *rewards, state=COMPLETE, genotype=None, latency=None):
    stages = tuple(Stage(r, {"miou": r / 2}, seconds=10.0 * number + 1) for r in rewards)
    costs = {"parameters": 1000 * number, "multiply_adds": 10**6 * (number + 1)}
    found = genotype or GENOTYPES[number % 3]
    end = {"state": state, "stages": stages, "reward": rewards[-1], "latency": latency}
    return Trial(number, number // 2, found, f"key{number}", 7, **end, **costs)


def failed(number, kind="nan", detail="stage 1: the loss is not finite"):
    found = Trial(number, number // 2, GENOTYPES[0], f"key{number}", 7, FAILED)
    return replace(found, failure=Failure(kind, detail))


ALL_KINDS = [
    scored(0, 0.25, 0.5, latency=4.0),
    scored(1, 0.125, state=STOPPED, latency=2.0),
    failed(2),
    Trial(3, 1, GENOTYPES[0], "key0", 7, REUSED, (), 0.5, 0),
    scored(4, 0.375, 0.75, latency=8.0),
    failed(5, "oom", "stage 2: <b>no</b> memory & no hope"),
    Trial(6, 3, GENOTYPES[1], "key6", 7, PENDING),
]
UPDATES = [
    {"told": told, "baseline": 0.5, "approx_kl": 0.01, "clipfrac": 0.2, "entropy": 30.0 - told}
    for told in (2, 3, 4)
]


PICTURED: dict[str, Any] = {}
"""What the charts of a run were, by all that is known of it but its place."""


def pictured(make):
    """The same charts, drawn once for runs that are alike."""

    def kept(runs):
        several = [runs] if isinstance(runs, Run) else runs
        known = [replace(run, folder=Path(), writer=None) for run in several]
        key = f"{make.__module__} {make.__name__} {known}"
        if key not in PICTURED:
            PICTURED[key] = make(runs)
        return PICTURED[key]

    return kept


@pytest.fixture(autouse=True)
def drawn_once(monkeypatch):
    """Layouts of the same few architectures, and charts of the same runs, are kept."""
    monkeypatch.setattr(page, "draw_genotype", DRAWN)
    for module, name in CHARTS:
        monkeypatch.setattr(module, name, pictured(getattr(module, name)))


@pytest.fixture
def run_of(tmp_path):
    """Writes the journal of a run that came to this."""

    def make(trials, name="run", searcher="ppo", updates=(), rejections=(), known=True):
        folder = tmp_path / name
        folder.mkdir()
        with Journal(folder, write=True) as journal:
            if known:
                plain = Settings().model_dump(mode="json")
                plain["search"]["searcher"], plain["learner"] = searcher, "null"
                journal.set_meta({"settings": plain, "classes": ["a", "b"], "data": "0"})
            journal.begin_session({"host": "here", "device": "nothing", "versions": {"x": "1"}}, 0)
            begun = [
                replace(t, state=PENDING, stages=(), reward=None, failure=None) for t in trials
            ]
            if trials:
                journal.propose(begun, (), rejections)
            for trial in trials:
                if trial.state != PENDING:
                    journal.finish(trial, seconds=3600.0)
            for number, update in enumerate(updates, 1):
                journal._write(JournalRow("updates", (number, dump(update))))
        return folder

    return make


def written(*folders):
    """The page of the first run, compared with the second if there is one."""
    runs = [read_run(folder) for folder in folders]
    runs = with_distinct_labels(*runs) if len(runs) > 1 else runs
    return render_page(runs, folders[0], NOW)


def text_of(html):
    checked = Checker(html)
    assert checked.faults == []
    return " ".join(checked.words.split())


def test_a_page_says_what_came_out(run_of):
    rejected = [Rejection(GENOTYPES[2], "madds", "madds 9,000, at most 5")]
    folder = run_of(ALL_KINDS, updates=UPDATES, rejections=rejected)
    html = written(folder)
    text = text_of(html)
    for words in (
        "best reward 0.7500 its mIoU 0.3750",
        "trials ended 6 of 1,000",
        "through both stages 2 stopped after stage 1 1 isomorphic to an earlier one 1 failed 2",
        "failed: nan 1 failed: oom 1 rejected: madds 1 time 1:00:00 trials per hour 6.0",
        "4 reused 0.5000",
        "as trial 1",
        "stage 2: <b>no</b> memory & no hope",
        "madds 9,000, at most 5",
        "Trial 5, reward 0.7500",
        "search.searcher ppo",
        "Written 2024-01-02 03:04 UTC",
    ):
        assert words in text, words
    for anchor in ("summary", "search", "costs", "architectures", "predictions", "times"):
        assert f'id="{anchor}"' in html
    assert "Entropy" in text
    assert "compared with" not in text
    assert not re.search(r"#0[1-6]0[1-6]0[1-6]", html), "a stand-in for a colour was left"


def test_points_say_which_trials_they_are(run_of):
    html = written(run_of(ALL_KINDS))
    tips = re.findall(r"<title>ppo, trial (\d+): reward ([\d.]+), ([^<]+)</title>", html)
    known = ("2", "0.1250", "0.001 M parameters, 2.0 M multiply-adds, 2.00 ms")
    assert Counter(tips)[known] == 3  # in time, against multiply-adds, against latency
    assert {number for number, _, _ in tips} == {"1", "2", "5"}


def test_two_runs_are_told_apart_and_compared(run_of):
    first = run_of([scored(n, 0.1 * n + 0.1, 0.1 * n + 0.2) for n in range(4)])
    other = run_of([scored(n, 0.3, 0.35) for n in range(3)], "other", "random")
    text = text_of(written(first, other))
    assert "compared with other (random)" in text
    assert "ppo random best reward 0.5000 0.3500" in text
    same = [run.label for run in with_distinct_labels(read_run(first), read_run(first))]
    assert same == [str(first)] * 2
    third = run_of([], "third")
    assert [run.label for run in with_distinct_labels(read_run(first), read_run(third))] == [
        "run",
        "third",
    ]


def test_runs_whose_folders_are_called_alike_are_named_by_their_paths(run_of, tmp_path):
    (tmp_path / "a").mkdir()
    first, other = run_of([scored(0, 0.5)], "run"), run_of([scored(0, 0.5)], "a/run", "random")
    assert f"compared with {other} (random)" in text_of(written(first, other))


def numbers_in(run_of, trials):
    """The numbers beside points of the front against multiply-adds."""
    html = written(run_of(trials))
    chart = html[html.index("Reward against multiply-adds") :]
    return re.findall(r">(\d+)</text>", chart[: chart.index("</svg>")])


def test_numbers_of_trials_never_stand_in_one_place(run_of):
    """All within a hundredth of the chart, but for the first: one number for the rest."""
    close = [scored(n, 0.5, 0.9 + n / 1e5) for n in range(1, 90)]
    costs = [replace(t, multiply_adds=10**9 + t.number) for t in close]
    first = replace(scored(0, 0.05, 0.1), multiply_adds=1)
    found = [n for n in numbers_in(run_of, [first, *costs]) if n in ("1", "45", "89", "90")]
    assert sorted(found) == ["1", "90"]


def test_a_flat_series_is_drawn_as_flat(run_of):
    """Without offsets beside the axis, and not blown up to the last digit."""
    flat = [{"told": n, "entropy": 35.0 + n * 1e-6} for n in range(1, 30)]
    html = written(run_of(ALL_KINDS, updates=flat))
    chart = html[html.index('aria-label="Entropy') :]
    ticks = re.findall(r">([^<]*\d)</text>", chart[: chart.index("</svg>")])
    assert "35.0" in {tick[:4] for tick in ticks}
    assert max(map(len, ticks)) <= 6
    assert not [tick for tick in ticks if "e" in tick or "+" in tick]


def test_every_picture_can_be_enlarged_and_closed_without_script(run_of):
    html = written(run_of(ALL_KINDS, updates=UPDATES))
    figures = re.findall(r'<figure class="[a-z]+" id="([^"]+)">', html)
    assert figures == re.findall(r'class="grow" href="#([^"]+)"', html)
    assert len(figures) == html.count("<figure") == html.count('class="close"')
    assert len([name for name in figures if name.startswith("architectures-")]) == 3
    assert "figure:target {" in html


def test_what_to_do_next_is_said(run_of):
    folder = run_of(ALL_KINDS)
    assert f"nassearch train --genotype {folder}:best --data" in text_of(written(folder))
    assert "nascompile" not in text_of(written(folder))
    for name in ("best.json", "best.safetensors"):
        (folder / name).write_text("{}")
    assert f"nascompile {folder}/best.json --weights" in text_of(written(folder))
    assert "What next" not in text_of(written(run_of([failed(0)], "none")))


REWARDS = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=12)


@settings(max_examples=4, deadline=None)
@example([(0.0, 1.0), (1.0, 0.0)])
@given(REWARDS)
def test_every_point_lies_whole_in_the_plot(pairs):
    """Points are inside the axes, and nothing cuts off those at an edge."""
    seen = []

    def drawn(self, *args, **kwargs):
        self.draw_without_rendering()
        seen.append(self)
        for axes in self.axes:
            low, high = axes.get_window_extent().extents.reshape(2, 2)
            for found in (c for c in axes.collections if isinstance(c, PathCollection)):
                assert not found.get_clip_on()
                at = found.get_offset_transform().transform(found.get_offsets())
                assert ((at >= low - 0.01) & (at <= high + 0.01)).all()

    trials = [scored(n, *pair, latency=1.0 + n) for n, pair in enumerate(pairs)]
    run = Run(Path(), "r", PLAIN, trials, [], [], [], None, "")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(svg.Figure, "savefig", drawn)
        patch.setattr(svg, "inline_svg", lambda *written: "")
        SEARCH_CHARTS([run])
        COST_CHARTS([run])
        SECONDS(run)
    assert len(seen) == 7


STATES = {
    "nothing at all": ([], {"known": False}),
    "no trial": ([], {}),
    "all under way": ([Trial(0, 0, GENOTYPES[0], "k", 7, PENDING)], {}),
    "failures alone": ([failed(0), failed(1)], {}),
    "one trial": ([scored(0, 0.5, 0.25)], {}),
    "one stopped": ([scored(0, 0.5, state=STOPPED)], {"updates": UPDATES[:1]}),
    "rewards of zero": ([scored(n, 0.0, 0.0) for n in range(3)], {}),
}


@pytest.mark.parametrize("name", STATES)
def test_any_run_has_a_page(run_of, name):
    trials, more = STATES[name]
    text = text_of(written(run_of(trials, **more)))
    rewarded = any(trial.stages for trial in trials)
    assert ("No trial has a reward yet." in text) != rewarded
    assert f"trials ended {sum(trial.state != PENDING for trial in trials)}" in text


def test_either_of_two_runs_may_have_nothing_to_show(run_of):
    folder, other = run_of([scored(0, 0.5)]), run_of([failed(0)], "other", "random")
    for runs in ((folder, other), (other, folder)):
        text = text_of(written(*runs))
        assert "Rewards in time" in text
        assert "failed: nan" in text


def test_names_cannot_break_the_page(run_of):
    name = "<script>alert(1)<b> & \"'"
    assert name in text_of(written(run_of([failed(0)], name)))


def test_a_real_run_is_shown_with_its_predictions_under_way_and_after(place_of, tmp_path):
    place = place_of(search__searcher="ppo", trials=4)
    execute(place)
    assert not (place.folder / "predictions.png").exists()
    before = {path: path.read_bytes() for path in place.folder.rglob("*") if path.is_file()}
    output = tmp_path / "page.html"
    found = write_report(place.folder, None, output, place.cache)
    assert found == {"report": str(output), "trials": 4, "scored": 4}
    html = output.read_text(encoding="utf-8")
    assert "Validation images, trial" in text_of(html)
    assert 'src="data:image/png;base64,iVBOR' in html
    after = {path: path.read_bytes() for path in place.folder.rglob("*") if path.is_file()}
    sides = ("-shm", "-wal")
    kept = {path: data for path, data in after.items() if not path.name.endswith(sides)}
    assert kept.items() <= before.items()

    for path in (place.folder / "weights").iterdir():
        path.unlink()
    write_report(place.folder, None, output, place.cache)
    assert "There is no picture" in text_of(output.read_text(encoding="utf-8"))


COURSE = {"seconds": 75.0, "epochs": 3, "metric": "mIoU", "value": 0.25}
COURSE["losses"] = [[1, 2.5], [2, 1.5], [3, 1.25]]
TABLE = {"columns": ["class", "IoU"], "rows": [["<road>", "50.00 %"], ["tree", "-"]]}


def test_the_pretraining_and_the_best_network_by_class_are_shown(run_of):
    folder = run_of(ALL_KINDS)
    best = read_run(folder).best[0].number + 1
    assert not {"classes", "pretraining"} & Checker(written(folder)).ids.keys()
    (folder / "pretraining.json").write_text(json.dumps(COURSE))
    (folder / "best.classes.json").write_text(json.dumps({"trial": best, **TABLE}))
    found = Checker(written(folder))
    assert {"classes", "pretraining"} <= found.ids.keys()
    text = " ".join(found.words.split())
    assert f"The network of trial {best}, measured over all of meta-val." in text
    assert "class IoU <road> 50.00 % tree - " in text
    assert "time 1:15 epochs 3 mIoU with its own decoder 0.2500" in text
    assert "Pre-training loss: 2.500 in epoch 1, 1.250 in 3." in written(folder)
    (folder / "best.classes.json").write_text(json.dumps({"trial": best + 1, **TABLE}))
    (folder / "pretraining.json").write_text(json.dumps({"source": "a/b.safetensors"}))
    html = written(folder)
    assert "classes" not in Checker(html).ids
    assert "An earlier run had pre-trained the encoder: a/b.safetensors." in text_of(html)


NONSENSE = ["", "[]", "{", '{"losses": 1, "seconds": "x"}', '{"losses": [[1], [2, "x"], [NaN, 1]]}']
NONSENSE += [
    '{"classes": {}}',
    '{"trial": 5, "columns": ["a"], "rows": [["b", "c"], 1]}',
    '{"source": 1, "value": true}',
]


@pytest.mark.parametrize("text", NONSENSE)
def test_a_damaged_file_of_a_run_is_left_out(run_of, text):
    folder = run_of(ALL_KINDS)
    for name in ("pretraining.json", "best.classes.json"):
        (folder / name).write_text(text)
    assert not {"classes", "pretraining"} & Checker(written(folder)).ids.keys()


def test_the_picture_that_a_run_left_is_taken_only_if_it_is_of_the_best(run_of):
    folder = run_of([scored(0, 0.5, 0.25), scored(1, 0.5, 0.75)])
    (folder / "predictions.png").write_bytes(b"picture")
    for number, there in ((1, False), (2, True)):
        (folder / "best.json").write_text(json.dumps({"result": {"trial": number}}))
        assert ("base64,cGljdHVyZQ==" in written(folder)) == there


def test_a_page_is_of_one_moment(run_of, monkeypatch):
    """A trial that ends while it is being read is under way in all of the page."""
    folder = run_of([scored(0, 0.25, 0.5), Trial(1, 0, GENOTYPES[1], "key1", 7, PENDING)])
    read = Journal.meta

    def meanwhile(journal):
        found = read(journal)
        monkeypatch.setattr(Journal, "meta", read)
        with Journal(folder, write=True) as other:
            other.finish(scored(1, 0.5, 0.75))
        return found

    monkeypatch.setattr(Journal, "meta", meanwhile)
    assert [trial.state for trial in read_run(folder).trials] == [COMPLETE, PENDING]
    assert [trial.state for trial in read_run(folder).trials] == [COMPLETE, COMPLETE]


def test_a_run_under_way_says_so(run_of):
    folder = run_of([failed(0)])
    assert "Not running now." in written(folder)
    with run_lock(folder):
        assert f"Running: process {os.getpid()} on" in written(folder)


def test_what_cannot_be_written_leaves_nothing(run_of, tmp_path):
    folder = run_of(ALL_KINDS)
    with pytest.raises(OSError, match="does not exist"):
        write_report(folder, None, tmp_path / "nowhere" / "page.html", tmp_path)
    output = tmp_path / "page.html"
    output.write_text("before")
    with pytest.raises(ValueError, match="no run here"):
        write_report(folder, tmp_path / "nowhere", output, tmp_path)
    assert output.read_text() == "before"
    assert sorted(os.listdir(tmp_path)) == ["page.html", "run"]


def test_the_command(run_of, tmp_path):
    from click.testing import CliRunner

    from auxnas.nassearch.cli import main

    folder = run_of(ALL_KINDS)
    done = CliRunner().invoke(main, ["report", str(folder), "--cache", str(tmp_path)])
    assert done.exit_code == 0
    assert done.stdout.strip() == str(folder / "report.html")
    assert (folder / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    done = CliRunner().invoke(main, ["report", str(folder), "--json", "--against", str(folder)])
    assert json.loads(done.stdout)["scored"] == 3
    (folder / "report.html").unlink()
    (folder / "report.html").mkdir()
    done = CliRunner().invoke(main, ["report", str(folder), "--cache", str(tmp_path)])
    assert done.exit_code == 2
    assert "report.html: is a directory" in done.stderr
    assert done.stderr.endswith("expected --output with another place\n")
    done = CliRunner().invoke(main, ["report", str(tmp_path / "none")])
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
    assert "no run here, expected a folder that nassearch run made" in done.stderr


@pytest.mark.parametrize("package", ["jinja2", "matplotlib"])
def test_a_missing_package_is_named_with_its_extra(monkeypatch, package):
    import builtins

    load = builtins.__import__

    def without(name, *rest):
        if name == "auxnas.html":
            raise ModuleNotFoundError(name=package)
        return load(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(BackendUnavailable, match=rf"'{package}'.*auxnas\[report\]"):
        command._writer()


# Series ------------------------------------------------------------------------------

VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=40)


@settings(max_examples=30)
@given(VALUES, st.integers(1, 50))
def test_a_band_is_of_the_last_values(values, size):
    points = list(enumerate(values, 1))
    found = series.band(points, size)
    assert found.places == [x for x, _ in points]
    for end, (low, middle, high) in enumerate(zip(found.low, found.mean, found.high, strict=True)):
        last = values[max(0, end + 1 - size) : end + 1]
        assert middle == pytest.approx(sum(last) / len(last))
        assert min(last) - 1e-12 <= low <= high <= max(last) + 1e-12


@given(VALUES)
def test_the_best_so_far_never_falls_and_ends_at_the_best(values):
    found = [value for _, value in series.best_so_far(list(enumerate(values)))]
    assert found == sorted(found)
    assert (found[0], found[-1]) == (values[0], max(values))
    assert all(value in values for value in found)


def test_long_series_are_thinned_to_what_is_evenly_apart(monkeypatch):
    monkeypatch.setattr(series, "MOST", 10)
    for count in range(1, 60):
        found = list(series.thinned(range(count)))
        assert len(found) == min(count, 10)
        assert (found[0], found[-1]) == (0, count - 1)
        steps = [b - a for a, b in pairwise(found)]
        assert max(steps, default=1) - min(steps, default=1) <= 1
    whole = series.band(list(enumerate(range(10), 1)), 4)
    thin = series.band(list(enumerate(range(28), 1)), 4)
    assert thin.places == list(range(1, 29, 3))
    assert thin.mean == [0.0, 1.5, *(place - 2.5 for place in thin.places[2:])]
    assert whole.places == list(range(1, 11))


def test_a_long_run_has_a_page_of_its_best_and_says_so(run_of, monkeypatch):
    monkeypatch.setattr(series, "MOST", 5)
    monkeypatch.setattr("auxnas.html.tables.MOST_ROWS", 4)
    trials = [scored(n, 0.25, 0.5 + n / 100, latency=9.0 - n) for n in range(9)]
    text = text_of(written(run_of(trials, updates=UPDATES * 3)))
    assert "The best 4 of 9 trials that have ended" in text
    assert text.count("Of many trials, 5 evenly apart are drawn.") == 5
    assert "best reward 0.5800" in text


def test_the_share_stopped_counts_trained_trials_alone():
    trained = [trial for trial in ALL_KINDS if trial.stages]
    assert series.stopped_share(trained, 50) == [(1, 0), (2, 1 / 2), (5, pytest.approx(1 / 3))]
    assert series.stopped_share(trained, 1) == [(1, 0), (2, 1), (5, 0)]
    assert series.stopped_share([], 5) == []


def test_times_are_of_the_trials_that_went_through_the_stage():
    trained = [trial for trial in ALL_KINDS if trial.stages]
    found = series.stage_times(trained, 2)
    assert found == series.StageTimes(2, 21.0, 21.0, 42.0)
    assert series.stage_times([], 1) is None


def test_windows_grow_with_the_run_within_bounds():
    assert [series.window(n) for n in (1, 40, 80, 400, 4000)] == [5, 5, 10, 50, 50]
