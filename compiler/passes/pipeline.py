"""Running passes: checked after each, repeated until nothing changes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from auxnas.compiler.errors import CompilerError
from auxnas.compiler.ir import Program
from auxnas.compiler.wellformed import verify

ROUNDS = 32
"""A pipeline that still changes something after so many rounds does not end."""


class Pass(Protocol):
    """A rewrite. Its docstring states why the result computes the same."""

    @property
    def name(self) -> str:
        """Its name on a command line."""

    def __call__(self, program: Program) -> Program:
        """The rewritten program; the very same object where there is nothing to do."""


@dataclass(frozen=True, slots=True)
class Change:
    """Effect of one application of a pass.

    Attributes:
        name: the pass.
        before: number of nodes before.
        after: number of nodes after.
    """

    name: str
    before: int
    after: int


def run_passes(
    passes: Sequence[Pass],
    program: Program,
    disabled: Collection[str] = (),
    limit: int | None = None,
) -> tuple[Program, tuple[Change, ...]]:
    """Applies ``passes`` in order, again and again, until a round changes nothing.

    Args:
        passes: the pipeline.
        program: where to start; not changed.
        disabled: names of passes to leave out.
        limit: stop after so many changes, to look for the one that breaks something.

    Raises:
        CompilerError: for an unknown name in ``disabled``; when a pass makes an ill-formed
            program, naming it and those before it; when the rounds do not end.
    """
    known = {each.name for each in passes}
    unknown = sorted(set(disabled) - known)
    if unknown:
        raise CompilerError(
            "passes", f"no pass {unknown[0]!r}", f"one of {', '.join(sorted(known))}"
        )
    active = [each for each in passes if each.name not in set(disabled)]
    changes: list[Change] = []
    for _ in range(ROUNDS):
        before = len(changes)
        for each in active:
            if len(changes) == limit:
                return program, tuple(changes)
            program = _apply(each, program, changes)
        if len(changes) == before:
            return program, tuple(changes)
    last = ", ".join(dict.fromkeys(change.name for change in changes[before:]))
    raise CompilerError("passes", f"{last} still change it after {ROUNDS} rounds", "a fixed point")


def _apply(each: Pass, program: Program, changes: list[Change]) -> Program:
    result = each(program)
    if result.graph == program.graph:
        return program
    try:
        verify(result)
    except CompilerError as error:
        trail = ", ".join(change.name for change in changes) or "nothing"
        raise CompilerError(f"pass {each.name} (after {trail})", str(error)) from error
    changes.append(Change(each.name, len(program.graph), len(result.graph)))
    return result
