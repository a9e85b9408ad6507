"""Foreign text cannot steer a terminal, wherever it is printed; JSON keeps it exactly."""

import io
import json

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table

from auxnas.console import OneLineCommand, note, print_json, say
from auxnas.genotype.errors import inline, printable
from auxnas.terminal import Terminal

HOSTILE = "\x1b]0;HACK\x07\x1b[2J\x9b31m\r\u202egnp.exe\u2066\x7f\b"
"""Sets the title, erases the screen, recolours, returns, turns the direction, deletes."""


def obeyed(text: str) -> set[str]:
    """The characters of ``text`` that a terminal does not simply show."""
    return {c for c in text if not c.isprintable() and c not in "\n\t"}


@given(st.text(st.characters()))
def test_nothing_is_obeyed_and_what_is_printable_stays(text):
    assert not obeyed(printable(text))
    printable(text).encode()
    assert text.isprintable() == (printable(text) == text and not {"\n", "\t"} & {*text})


@given(st.text(st.characters(), max_size=2000), st.integers(10, 60))
def test_a_name_in_a_line_is_one_line_of_bounded_length(text, most):
    found = inline(text, most)
    assert not obeyed(found)
    assert not {"\n", "\t"} & {*found}
    assert len(found) <= 10 * (most + 3)


@pytest.mark.parametrize("show", [say, note])
def test_lines_are_safe(show):
    @click.command(cls=OneLineCommand)
    def main() -> None:
        show(f"class {HOSTILE}\nnext")

    result = CliRunner().invoke(main, [])
    assert obeyed(result.output) == set()
    assert result.output.count("\n") == 2
    assert "gnp.exe" in result.output


@pytest.mark.parametrize("args", [[], ["--debug"]])
def test_errors_are_safe_and_short_with_their_traceback_too(args):
    @click.command(cls=OneLineCommand)
    def main() -> None:
        raise ValueError(f"{HOSTILE} " + "word " * 500_000)

    result = CliRunner().invoke(main, args)
    assert obeyed(result.stderr) == set()
    assert len(result.stderr.splitlines()[-1]) < 3000


@pytest.mark.parametrize("text", [HOSTILE, "\ud800", "é⊕\U0001f600\U000e0001"])
def test_json_is_exact_and_safe(text):
    @click.command(cls=OneLineCommand)
    def main() -> None:
        print_json({text: [text, "plain\nline"]})

    result = CliRunner().invoke(main, [])
    assert obeyed(result.stdout) == set()
    assert json.loads(result.stdout) == {text: [text, "plain\nline"]}


def test_tables_are_safe_and_read_no_markup():
    console = Terminal(file=(file := io.StringIO()), force_terminal=True, width=60)
    table = Table("class")
    table.add_row(HOSTILE)
    table.add_row("[/x][red]y", style="bold")
    console.print(table)
    console.print(f"[/z] {HOSTILE}")
    text = file.getvalue()
    assert "[/z]" in text
    assert "[red]" in text
    assert "\x1b[1m" in text  # our own style
    assert not {"\x07", "\x9b", "\r", "\u202e", "\u2066", "\x7f", "\b"} & {*text}
    assert not {"\x1b]", "\x1b[2J"} & {text[i : i + n] for n in (2, 4) for i in range(len(text))}


def narrow_table() -> Table:
    table = Table("trial", "reward", "parameters")
    table.add_row("1", "0.3912", "0.651 M")
    return table


@pytest.mark.parametrize("width", [20, 28, 40, 78])
def test_no_cell_is_cut_in_a_narrow_terminal(width):
    file = io.StringIO()
    Terminal(file=file, width=width, force_terminal=True, color_system=None).print_table(
        narrow_table(), ("parameters",)
    )
    text = " ".join(file.getvalue().split())
    assert "…" not in text
    assert "0.3912" in text
    assert ("0.651 M" in text) is (width >= 33)
    assert ("no room for" in text) is (width < 33)


@pytest.mark.parametrize("width", [1, 20])
def test_a_table_with_nothing_to_leave_out_is_wider_than_the_terminal(width):
    file = io.StringIO()
    Terminal(file=file, width=width, force_terminal=True, color_system=None).print_table(
        narrow_table()
    )
    assert "…" not in file.getvalue()
    assert all(word in file.getvalue() for word in ("0.3912", "0.651", "parameters"))


def test_nothing_is_cut_in_a_pipe(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    file = io.StringIO()
    Terminal(file=file).print_table(narrow_table(), ("parameters",))
    assert "0.651 M" in file.getvalue()
    assert "no room" not in file.getvalue()
