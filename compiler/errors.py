"""Errors of this package, and the checks of single values that raise them."""

from __future__ import annotations

import sys
from collections.abc import Collection

from auxnas.genotype.errors import InputError, short_repr


class CompilerError(InputError):
    """A graph, a pass or a set of weights is not what it must be.

    Attributes:
        place: where, for example a node's or a parameter's name.
        found: what was found there.
        expected: what would have been right there; may be empty.
    """

    def __init__(self, place: str, found: str, expected: str = "") -> None:
        self.place, self.found, self.expected = place, found, expected
        super().__init__(f"{place}: {found}" + (f", expected {expected}" if expected else ""))


def check_integer(place: str, value: object, least: int = 0, most: int | None = None) -> None:
    """Checks that ``value`` is an integer from ``least`` to ``most``.

    Raises:
        CompilerError: naming ``place``.
    """
    if type(value) is not int or value < least or (most is not None and value > most):
        bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise CompilerError(place, short_repr(value), f"an integer {bounds}")


def check_number(
    place: str, value: object, least: float = 0.0, most: float | None = None, below: bool = False
) -> None:
    """Checks that ``value`` is a finite number from ``least`` to ``most``, or less for ``below``.

    Raises:
        CompilerError: naming ``place``.
    """
    limit = sys.float_info.max if most is None else most
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not least <= value <= limit
        or (below and value == limit)
    ):
        bounds = f"of at least {least:g}" if most is None else f"from {least:g} to {most:g}"
        less = f", less than {most:g}" if below else ""
        raise CompilerError(place, short_repr(value), f"a number {bounds}{less}")


def check_choice(place: str, value: object, known: Collection[str]) -> None:
    """Checks that ``value`` is one of the ``known`` words.

    Raises:
        CompilerError: naming ``place``.
    """
    if not isinstance(value, str) or value not in known:
        raise CompilerError(place, short_repr(value), f"one of {', '.join(known)}")


def check_type(place: str, value: object, wanted: type) -> None:
    """Checks that ``value`` is of the type ``wanted``.

    Raises:
        CompilerError: naming ``place``.
    """
    if not isinstance(value, wanted):
        article = "an" if wanted.__name__[0] in "AEIOUaeiou" else "a"
        raise CompilerError(place, short_repr(value), f"{article} {wanted.__name__}")
