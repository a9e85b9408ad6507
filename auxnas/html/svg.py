"""matplotlib's charts as parts of a page: in the page's colours and font, with texts to hover.

matplotlib knows no colours that depend on a page's style, so charts are drawn in stand-ins,
which then become the page's own: one chart serves light and dark.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from typing import Any
from xml.etree import ElementTree as Xml

from matplotlib import rc_context
from matplotlib.figure import Figure

INK, MUTED, GRID, FIRST, SECOND, GROUND = (f"#0{n}0{n}0{n}" for n in range(1, 7))
"""Stand-ins: text, what is less important, lines behind the data, two runs, the ground."""

_VARIABLES = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    GRID: "var(--line)",
    FIRST: "var(--first)",
    SECOND: "var(--second)",
    GROUND: "var(--card)",
}
_SIZE = (4.7, 2.9)
"""Inches, small beside the font, so that it can be read on a narrow screen too."""
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "auxnas",
    "font.size": 9,
    "font.family": "DejaVu Sans",
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": GRID,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.ymargin": 0.1,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "figure.facecolor": "none",
    "figure.constrained_layout.use": True,
    "axes.formatter.useoffset": False,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "legend.handlelength": 1.4,
}
_NAMESPACES = {"svg": "http://www.w3.org/2000/svg", "xlink": "http://www.w3.org/1999/xlink"}
_REFERENCE = re.compile(r"(?:^|url\()#([\w.-]+)")
_HREF = f"{{{_NAMESPACES['xlink']}}}href"

Plot = Callable[[Any], Mapping[str, Sequence[str]]]
"""Draws on axes; returns texts for the points of collections, by ``gid``."""


def chart(plot: Plot, alt: str) -> str:
    """Chart drawn by ``plot`` as one ``<svg>`` element, with ``alt`` for screen readers."""
    buffer = BytesIO()
    with rc_context(_STYLE):
        figure = Figure(figsize=_SIZE)
        axes = figure.subplots()
        tips = plot(axes)
        for collection in axes.collections:
            collection.set_clip_on(False)  # a point at the edge is a whole point
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return inline_svg(buffer.getvalue(), alt, tips)


def inline_svg(data: bytes, alt: str, tips: Mapping[str, Sequence[str]]) -> str:
    """An SVG file of matplotlib's as part of a page that may have others.

    Args:
        data: the file.
        alt: description for screen readers.
        tips: a text for each point of the collections with these ids.
    """
    root = Xml.fromstring(data)
    for name, texts in tips.items():
        _add_tips(root, name, texts)
    _drop(root, ("metadata", "style"))
    _rename(root, f"c{hashlib.sha256(data).hexdigest()[:8]}")
    _shorten(root)
    root.attrib = {"viewBox": root.get("viewBox", ""), "class": "chart", "role": "img"}
    root.set("aria-label", alt)
    return _in_page_style(_written(root))


def _tag(name: str) -> str:
    return f"{{{_NAMESPACES['svg']}}}{name}"


def _add_tips(root: Xml.Element, name: str, texts: Sequence[str]) -> None:
    """Puts each text into its point as a title, where there is one point a text."""
    for group in root.iter(_tag("g")):
        if group.get("id") == name:
            points = list(group.iter(_tag("use")))
            for point, text in zip(points, texts, strict=True):
                Xml.SubElement(point, _tag("title")).text = text


def _drop(root: Xml.Element, names: Sequence[str]) -> None:
    """Removes elements by name: a style in a page would be everyone's."""
    for parent in list(root.iter()):
        for child in [child for child in parent if child.tag in map(_tag, names)]:
            parent.remove(child)


def _rename(root: Xml.Element, prefix: str) -> None:
    """Ids that are referred to are made this chart's own; all others go."""
    texts = [value for element in root.iter() for value in element.attrib.values()]
    used = {match[1] for text in texts for match in _REFERENCE.finditer(text)}
    for element in root.iter():
        name = element.attrib.pop("id", None)
        for key, value in element.attrib.items():
            element.set(key, _REFERENCE.sub(lambda m: m[0].replace("#", f"#{prefix}-"), value))
        if name in used:
            element.set("id", f"{prefix}-{name}")


def _shorten(root: Xml.Element) -> None:
    """Coordinates keep two decimals: a long run has thousands of points."""
    for element in root.iter():
        for key in {"d", "x", "y", "transform"} & element.attrib.keys():
            element.set(key, re.sub(r"(\.\d\d)\d+|\s*\n", r"\1", element.attrib[key]))


def _written(root: Xml.Element) -> str:
    """The element as text, its names without prefixes."""
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        if _HREF in element.attrib:
            element.set("href", element.attrib.pop(_HREF))
        element.tail = None
    root.set("xmlns", _NAMESPACES["svg"])
    return Xml.tostring(root, encoding="unicode")


def _in_page_style(text: str) -> str:
    """Colours and font of the page around."""
    for stand_in, variable in _VARIABLES.items():
        text = text.replace(stand_in, variable)
    return re.sub(r" font-family: [^;\"]*;", "", text)
