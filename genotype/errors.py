"""Errors of what was given, and how what was found is shown: cut, and safe for a terminal."""

from __future__ import annotations

import os
from collections.abc import Sequence

_ECHOED = 60
"""Characters of the user's own that a message repeats at most."""
_LONG_INTEGER = 128
"""Bits above which an integer is described, since writing it out takes long or fails."""


def short_repr(value: object) -> str:
    """``value`` as a message repeats it: its repr, cut; never fails."""
    if type(value) is int and value.bit_length() > _LONG_INTEGER:
        return f"an integer of {value.bit_length()} bits"
    try:
        return truncate(repr(value))
    except Exception:
        return f"a {type(value).__name__} that cannot be printed"


def truncate(text: str) -> str:
    """The start of ``text``, as much as a message repeats."""
    return text if len(text) <= _ECHOED else f"{text[: _ECHOED - 3]}..."


def truncate_middle(text: str, most: int) -> str:
    """Both ends of ``text`` where it has more than ``most`` characters."""
    half = most // 2
    return text if len(text) <= most else f"{text[:half]}...{text[-half:]}"


def printable(text: str) -> str:
    """``text`` with all but printable characters, line ends and tabs as escapes.

    Control characters would steer a terminal, marks of direction turn what stands there, lone
    surrogates cannot be written.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else _escape(c) for c in text)


def inline(text: str, most: int = 120) -> str:
    """``text`` in one line of a terminal: white space collapsed, printable, cut in the middle."""
    return printable(truncate_middle(" ".join(text[: 50 * most].split()), most))


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()


class InputError(ValueError):
    """Wrong input of the user's, a word or a file; a command ends with status 2."""


class GenotypeError(InputError):
    """Something is not a genotype of its space.

    Attributes:
        place: where, for example ``cell.branches[1].locations[0]``.
        found: what was found there.
        expected: what would have been right there; may be empty.
    """

    def __init__(self, place: str, found: str, expected: str = "") -> None:
        self.place, self.found, self.expected = place, found, expected
        super().__init__(f"{place}: {found}" + (f", expected {expected}" if expected else ""))

    def within(self, outer: str) -> GenotypeError:
        """The same error, its place seen from outside (a file, a line)."""
        return GenotypeError(f"{outer}: {self.place}", self.found, self.expected)


class CommandError(Exception):
    """The work failed for a reason that a person can act on: the message, as it stands."""


_LONGEST_WORD, _LONGEST_ERROR = 300, 2000
"""Characters of a word in an error at most, which paths should fit, and of the whole line."""


def describe_error(error: BaseException) -> str:
    """``error`` in one line, for a person."""
    return one_line(message_of(error)) or type(error).__name__


def message_of(error: BaseException, suspects: Sequence[str] = ()) -> str:
    """The words of ``error``; of one that nobody foresaw, what to do about it.

    Args:
        error: what ended the work.
        suspects: places of code that is not ours, which may have caused it.
    """
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{os.fsdecode(error.filename)}: {error.strerror}"
    if isinstance(error, ValueError | OSError | ImportError):
        return str(error)
    if type(error).__module__ != "builtins":
        return str(error)
    cause = f"perhaps by what {', '.join(suspects)} gave: " if suspects else ""
    todo = f"({cause}run again with --debug, and report it)"
    return f"unexpected {type(error).__name__}: {error} {todo}"


def one_line(text: str) -> str:
    """``text`` with white space collapsed, control characters escaped, long words cut."""
    words = " ".join(truncate_middle(word, _LONGEST_WORD) for word in text.split())
    return printable(truncate_middle(words, _LONGEST_ERROR))
