"""Pages and tutorials say what is there: commands with their options, settings, links, outputs."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from auxnas.compiler.architecture import find_architecture
from auxnas.compiler.drawing.genotype_drawing import draw_genotype
from auxnas.doctor.cli import main as auxnas
from auxnas.drawing import svg
from auxnas.nascompile.cli import main as nascompile
from auxnas.nasrun.cli import main as nasrun
from auxnas.nassearch.cli import main as nassearch
from auxnas.nasspace.cli import main as nasspace
from auxnas.search.settings.listing import settings_list
from auxnas.search.settings.presets import DEFAULT, PRESETS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PROGRAMS = {
    "auxnas": auxnas,
    "nascompile": nascompile,
    "nasrun": nasrun,
    "nassearch": nassearch,
    "nasspace": nasspace,
}
PAGES = sorted(
    path
    for path in (*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *ROOT.glob("*/**/README.md"))
    if not {"made", "build", "runs", "CHANGELOG.md"} & set(path.relative_to(ROOT).parts)
    and not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
)
TUTORIALS = sorted((DOCS / "tutorials").glob("*.ipynb"))
SETTINGS = {row.name for row in settings_list("", None, DEFAULT)}


def commands(text: str) -> Iterator[str]:
    """The command lines of a page: in fences after ``$``, indented, and in backquotes."""
    whole = re.sub(r" *\\\n\s*", " ", text)
    lines = re.findall(rf"^(?:\$ | {{4}})((?:{'|'.join(PROGRAMS)}) .*)$", whole, re.M)
    quoted = re.findall(rf"`((?:{'|'.join(PROGRAMS)})\s[^`]+)`", whole)
    yield from (line.partition("  #")[0].strip() for line in lines)
    yield from (" ".join(words.split()) for words in quoted)


def mistake(line: str) -> str | None:
    """What is wrong with a command line, in words; None where nothing is."""
    name, *words = shlex.split(line)
    command: click.Command = PROGRAMS[name]
    words = [word for word in words if word != "..." and word[0] != "$"]
    while isinstance(command, click.Group) and words:
        name, *words = words
        if name not in command.commands:
            return f"{name}: no such command"
        command = command.commands[name]
    context = click.Context(command, info_name=name)
    try:
        given, left, _ = command.make_parser(context).parse_args(words)
        for parameter in command.get_params(context):
            _check(parameter, given.get(parameter.name or ""), context)
    except click.UsageError as error:
        return error.format_message()
    return f"{left[0]}: one too many" if left else None


def _check(parameter: click.Parameter, given: object, context: click.Context) -> None:
    """Checks a value that is one of a few: a choice, a preset, a setting's name."""
    values = given if isinstance(given, list) else [given] if isinstance(given, str) else []
    for value in values:
        if isinstance(parameter.type, click.Choice):
            parameter.type.convert(value, parameter, context)
        if parameter.name == "sets" and value.partition("=")[0] not in SETTINGS:
            raise click.UsageError(f"{value}: no such setting")
        if parameter.name == "preset" and value not in PRESETS:
            raise click.UsageError(f"{value}: no such preset")


def wrong_commands(text: str) -> list[str]:
    """Those of a page that cannot be typed, with the reason."""
    return [f"{line}: {found}" for line in commands(text) if (found := mistake(line))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_of_a_page_can_be_typed(page):
    assert wrong_commands(page.read_text("utf-8")) == []


def test_most_pages_have_commands():
    texts = [page.read_text("utf-8") for page in PAGES]
    assert sum(len(list(commands(text))) for text in texts) > 80


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("nassearch serach --out runs", "no such command"),
        ("nassearch run --data synthetic --outt runs", "No such option"),
        ("nassearch top runs --pareto --best 3", "No such option"),
        ("nassearch run --out", "requires an argument"),
        ("nassearch status runs/a runs/b", "one too many"),
        ("nassearch run --preset tiny", "no such preset"),
        ("nassearch run --set stage1.epoch=3", "no such setting"),
        ("nascompile arch0 --precision fp8", "is not one of"),
        ("nasspace count --level none", "is not one of"),
    ],
)
def test_what_cannot_be_typed_is_found(line, reason):
    pages = (f"```console\n$ {line}\n```", f"so:\n\n    {line}   # why\n", f"say `{line}` then")
    assert all(reason in "".join(wrong_commands(page)) for page in pages)


def test_a_line_may_go_on_on_the_next_one():
    text = "    nassearch run --data synthetic \\\n        --seet a\n"
    assert "No such option" in wrong_commands(text)[0]


# Links of what is not on the site; those of its pages are held by ``make docs`` ------------------


def broken_links(text: str, folder: Path) -> list[str]:
    """Links and pictures of a document that lead to no file."""
    targets = re.findall(r"\]\(([^)\s:#]+)\)", text)
    return [target for target in targets if not (folder / target).exists()]


def test_links_lead_to_files():
    assert broken_links((ROOT / "README.md").read_text("utf-8"), ROOT) == []
    assert broken_links("[a](docs/none.md), ![b](README.md)", ROOT) == ["docs/none.md"]


def test_the_picture_is_what_the_command_draws():
    drawn = svg(draw_genotype(find_architecture("arch0").architecture))
    assert drawn == (DOCS / "arch0.svg").read_text("utf-8")


# Tutorials ---------------------------------------------------------------------------------------

SCRIPT = DOCS / "notebooks.py"


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_prints_what_it_shows(path):
    done = subprocess.run([sys.executable, SCRIPT, path], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def notebook(*cells: tuple[str, str, bool]) -> dict[str, object]:
    """A notebook of code cells: source, what they print, and whether that varies."""
    return {
        "cells": [
            {
                "cell_type": "code",
                "metadata": {"tags": ["varies"] * varies},
                "source": source,
                "outputs": [{"output_type": "stream", "name": "stdout", "text": text}],
            }
            for source, text, varies in cells
        ]
    }


def test_another_output_is_found():
    spec = importlib.util.spec_from_file_location("notebooks", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    fine = ("x = 1.5\nprint(x)", "1.5\n", False), ("x + 1", "2.5", False), ("x + 2", "9.9", True)
    assert list(module.differences(notebook(*fine))) == []
    for changed in (("x + 1", "3.5", False), ("x + 1", "", False), ("f'{x} m'", "1.5", True)):
        assert "cell 2: " in "".join(module.differences(notebook(fine[0], changed)))


def test_tutorials_are_on_the_site():
    index = (DOCS / "index.md").read_text("utf-8")
    assert len(TUTORIALS) == 3
    assert [path.stem for path in TUTORIALS if f"tutorials/{path.stem}\n" not in index] == []
    for path in TUTORIALS:
        cells = json.loads(path.read_text("utf-8"))["cells"]
        assert any(cell["outputs"] for cell in cells if cell["cell_type"] == "code")
