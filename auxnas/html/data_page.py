"""Labelled images that were looked at, as one page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from auxnas.html.sections import Fold, PageSection, Picture, png_element, render_sections
from auxnas.html.tables import PageTable
from auxnas.search.data.survey import told_once

_TABLES = (
    ("faults", "Files that cannot be used", ["fault"]),
    ("unused_colours", "Colours of classes that no label image has", ["class", "colour"]),
    ("images_without_label", "Images without a label", ["file"]),
    ("labels_without_image", "Labels without an image", ["file"]),
    ("repeated", "Images with the pixels of an earlier one", ["image", "the earlier one"]),
)
"""Key of a part's rows, title, heads."""


def data_page(found: Mapping[str, Any], picture: bytes) -> str:
    """The page as text.

    Args:
        found: as ``survey_document`` gives it.
        picture: a PNG of images with their labels; may be empty.
    """
    parts: Mapping[str, Any] = found["parts"]
    state = "Nothing was found" if found["usable"] else "Something was found"
    warnings = [part["advice"] for part in parts.values() if part["advice"]]
    return render_sections(
        f"{found['data']}: labelled images",
        str(found["data"]),
        f"{state} that training would refuse.",
        list(_sections(found, picture)),
        datetime.now(UTC),
        [*dict.fromkeys(warnings), *found["remarks"]],
    )


def _sections(found: Mapping[str, Any], picture: bytes) -> Iterator[PageSection]:
    if picture:
        alt = "Images with their labels over them, and the colours of the classes"
        shown = Picture(
            "Images with their labels over them", png_element(picture, alt), kind="wide"
        )
        yield PageSection("examples", "Examples", pictures=[shown])
    if found["classes"]:
        heads = ["class", "share", "pixels", "images"]
        rows = [
            [c["name"], f"{100 * c['share']:.2f} %", f"{c['pixels']:,}", f"{c['images']:,}"]
            for c in found["classes"]
        ]
        yield PageSection("classes", "Classes", table=PageTable(heads, rows, heads[:1], ["share"]))
    for name, part in found["parts"].items():
        yield _part(name, part)


def _part(name: str, part: Mapping[str, Any]) -> PageSection:
    """A part: how much there is, and what is wrong with it."""
    total = max(1, part["labelled"] + part["unlabelled"])
    tiles = [
        ("images", f"{part['images']:,}"),
        ("not labelled", f"{100 * part['unlabelled'] / total:.1f} %"),
        *((title, f"{len(part[key]):,}") for key, title, _ in _TABLES if part[key]),
    ]
    sizes = [[f"{s['height']}x{s['width']}", f"{s['images']:,}"] for s in part["sizes"]]
    strange = [
        [str(v["value"]), f"{v['pixels']:,}", f"{v['images']:,}", v["place"]]
        for v in part["strange"]
    ]
    colours = [
        [c["colour"], c["hex"], f"{100 * c['share']:.2f} %", f"{c['images']:,}", c["place"]]
        for c in part["colours"]
    ]
    colour_heads = ["colour", "hex", "share", "images", "first"]
    rows = {**part, "faults": [line for line, _ in told_once(part["faults"])]}
    folds = [
        ("Values that are no class", ["value", "pixels", "images", "first"], strange, ["first"]),
        ("Colours that are no class's", colour_heads, colours, ["colour", "hex", "first"]),
        *((title, heads, _rows(rows[key]), heads) for key, title, heads in _TABLES),
        ("Sizes (height x width)", ["size", "images"], sizes, ["size"]),
    ]
    return PageSection(
        name,
        f"Part {name}",
        tiles=tiles,
        folds=[
            Fold(title, PageTable(heads, cells, texts))
            for title, heads, cells, texts in folds
            if cells
        ],
    )


def _rows(found: Any) -> list[list[str]]:
    return [[each] if isinstance(each, str) else list(each) for each in found]
