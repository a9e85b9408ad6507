"""Text of other people's files made safe for terminals, and the rich console that prints it so.

Names and metadata of a file may hold escape sequences that recolour, retitle or erase what a
terminal shows, and marks that turn the direction of writing. They are printed as escapes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console, ConsoleOptions
from rich.measure import Measurement
from rich.segment import Segment
from rich.table import Table

from auxnas.console import printing
from auxnas.genotype.errors import printable

_ENDLESS = 10_000
"""Columns that no line of ours reaches."""


class Terminal(Console):
    """A console whose text is ``printable`` and never read as markup; styles are ours alone.

    Lines into a file or a pipe have no width that they are cut or wrapped at.

    Args:
        options: rich's own.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)
        if not self.is_terminal:
            self.width = _ENDLESS

    def print(self, *objects: Any, **options: Any) -> None:
        """Prints as rich does; an error of stdout names it."""
        with printing():
            super().print(*objects, **options)

    def print_table(self, table: Table, less: Sequence[str] = ()) -> None:
        """Prints ``table`` with no cell cut, however narrow the terminal is.

        Args:
            table: printed wider than the terminal where words do not fit.
            less: heads of columns that are left out for lack of room, the first one first.
        """
        out: list[str] = []
        for head in less:
            if self._measured(table).maximum <= self.width:
                break
            kept = [column for column in table.columns if column.header != head]
            out += [head] * (len(kept) < len(table.columns))
            table.columns = kept
        extent = self._measured(table)
        width = self.width
        self.width = max(width, extent.maximum if less else extent.minimum)
        self.print(table)
        self.width = width
        if out:
            self.print(f"no room for {', '.join(out)}")

    def _measured(self, table: Table) -> Measurement:
        return Measurement.get(self, self.options.update(width=_ENDLESS), table)

    def render(self, renderable: Any, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The segments of ``renderable``, all but rich's own control codes made printable."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=printable(segment.text))
