"""Sections of a page, and the page that they make."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from auxnas.html.tables import PageTable


@dataclass(frozen=True)
class Picture:
    """Picture of the page.

    Attributes:
        title: heading.
        body: an ``<svg>`` or ``<img>`` element.
        note: how to read it.
        kind: ``chart``, in the page's colours; ``sheet``, on white; or ``wide``, which has
            a row of its own too.
    """

    title: str
    body: Markup
    note: str = ""
    kind: str = "chart"


@dataclass(frozen=True)
class Fold:
    """Table in a collapsible block.

    Attributes:
        title: heading.
        table: the table.
    """

    title: str
    table: PageTable


@dataclass(frozen=True)
class PageSection:
    """A part of the page.

    Attributes:
        anchor: its id, for links.
        title: its heading.
        text: introductory sentences.
        tiles: names and numbers that stand out.
        table: shown as it is.
        pictures: side by side.
        folds: tables to open.
        commands: (purpose, command line).
    """

    anchor: str
    title: str
    text: str = ""
    tiles: Sequence[tuple[str, str]] = ()
    table: PageTable | None = None
    pictures: Sequence[Picture] = ()
    folds: Sequence[Fold] = ()
    commands: Sequence[tuple[str, str]] = ()


def png_element(data: bytes, alt: str) -> Markup:
    """An ``<img>`` element of a PNG picture."""
    uri = f"data:image/png;base64,{b64encode(data).decode()}"
    return Markup('<img src="{}" alt="{}">').format(uri, alt)


def render_sections(
    title: str,
    heading: str,
    said: str,
    sections: Sequence[PageSection],
    now: datetime,
    warnings: Sequence[str] = (),
) -> str:
    """A page as text.

    Args:
        title: of the window.
        heading: of the page.
        said: a line below the heading.
        sections: in their order.
        now: when it is written.
        warnings: lines that stand out.
    """
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    source = files("auxnas.html").joinpath("page.html.jinja").read_text(encoding="utf-8")
    text = environment.from_string(source).render(
        title=title,
        heading=heading,
        said=said,
        warnings=warnings,
        sections=sections,
        written=f"{now:%Y-%m-%d %H:%M} UTC",
    )
    return "".join(f"{line}\n" for line in map(str.strip, text.splitlines()) if line)
