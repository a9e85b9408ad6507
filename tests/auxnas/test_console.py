import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from auxnas.compiler.files import atomic_write
from auxnas.console import OneLineCommand, OneLineGroup, error_line, exit_status, note, print_json
from auxnas.genotype import plugins
from auxnas.genotype.errors import CommandError, GenotypeError, one_line


@pytest.fixture(autouse=True)
def no_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forgets the plugins that other tests of this process have imported."""
    monkeypatch.setattr(plugins, "_loaded", {})


RAISED = {
    "genotype": GenotypeError("cell.first", "12 is not in 0..10"),
    "value": ValueError("two\n  lines \x1b[31m"),
    "command": CommandError("no GPU found"),
    "system": FileNotFoundError(2, "No such file or directory", "x.json"),
    "bug": KeyError("k"),
    "silent": CommandError(),
    "interrupt": KeyboardInterrupt(),
}


@click.group(cls=OneLineGroup)
def main() -> None:
    """A command."""


@main.command()
@click.argument("name", type=click.Choice([*RAISED, "status", "fine", "pipe"]))
def fail(name: str) -> int | None:
    """Fails as told."""
    if name == "status":
        return 1
    if name == "pipe":
        raise BrokenPipeError(32, "Broken pipe")
    if name == "fine":
        note("progress")
        print_json({"a": "⊕"})
        return None
    raise RAISED[name]


def run(*args: str) -> Result:
    return CliRunner().invoke(main, args)


@pytest.mark.parametrize(
    ("name", "status", "line"),
    [
        ("genotype", 2, "error: cell.first: 12 is not in 0..10"),
        ("value", 1, "error: two lines \\x1b[31m"),
        ("command", 1, "error: no GPU found"),
        ("system", 2, "error: x.json: No such file or directory"),
        ("bug", 1, "error: unexpected KeyError: 'k' (run again with --debug, and report it)"),
        ("silent", 1, "error: CommandError"),
    ],
)
def test_an_error_is_one_line_on_stderr(name: str, status: int, line: str) -> None:
    result = run("fail", name)
    assert (result.exit_code, result.stdout, result.stderr) == (status, "", line + "\n")


def test_an_interrupt_is_one_line() -> None:
    result = run("fail", "interrupt")
    assert (result.exit_code, result.stderr) == (130, "error: interrupted\n")


@pytest.mark.parametrize("args", [["--debug", "fail", "bug"], ["fail", "bug", "--debug"]])
def test_debug_adds_the_traceback_and_keeps_the_line(args: list[str]) -> None:
    result = run(*args)
    assert result.exit_code == 1
    assert result.stderr.startswith("Traceback")
    assert result.stderr.splitlines()[-1].startswith("error: unexpected KeyError")


@pytest.mark.parametrize(
    ("args", "found"),
    [
        (["nonsense"], "No such command 'nonsense' (see 'main --help')"),
        (["fail", "--nonsense"], "No such option"),
        (["fail"], "Missing argument"),
        (["fail", "other"], "'other' is not one of"),
    ],
)
def test_wrong_use_is_one_line_and_two(args: list[str], found: str) -> None:
    result = run(*args)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert found in result.stderr
    assert result.stderr.startswith("error: ")
    assert len(result.stderr.splitlines()) == 1


def test_no_subcommand_shows_the_help_and_is_wrong_use() -> None:
    result = run()
    assert result.exit_code == 2
    assert "Commands:" in result.output


def test_the_list_of_commands_has_whole_sentences() -> None:
    words = "Write the best of what was found, as one page that nothing else is needed for."

    @click.group(cls=OneLineGroup)
    def group() -> None:
        """A group."""

    group.command("one", help=f"{words} And more.")(lambda: None)
    assert words in " ".join(CliRunner().invoke(group, ["--help"]).output.split())


def test_results_go_to_stdout_and_the_rest_to_stderr() -> None:
    result = run("fail", "fine")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {"a": "⊕"}
    assert result.stderr == "progress\n"


def test_a_returned_int_is_the_status_and_a_closed_pipe_is_done() -> None:
    assert run("fail", "status").exit_code == 1
    closed = run("fail", "pipe")
    assert (closed.exit_code, closed.stderr) == (0, "")


def test_help_is_done_and_names_debug() -> None:
    result = run("fail", "--help")
    assert result.exit_code == 0
    assert "--debug" in result.stdout


def test_a_single_command_follows_the_same_rules() -> None:
    @click.command(cls=OneLineCommand)
    def alone() -> None:
        raise GenotypeError("here", "nothing")

    result = CliRunner().invoke(alone, [])
    assert (result.exit_code, result.stderr) == (2, "error: here: nothing\n")


def test_without_standalone_mode_errors_pass_through() -> None:
    with pytest.raises(KeyError):
        main.main(["fail", "bug"], standalone_mode=False)


def test_long_words_are_cut_and_paths_are_not() -> None:
    assert len(error_line(ValueError("1" * 6000))) < 400
    assert error_line(ValueError("/a" * 100)) == "/a" * 100


def test_a_closed_stdout_is_a_failure_in_words() -> None:
    program = "from auxnas.nasspace.cli import main; main(['count', '--level', 'raw', '--json'])"
    command = f'"{sys.executable}" -c "{program}" >&-'
    result = subprocess.run(command, shell=True, stderr=subprocess.PIPE, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr == "error: stdout: is closed, so the result cannot be printed\n"


@pytest.mark.parametrize("words", [["--json"], []])
def test_a_full_disk_behind_stdout_is_named(words) -> None:
    program = f"from auxnas.nasspace.cli import main; main({['count', '--level', 'raw', *words]})"
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-c", program]
        result = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    said = "error: stdout: No space left on device, so the result cannot be printed\n"
    assert (result.returncode, result.stderr) == (1, said)


def test_describe_and_status_serve_outside_a_command() -> None:
    assert error_line(ValueError("a\nb")) == "a b"
    assert exit_status(ValueError("a")) == 1
    assert exit_status(GenotypeError("a", "b")) == 2


PROGRAM = """
import click
from auxnas.console import OneLineCommand
@click.command(cls=OneLineCommand)
def main():
    for number in range(100000):
        print(number)
