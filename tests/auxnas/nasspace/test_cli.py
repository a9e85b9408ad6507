import itertools
import json
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from auxnas import progress
from auxnas.genotype import CVPR2019, LEVELS, SearchSpace, parse, to_json
from auxnas.genotype.zoo import NAMES, load_published
from auxnas.nasspace.cli import main

TINY = ["--blocks", "1", "--branches", "1", "--operations", "conv1x1,skip,zero"]
WEIGHTED = [row.name for row in CVPR2019 if not (row.is_identity or row.is_zero)]
ARCH0 = "[[[3, 3], [3, 2], [3, 0]], [8, [0, 0, 5, 2], [0, 2, 8, 8], [0, 5, 1, 4]]]"
ARCH0_AGAIN = "[[[3, 3], [3, 0], [2, 3]], [8, [0, 0, 2, 5], [3, 0, 8, 8], [0, 6, 1, 4]]]"
"""arch0 with two blocks exchanged, and sides of pairs."""


def run(*args: str) -> Result:
    return CliRunner().invoke(main, args)


def done(*args: str) -> Result:
    result = run(*args)
    assert result.exit_code == 0, result.stderr
    return result


def document(*args: str) -> Any:
    return json.loads(done(*args, "--json").stdout)


def refused(*args: str, status: int = 2) -> str:
    """The one line on stderr of a command that fails."""
    result = run(*args)
    assert (result.exit_code, result.stdout) == (status, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    return line


def test_counts_of_the_papers_space_stand_beside_its_estimate() -> None:
    found = document("count")
    assert list(found["levels"]) == list(LEVELS)
    for level in LEVELS:
        counts = SearchSpace.cvpr2019().count(level)
        assert found["levels"][level]["connections"] == counts.connections
        assert found["levels"][level]["cells"] == counts.cells
        assert found["levels"][level]["total"] == counts.connections * counts.cells
    assert found["paper_estimate"]["connections"] == 120


def test_the_table_holds_the_numbers_and_how_they_are_obtained() -> None:
    text = done("count", "--level", "isomorphism").stdout
    assert "11,607,711,379" in text
    assert "paper's estimate" in text
    assert "isomorphism: Burnside's lemma" in text
    assert "paper" not in done("count", "--level", "raw", "--blocks", "2").stdout


@given(st.sets(st.sampled_from(CVPR2019.names), min_size=1), st.randoms(use_true_random=False))
def test_operations_are_chosen_by_name(names: set[str], rng: random.Random) -> None:
    """In this order."""
    asked = rng.sample(sorted(names), len(names))
    found = document("count", "--level", "raw", "--branches", "1", "--operations", ",".join(asked))
    assert found["space"]["operations"] == asked
    assert found["levels"]["raw"]["cells"] == len(names) * (2 * len(names)) ** 2
    assert "paper_estimate" not in found


def test_operations_default_to_those_of_the_paper() -> None:
    assert document("count", "--level", "raw")["space"]["operations"] == list(CVPR2019.names)


@pytest.mark.parametrize(
    ("level", "weighted", "cells"), [("swap", 3, 63), ("isomorphism", 3, 63), ("raw", 3, 108)]
)
def test_known_counts(level: str, weighted: int, cells: int) -> None:
    options = ["--branches", "1", "--operations", ",".join(WEIGHTED[:weighted])]
    assert document("count", "--level", level, *options)["levels"][level]["cells"] == cells
    assert document("count", "--level", "functional", *TINY)["levels"]["functional"]["cells"] == 20


@pytest.mark.parametrize(
    ("options", "left_out"),
    [
        (["--branches", "4"], ["functional"]),
        (["--blocks", "40", "--branches", "20"], ["isomorphism", "functional"]),
        (["--blocks", "40", "--branches", "2"], ["isomorphism", "functional"]),
    ],
)
def test_levels_that_take_long_are_left_out_and_named(
    options: list[str], left_out: list[str]
) -> None:
    found = document("count", *options)
    assert list(found["left_out"]) == left_out
    assert list(found["levels"]) == [level for level in LEVELS if level not in left_out]
    result = done("count", *options)
    assert [line.split(":")[0] for line in result.stderr.splitlines()] == left_out
    assert "--level functional counts it" in result.stderr
    assert "left_out" not in document("count")


def test_sizes_reach_the_space() -> None:
    found = document("count", "--level", "raw", "--encoder-outputs", "5", *TINY)
    assert found["space"]["encoder_outputs"] == 5
    assert found["levels"]["raw"]["connections"] == 25


@pytest.mark.parametrize(
    ("args", "found"),
    [
        (["count", "--operations", "skip,jump"], "--operations: no 'jump', expected some of"),
        (["count", "--operations", "skip,skip"], "--operations: 'skip' again"),
        (["count", "--blocks", "0"], "0 is not in the range"),
        (["count", "--level", "same"], "'same' is not one of"),
        (["sample", "--count", "none"], "'none' is not a valid positive integer"),
        (["count", "--blocks", "x"], "'x' is not a valid positive integer"),
        (["show", ""], "genotype: an empty name, expected a genotype file or one of arch0"),
        (["show", "a" * 5000], f"error: {'a' * 57}...: no such file, expected a genotype file"),
        (["show", "a\0b"], "no such file"),
        (["show", "nope"], "expected a genotype file or one of arch0"),
        (["show", "[[[9, 0], [0, 0], [0, 0]], [0]]"], "cell.branches"),
        (["show", "arch0", "--picture", "a.pdf"], "expected a name that ends in .svg or .png"),
        (["dedupe"], "Missing argument"),
        (["dedupe", "missing.out"], "missing.out: No such file"),
    ],
)
def test_wrong_use_is_one_line(args: list[str], found: str) -> None:
    assert found in refused(*args)


def test_samples_are_genotypes_and_the_same_for_the_same_seed() -> None:
    lines = done("sample", "--count", "5", "--seed", "3", *TINY).stdout.splitlines()
    assert len(lines) == 5
    assert lines == done("sample", "--count", "5", "--seed", "3", *TINY).stdout.splitlines()
    assert lines != done("sample", "--count", "5", "--seed", "4", *TINY).stdout.splitlines()
    (line,) = done("sample", "--count", "1", "--level", "raw").stdout.splitlines()
    assert str(parse(line).genotype) == line


def test_samples_as_json_name_their_space() -> None:
    found = document("sample", "--count", "2", "--level", "swap", *TINY)
    assert (found["level"], found["seed"], len(found["genotypes"])) == ("swap", 0, 2)
    for value in found["genotypes"]:
        genotype = parse(json.dumps(value)).genotype
        assert genotype.space.blocks == 1
        assert genotype.key("swap") == value["key"]


@pytest.fixture
def files(tmp_path: Path) -> Sequence[str]:
    """A log, lines in the paper's notation, and a document of ours."""
    log = tmp_path / "genotypes.out"
    cell_first = "[[8, [0, 0, 5, 2], [0, 2, 8, 8], [0, 5, 1, 4]], [[3, 3], [3, 2], [3, 0]]]"
    log.write_text(f"starting\nreward: 0.5, epoch: 1, genotype: {cell_first}\n")
    lines = tmp_path / "lines"
    lines.write_text(f"{ARCH0_AGAIN}\n{load_published('arch1').genotype}\n")
    ours = tmp_path / "arch0.json"
    ours.write_text(to_json(load_published("arch0").genotype))
    return [str(log), str(lines), str(ours)]


def test_dedupe_reads_every_notation_and_says_what_is_the_same(files: Sequence[str]) -> None:
    log, lines, ours = files
    result = done("dedupe", *files)
    first, second = (line.split("\t") for line in result.stdout.splitlines())
    assert first == ["3", ARCH0, f"{log}:2 = {lines}:1 = {ours}"]
    assert second == ["1", str(load_published("arch1").genotype), f"{lines}:2"]
    assert "4 genotypes, 2 distinct at level isomorphism" in result.stderr


def test_dedupe_as_json_and_at_another_level(files: Sequence[str]) -> None:
    found = document("dedupe", *files, "--level", "raw")
    assert (found["level"], found["read"]) == ("raw", 4)
    assert [row["count"] for row in found["distinct"]] == [2, 1, 1]
    assert found["distinct"][1]["genotype"] == ARCH0_AGAIN
    assert len({row["key"] for row in found["distinct"]}) == 3


def test_dedupe_reads_the_standard_input_and_what_sample_prints(tmp_path: Path) -> None:
    lines = done("sample", "--count", "5").stdout
    found = CliRunner().invoke(main, ["dedupe", "-"], input=lines)
    assert found.exit_code == 0, found.stderr
    assert [row.split("\t")[1] for row in found.stdout.splitlines()] == lines.splitlines()
    as_json = done("sample", "--count", "5", "--json").stdout
    found = CliRunner().invoke(main, ["dedupe", "-"], input=as_json)
    assert [row.split("\t")[1] for row in found.stdout.splitlines()] == lines.splitlines()
    program = "from auxnas.nasspace.cli import main; main(['dedupe', '/dev/stdin'])"
    piped = subprocess.run(
        [sys.executable, "-c", program], input=lines, capture_output=True, text=True, check=True
    )
    assert [row.split("\t")[1] for row in piped.stdout.splitlines()] == lines.splitlines()


def test_a_file_without_genotypes_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    result = done("dedupe", str(tmp_path / "empty"))
    assert result.stderr.splitlines()[0] == f"{tmp_path / 'empty'}: no genotype in it"
    assert result.stdout == ""


def test_many_genotypes_are_compared_with_progress_on_stderr(
    monkeypatch: pytest.MonkeyPatch, files: Sequence[str]
) -> None:
    plain = done("dedupe", *files)
    ticks = itertools.count(step=20)
    monkeypatch.setattr(progress, "monotonic", lambda: next(ticks))
    monkeypatch.setattr("auxnas.nasspace.dedupe._MANY", 2)
    followed = done("dedupe", *files)
    assert followed.stdout == plain.stdout
    assert "comparing: done in " in followed.stderr
    assert "comparing" not in plain.stderr


def test_dedupe_names_the_line_that_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "lines"
    file.write_text(f"{ARCH0}\n{ARCH0.replace('8', '12')}\n")
    assert f"{file}:2: cell.first: 12 is not in 0..10" in refused("dedupe", str(file))


def test_dedupe_takes_the_sizes_of_notations_without(tmp_path: Path) -> None:
    file = tmp_path / "lines"
    file.write_text(done("sample", "--count", "20", *TINY).stdout)
    found = document("dedupe", str(file), *TINY)
    assert found["read"] == sum(row["count"] for row in found["distinct"]) == 20
    assert "cell" in refused("dedupe", str(file)) or "connections" in refused("dedupe", str(file))


def test_show_explains_arch0() -> None:
    lines = done("show", "arch0").stdout.splitlines()
    genotype = load_published("arch0").genotype
    for line in (
        f"genotype  {ARCH0}",
        "  2  encoder stride 16",
        "  5  cell(3) + cell(2)",
        "out  classifier(conv1x1(concat(4, 5, 6)))",
        "     (not used: 1)",
        "  1  sep5x5 rate 6 (0)",
        "  9  gap (5)",
        " 10  8 + 9",
        "out  1 + 4 + 7 + 10",
        f"isomorphism  {genotype.key('isomorphism')}  orbit 192",
    ):
        assert line in lines


def test_show_names_what_has_no_part_and_a_single_loose_end() -> None:
    text = "[[[0, 1], [4, 2], [5, 3]], [0, [1, 0, 10, 10], [4, 0, 9, 1], [7, 0, 1, 1]]]"
    lines = done("show", text).stdout.splitlines()
    assert "out  classifier(conv1x1(6))" in lines
    assert "out  10" in lines
    assert "     (no part in the output: 1, 2, 3, 4, 5)" in lines


@pytest.mark.parametrize("name", NAMES)
def test_show_as_json_reads_back(name: str) -> None:
    result = done("show", name, "--json")
    found = json.loads(result.stdout)
    assert parse(result.stdout).genotype == load_published(name).genotype
    assert found["read_as"] == "json"
    assert list(found["levels"]) == list(LEVELS)
    assert found["levels"]["raw"]["orbit"] == 1
    assert "orbit" not in found["levels"]["functional"]


def test_show_counts_the_functional_orbit_where_asked() -> None:
    text = json.dumps(document("sample", "--count", "1", *TINY)["genotypes"][0])
    found = document("show", text, "--all-orbits")
    assert found["levels"]["functional"]["orbit"] >= found["levels"]["isomorphism"]["orbit"]


@pytest.mark.parametrize(("suffix", "magic"), [(".svg", b"<svg "), (".png", b"\x89PNG")])
def test_show_draws(tmp_path: Path, suffix: str, magic: bytes) -> None:
    target = tmp_path / f"arch0{suffix}"
    result = done("show", "arch0", "--picture", str(target), "--every-sum", "--json")
    json.loads(result.stdout)
    assert result.stderr == f"wrote {target}\n"
    assert target.read_bytes().startswith(magic)
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


def test_show_gives_the_costs_of_a_hand_made_network_and_draws_it(tmp_path: Path) -> None:
    target = tmp_path / "a.svg"
    result = done("show", "deeplabv3plus", "--picture", str(target))
    first, *rest = result.stdout.splitlines()
    assert first.startswith("deeplabv3plus: DeepLab-v3+, output stride 4, made by hand")
    assert rest[1].split() == ["parameters", "5,817,141", "with", "21", "outputs"]
    assert result.stderr == f"wrote {target}\n"
    assert target.read_text().count("aspp.rate") == 3
    found = document("show", "simple-resnet50")
    assert (found["encoder"], found["parameters"]) == ("resnet50", 34_000_725)
    assert "or of lwrf, deeplabv3, " in refused("show", "deeplab")


def test_a_picture_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "missing" / "a.svg"
    line = refused("show", "arch0", "--picture", str(target), status=2)
    assert line == f"error: {target}: its directory does not exist"


def test_help_starts_without_what_it_does_not_need() -> None:
    program = (
        "import sys, auxnas.nasspace.cli\n"
        "try: auxnas.nasspace.cli.main(['--help'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "print(sorted({'numpy', 'networkx', 'rich', 'PIL', 'torch', 'onnx'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[-1] == "[]"
    for name in ("count", "sample", "dedupe", "show"):
        assert name in result.stdout


def test_a_reader_that_leaves_early_is_silent() -> None:
    program = (
        "from auxnas.nasspace.cli import main; main(['sample', '--n', '50000', '--level', 'raw'])"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b"[[[")
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0
