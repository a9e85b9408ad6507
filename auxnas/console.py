"""Behaviour that all our commands share: one-line errors, exit statuses, JSON.

A command is declared with ``@click.group(cls=OneLineGroup)`` or
``@click.command(cls=OneLineCommand)``; its subcommands need nothing more. Then:

* the exit status is 0 for done, 1 for failed, 2 for wrong use or input, 3 where a library or a
  device is missing, 130 for interrupted. A command may return an int to choose it;
* an error is one line on stderr, ``error: ...``; ``--debug``, which every command takes,
  adds the traceback;
* a reader that closes the pipe early (``| head``) ends the command silently, with 0.
"""

from __future__ import annotations

import errno
import io
import itertools
import json
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any, NoReturn

import click

from auxnas.genotype.errors import InputError, message_of, one_line, printable
from auxnas.genotype.plugins import PluginError, fault_of_plugin, loaded_plugins
from auxnas.hiding import blamed_files, hiding_line

DONE, FAILED, WRONG_USE, INTERRUPTED = 0, 1, 2, 130
"""The exit statuses."""
_WRONG = (click.UsageError, InputError, SystemExit)
"""Errors of what the user gave, code of theirs that ends the process among it."""
_OF_PLACES = (
    *(errno.ENOENT, errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.ENOTEMPTY),
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP),
)
"""Errors of a place that was given, where nothing can be read or written whatever is tried again;
those of a disk that is full or breaks are failures."""


class _OneLine(click.Command):
    """Command with one-line errors and our exit statuses; see the module."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The declared parameters, and before ``--help`` our own; the version is the program's."""
        *declared, last = super().get_params(ctx)
        return [*declared, *([_VERSION] if ctx.parent is None else []), _DEBUG, last]

    def get_short_help_str(self, limit: int = 45) -> str:
        """The first sentence, whole, for the list of a group's commands, which wraps it."""
        return super().get_short_help_str(max(limit, 200))

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Runs the command and exits; with ``standalone_mode=False``, click's own main."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, False, **extra)
        if sys.stdout is None:
            sys.stdout = _Closed()
        if isinstance(sys.stdout, io.TextIOWrapper):  # a character that it lacks is printed as ?
            sys.stdout.reconfigure(errors="replace")
        words = list(sys.argv[1:] if args is None else args)
        try:
            value = super().main(args, prog_name, complete_var, False, **extra)
            with printing():
                sys.stdout.flush()
        except (Exception, SystemExit) as error:
            if isinstance(error, SystemExit) and not fault_of_plugin(error):
                raise
            _end(error, list(itertools.takewhile(lambda word: word != "--", words)))
        sys.exit(value if type(value) is int else DONE)

    def invoke(self, ctx: click.Context) -> Any:
        """The command's return value; a closed pipe counts as done.

        An interruption does not reach click, which begins its line with an empty one: only
        a terminal, which has shown ``^C``, needs that.
        """
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            if sys.stderr.isatty():
                click.echo(err=True)
            raise click.Abort from None
        except BrokenPipeError:
            _discard_stdout()
            return DONE


@contextmanager
def printing() -> Iterator[None]:
    """Lets an error of stdout name it, and what that means."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        _discard_stdout()
        words = f"{error.strerror}, so the result cannot be printed"
        raise OSError(error.errno, words, "stdout") from None


class _Closed(io.TextIOBase):
    """Stand-in for a stdout that was closed before we started (``>&-``)."""

    def write(self, text: str, /) -> int:
        """Fails as the file would, in words."""
        raise OSError(errno.EBADF, "is closed")


class OneLineCommand(_OneLine):
    """A single command; see the module.

    A + that stands alone joins the words around it, as data are joined: ``--data A + B``.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """The arguments that are left when options are parsed."""
        words: list[str] = []
        for word in args:
            if words and (word == "+" or words[-1].endswith(" +")):
                words[-1] += f" {word}"
            else:
                words.append(word)
        return super().parse_args(ctx, words)


class OneLineGroup(_OneLine, click.Group):
    """A command with subcommands; see the module."""

    command_class = OneLineCommand


_DEBUG = click.Option(
    ["--debug"], is_flag=True, expose_value=False, help="Show the traceback of an error."
)


def _print_version(ctx: click.Context, param: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(f"{ctx.info_name} {version('auxnas')}")
        ctx.exit()


_VERSION = click.Option(
    ["--version"],
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_print_version,
    help="Show the version and exit.",
)


def _end(error: BaseException, words: Sequence[str]) -> NoReturn:
    """Reports ``error`` and exits with its status.

    Args:
        error: that ended the command.
        words: of the command line.
    """
    if isinstance(error, BrokenPipeError):
        _discard_stdout()
        sys.exit(DONE)
    if type(error).__name__ == "NoArgsIsHelpError" and isinstance(error, click.UsageError):
        error.show()
        sys.exit(WRONG_USE)
    if "--debug" in words:
        note("".join(traceback.format_exception(error)).rstrip("\n"))
    if not (isinstance(error, (*_WRONG, click.ClickException, click.Abort)) or of_a_place(error)):
        files = blamed_files(error)
        if files:
            note(f"error: {hiding_line(error, files)}")
            sys.exit(WRONG_USE)
    option = f"--{error.kind}" if isinstance(error, PluginError) else ""
    given = option and any(word.partition("=")[0] == option for word in words)
    note(f"error: {'--' if given else ''}{error_line(error)}")
    sys.exit(exit_status(error))


def exit_status(error: BaseException) -> int:
    """2 when what the user gave is wrong, 130 when the user ended it, else the error's own or 1."""
    if isinstance(error, click.Abort):
        return INTERRUPTED
    own: int = getattr(error, "exit_status", FAILED)
    return WRONG_USE if isinstance(error, _WRONG) or of_a_place(error) else own


def of_a_place(error: BaseException) -> bool:
    """Whether a file or folder that was given cannot be what it is given for."""
    return isinstance(error, OSError) and error.errno in _OF_PLACES


def error_line(error: BaseException) -> str:
    """``error`` in one line, for a person."""
    return one_line(_message(error)) or type(error).__name__


def _message(error: BaseException) -> str:
    if isinstance(error, click.Abort | KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, click.UsageError):
        where = f" (see '{error.ctx.command_path} --help')" if error.ctx else ""
        return error.format_message().rstrip(".") + where
    if isinstance(error, click.ClickException):
        return error.format_message()
    return fault_of_plugin(error) or message_of(error, loaded_plugins())


def _discard_stdout() -> None:
    """Lets the interpreter flush what is left into nothing."""
    try:
        stdout = sys.stdout.fileno()
    except (OSError, ValueError):
        return
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stdout)
    os.close(null)


def print_json(value: Any) -> None:
    """Prints ``value`` as the command's one JSON document.

    Characters that a terminal would obey, or that stdout's encoding may lack, are written as
    JSON's escapes: the value is the same.
    """
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    text = json.dumps(value, ensure_ascii=not encoding.lower().startswith("utf"), indent=2)
    say("".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text))


def say(text: object) -> None:
    """Prints lines of a result on stdout, safe for a terminal whatever is quoted in them."""
    with printing():
        click.echo(printable(str(text)), file=sys.stdout)


def note(message: str) -> None:
    """Prints a line for people: on stderr, so that stdout stays the result."""
    click.echo(printable(message), file=sys.stderr)
