"""A place that cannot be written: one line that names it, exit status 2, of whatever command."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import auxnas
from auxnas.completion.table import PROGRAMS
from auxnas.nassearch.results import write_best
from auxnas.search.loop.run import execute

NEW = ("--data", "synthetic:12", "--preset", "demo", "--learner", "null", "--size", "32x32")
WRITTEN = {
    "nascompile -o": ("arch0", ""),
    "nascompile --draw": ("arch0", ".svg"),
    "nascompile --report": ("arch0", ".html"),
    "nasrun predict --output": ("{run}/best.onnx {run}/predictions.png", ""),
    "nassearch ablate --out": (" ".join(NEW), ""),
    "nassearch correlate --out": ("{run}", ""),
    "nassearch data --html": ("synthetic:12", ".html"),
    "nassearch data --picture": ("synthetic:12", ".png"),
    "nassearch eval --picture": ("{run}", ".png"),
    "nassearch eval --results": ("{run}", ".json"),
    "nassearch export --output": ("{run}", ""),
    "nassearch pareto --cache": ("{run}", ""),
    "nassearch pareto --out": ("{run}", ""),
    "nassearch pretrain --out": (" ".join(NEW), ".safetensors"),
    "nassearch report --output": ("{run}", ".html"),
    "nassearch run --cache": (" ".join((*NEW, "--out", "{new}")), ""),
    "nassearch run --out": (" ".join(NEW), ""),
    "nassearch train --cache": (" ".join((*NEW, "--genotype", "arch0", "--out", "{new}")), ""),
    "nassearch train --out": (" ".join((*NEW, "--genotype", "arch0")), ""),
    "nasspace show --picture": ("arch0", ".svg"),
}
"""Options that name what is written: the other words of a command, and the suffix of the place."""
READ = {
    *("--weights", "--web-runtime", "--images", "--labels", "--boxes", "--encoder-weights"),
    *("--config", "--teacher", "--run", "--against", "--cache"),
}
"""Options of what is read, and ``--cache`` of all commands that train, of which some are above."""


def places(command: click.Command, name: str) -> Iterator[str]:
    """Options of a command, and of those in it, that take a place."""
    if isinstance(command, click.Group):
        for key, each in command.commands.items():
            yield from places(each, f"{name} {key}")
    else:
        context = click.Context(command)
        for each in command.get_params(context):
            if isinstance(each, click.Option) and each.make_metavar(context) in ("DIR", "FILE"):
                yield f"{name} {each.opts[0]}"


def test_every_option_that_takes_a_place_is_here():
    found = {
        each
        for name, module in PROGRAMS.items()
        for each in places(import_module(module).main, name)
    }
    assert {each for each in found if each.split()[-1] not in READ} - {*WRITTEN} == set()
    assert {*WRITTEN} <= found


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    from tests.search.conftest import make_place

    place = make_place(tmp_path_factory.mktemp("runs") / "run", tmp_path_factory.mktemp("c"), {})
    write_best(place, execute(place))
    best = place.folder / "best.json"
    auxnas.compile(best, place.folder / "best.onnx", input_size=(64, 64), no_verify=True)
    return place.folder


@pytest.mark.parametrize("option", WRITTEN)
@pytest.mark.parametrize("above", ["file", "/proc"])
def test_a_place_below_what_holds_no_file_is_named(option, above, done, tmp_path, monkeypatch):
    if not Path("/proc/self").is_dir():
        pytest.skip("there is no /proc")
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    words, suffix = WRITTEN[option]
    program, *inner, last = option.split()
    place = f"{above}/nowhere{suffix}"
    given = words.format(run=done, new=tmp_path / "new").split()
    main = import_module(PROGRAMS[program]).main
    monkeypatch.setenv("AUXNAS_CACHE", str(tmp_path / "cache"))
    result = CliRunner().invoke(main, [*inner, *given, last, place])
    lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert result.exit_code == 2, result.output
    assert len(lines) == 1
    assert above in lines[0]
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "new").exists()
