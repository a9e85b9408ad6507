"""Text of other people's files made safe for terminals, and the rich console that prints it so.

Names and metadata of a file may hold escape sequences that recolour, retitle or erase what a
terminal shows, and marks that turn the direction of writing. They are printed as escapes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions
from rich.segment import Segment

from auxnas.genotype.errors import printable


class Terminal(Console):
    """A console whose text is ``printable`` and never read as markup; styles are ours alone.

    Args:
        options: rich's own.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render(self, renderable: Any, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The segments of ``renderable``, all but rich's own control codes made printable."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=printable(segment.text))
