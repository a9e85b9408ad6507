"""The whole report as one self-contained page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Any

from auxnas.backends.compiling.compile import Report
from auxnas.backends.compiling.report import nodes, report_rows, to_dict
from auxnas.compiler.drawing.network_drawing import draw_network
from auxnas.compiler.places import Places
from auxnas.drawing import svg

TableRow = Sequence[object]
TableData = tuple[Sequence[str], Sequence[TableRow]]
"""Heads, and rows."""

_STYLE = """
:root { color-scheme: light dark; --ground: #ffffff; --ink: #22272e; --line: #e1e5e9 }
@media (prefers-color-scheme: dark) {
  :root { --ground: #14171b; --ink: #e8ebee; --line: #3a414a }
}
body { background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, sans-serif;
       margin: 2rem auto; max-width: 70rem; padding: 0 1rem }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; font-size: 13px }
th, td { padding: .2rem .8rem .2rem 0; text-align: left; vertical-align: top;
         border-bottom: 1px solid var(--line); white-space: pre-wrap }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums }
.tables { display: flex; flex-wrap: wrap; gap: 0 4rem }
section { min-width: 0; max-width: 100%; overflow-x: auto }
h2 { margin: .8rem 0 .3rem }
summary h2 { display: inline }
figure { margin: 0; overflow-x: auto; border: 1px solid var(--line) }
figure svg { display: block; width: 100%; min-width: 44rem; height: auto }
"""
_COUNTS = ("parameters", "multiply_adds", "multiply_adds_with_norm", "bytes_read", "bytes_written")
_HEADS = ("parameters", "multiply-adds", "and 2 per batch-norm element", "bytes read", "written")


def report_page(report: Report) -> str:
    """HTML with all numbers, and the network drawn."""
    request, document = report.request, to_dict(report)
    title = escape(f"{request.output.name}: {request.genotype}")
    scene = draw_network(report.network.optimised.graph, request.size, request.genotype)
    summary = [(name, value) for name, value in report_rows(report).items() if name != "passes"]
    parts = [
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>",
        f"<style>{_STYLE}</style>\n<h1>{escape(request.output.name)}</h1>",
        '<div class="tables">',
        *_section("Summary", ("", ""), summary),
        *_section("Passes", *_passes(document)),
        *_section("Cost", *_totals(document)),
        *_section("Cost of what is written, by place", *_by_place(report)),
        *_section("Checks", *_checks(document)),
        *_section("Versions", ("package", "version"), document["versions"].items()),
        "</div>",
        f"<h2>Network</h2>\n<figure>{svg(scene)}</figure>",
        f"<details><summary><h2>Nodes</h2></summary>{_table(*_nodes(report))}</details>",
    ]
    return "\n".join(parts) + "\n</html>\n"


def _section(title: str, heads: Sequence[str], body: Iterable[TableRow]) -> Iterator[str]:
    found = list(body)
    if found:
        yield f"<section><h2>{escape(title)}</h2>"
        yield f"{_table(heads, found)}</section>"


def _table(heads: Sequence[str], body: Iterable[TableRow]) -> str:
    lines = [_line(row, "td") for row in body]
    head = _line(heads, "th") if any(heads) else ""
    return "<table>\n" + "\n".join([head, *lines]) + "\n</table>"


def _line(row: TableRow, tag: str) -> str:
    return f"<tr>{''.join(_cell(value, tag) for value in row)}</tr>"


def _cell(value: object, tag: str) -> str:
    if isinstance(value, int):
        return f'<{tag} class="number">{value:,}</{tag}>'
    if isinstance(value, float):
        return f'<{tag} class="number">{value:.2e}</{tag}>'
    return f"<{tag}>{'' if value is None else escape(str(value))}</{tag}>"


def _passes(document: dict[str, Any]) -> TableData:
    """Every application of a pass: the numbers after it."""
    names = ("nodes", "parameters", "multiply_adds", "bytes_moved", "peak_bytes")
    found = [(each["name"], *(each[name][1] for name in names)) for each in document["passes"]]
    return ("after pass", *(name.replace("_", " ") for name in names)), found


_TOTALS = {
    "parameters": "parameters",
    "multiply_adds": "multiply-adds of convolutions",
    "multiply_adds_with_norm": "and 2 per batch-norm element",
    "bytes_moved": "bytes of maps read and written",
    "peak_bytes": "bytes of maps alive at once, at most",
}


def _totals(document: dict[str, Any]) -> TableData:
    after = document["optimised"]
    found = [(label, document[name], after[name]) for name, label in _TOTALS.items()]
    return ("", "as described", "written"), found


def _by_place(report: Report) -> TableData:
    places, sums = Places(report.request.genotype), dict[str, list[int]]()
    for node in nodes(report):
        place = places.of(node["name"])
        total = sums.setdefault(place.group if place else "other", [0] * len(_COUNTS))
        for index, name in enumerate(_COUNTS):
            total[index] += node[name]
    return ("", *_HEADS), [(name, *total) for name, total in sums.items()]


def _checks(document: dict[str, Any]) -> TableData:
    checks = document["checks"]
    names = ["labels_changed", *(name for found in checks.values() for name in found)]
    heads = ("size", "largest error", "mean error", "over the output's scale")
    rows = [(size, *found.values()) for size, found in checks.items()]
    return (*heads, names[-1].replace("_", " ")), rows


def _nodes(report: Report) -> TableData:
    heads = ("node", "operator", "place", "output", *_HEADS)
    found = [
        (
            *(n["name"], n["op"], n["place"] or "", "x".join(map(str, n["shape"]))),
            *(n[name] for name in _COUNTS),
        )
        for n in nodes(report)
    ]
    return heads, found