main()
"""


def test_a_reader_that_leaves_early_is_silent() -> None:
    command = [sys.executable, "-c", PROGRAM]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().strip() == b"0"
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


def test_a_written_file_is_whole_and_has_ordinary_permissions(tmp_path: Path) -> None:
    target = tmp_path / "a.svg"
    with atomic_write(target) as temporary:
        temporary.write_text("new")
        assert temporary.suffix == ".svg"
        assert not target.exists()
    assert target.read_text() == "new"
    plain = tmp_path / "plain"
    plain.write_text("")
    assert target.stat().st_mode == plain.stat().st_mode
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.svg", "plain"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "a"
    target.write_text("old")

    def write_half() -> None:
        with atomic_write(target) as temporary:
            temporary.write_text("half")
            raise KeyError

    with pytest.raises(KeyError):
        write_half()
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_link_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    with atomic_write(tmp_path / "link") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_a_device_is_written_in_place() -> None:
    with atomic_write(os.devnull) as temporary:
        temporary.write_text("gone")
    assert not Path(os.devnull).is_file()


@pytest.mark.parametrize("name", ["missing/a", "."])
def test_a_hopeless_target_is_refused_before_the_work(tmp_path: Path, name: str) -> None:
    target = tmp_path / name
    with pytest.raises(OSError, match="director") as caught, atomic_write(target):
        pytest.fail("the block ran")
    assert caught.value.filename == str(target)
    assert error_line(caught.value).startswith(str(target))


def test_an_unwritable_target_is_named_and_not_its_temporary(tmp_path: Path) -> None:
    target = tmp_path / "a"
    with pytest.raises(OSError) as caught, atomic_write(target) as temporary:
        raise PermissionError(13, "Permission denied", str(temporary))
    assert caught.value.filename == str(target)


def test_a_full_device_is_named() -> None:
    with pytest.raises(OSError, match="No space left") as caught, atomic_write("/dev/full") as path:
        path.write_text("x")
    assert caught.value.filename == "/dev/full"


def test_a_directory_that_takes_no_files_is_told_from_a_missing_one() -> None:
    with (
        pytest.raises(PermissionError, match="no file can") as caught,
        atomic_write("/proc/a") as p,
    ):
        p.write_text("x")
    assert caught.value.filename == "/proc/a"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_stdout_that_lacks_characters_gets_others(encoding):
    code = (
        "import click; from auxnas.console import OneLineCommand, print_json, say\n"
        "@click.command(cls=OneLineCommand)\n"
        "def main(): say('x ⊕ y'); print_json({'a': '⊕'})\n"
        "main()"
    )
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    first, _, rest = result.stdout.decode(encoding).partition("\n")
    assert (result.returncode, result.stderr) == (0, b"")
    assert first == ("x ⊕ y" if encoding == "utf-8" else "x ? y")
    assert json.loads(rest) == {"a": "⊕"}


@pytest.fixture
def faulty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], Callable[[], Any]]]:
    """Code of somebody else's that raises, and that gives what cannot be used."""
    monkeypatch.syspath_prepend(tmp_path)
    text = "def raises():\n    return [][1]\n\n\ndef gives():\n    return None\n"
    (tmp_path / "faulty_plugin.py").write_text(text)
    yield partial(plugins.find_plugin, "tasks", table={})
    sys.modules.pop("faulty_plugin", None)


def test_an_error_in_a_plugin_is_said_to_be_there(
    faulty: Callable[[str], Callable[[], Any]],
) -> None:
    with pytest.raises(IndexError) as raised:
        faulty("faulty_plugin:raises")()
    expected = (
        "faulty_plugin:raises: IndexError in faulty_plugin.py, line 2: list index out of range"
    )
    assert error_line(raised.value) == expected


def test_an_error_of_ours_names_the_plugins_that_may_have_caused_it(
    faulty: Callable[[str], Callable[[], Any]],
) -> None:
    with pytest.raises(AttributeError) as raised:
        one_line(faulty("faulty_plugin:gives")())
    assert "perhaps by what faulty_plugin:gives gave" in error_line(raised.value)


def test_other_errors_name_no_plugin():
    assert plugins.fault_of_plugin(IndexError("somewhere")) == ""
    assert "perhaps by" not in error_line(IndexError("somewhere"))
