"""Sphinx extension that writes what pages include and the code knows, into ``docs/made``.

Tables of counts, costs and settings, the list of what is public in Python, and pictures: every
build makes them anew, so that they cannot go stale.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from auxnas.compiler import ModelSpec, cost
from auxnas.compiler.architecture import blueprint_of, find_architecture, lower_architecture
from auxnas.compiler.decoders import DECODERS
from auxnas.compiler.drawing.network_drawing import draw_network
from auxnas.compiler.encoders import DEFAULT as ENCODER
from auxnas.drawing import save
from auxnas.genotype import LEVELS, SearchSpace
from auxnas.nasspace.count import METHODS, PAPER
from auxnas.search.settings.listing import KINDS, Setting, settings_list
from auxnas.search.settings.presets import PRESETS

FOLDER = Path(__file__).parent / "made"
FRONT = (
    "auxnas.nassearch.function.search",
    "auxnas.compile",
    "auxnas.load",
    "auxnas.api.Model",
)
"""The functions of ``auxnas`` and what they give."""
PACKAGES = ("auxnas.genotype", "auxnas.compiler", "auxnas.compiler.passes", "auxnas.search")
"""Packages whose public classes and functions the reference has all."""
PARTS = (
    "auxnas.compiler.encoders.Encoder",
    "auxnas.compiler.tasks.Task",
    "auxnas.compiler.tasks.TargetFormat",
    "auxnas.backends.target.Target",
    "auxnas.search.searchers.base.Searcher",
    "auxnas.search.executors.base.Executor",
    "auxnas.search.data.Dataset",
    "auxnas.search.data.BaseDataset",
    "auxnas.search.data.base.Reader",
)
"""Classes that a part of one's own is one of."""
SIZE = (512, 512)
"""Of the image that costs are of."""
PAPERS = {
    "arch0": "4.47e9, 2.6 M",
    "arch1": "2.95e9, 2.8 M",
    "arch2": "3.47e9, 2.9 M",
    "lwrf": "9.3e9, 3.3 M",
    "deeplabv3": "8.73e9, 2.1 M",
    "deeplabv3-aspp": "5.8e9, 4.5 M",
    "deeplabv3plus": "(5.8 M, Table 2)",
    "simple-resnet50": "(34.0 M, Table 2)",
}
"""Costs that the paper prints: Table 1, where nothing else is said."""


def setup(app: Any) -> dict[str, bool]:
    """Registers the extension."""
    app.connect("builder-inited", lambda app: write_all(FOLDER))
    for part in ("description", "options"):
        app.connect(f"sphinx-click-process-{part}", escape)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def escape(app: Any, context: Any, lines: list[str]) -> None:
    """Lets an asterisk in a help text, which is no markup, be one."""
    for number, line in enumerate(lines):
        if not line.lstrip().startswith((".. ", ":")):
            lines[number] = re.sub(r"(?<!\*)\*(?!\*)", r"\\*", line)


def write_all(folder: Path) -> None:
    """Writes every file, into ``folder``."""
    folder.mkdir(exist_ok=True)
    for name, text in (
        ("counts.md", counts()),
        ("costs.md", costs()),
        ("python.md", python()),
        *((f"settings-{command}.md", settings(command)) for command in KINDS),
    ):
        (folder / name).write_text(text, encoding="utf-8")
    arch0 = find_architecture("arch0").architecture
    save(draw_network(lower_architecture(arch0, ModelSpec()), SIZE, arch0), folder / "network.svg")


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A table in Markdown."""
    names = list(head)
    lines = [names, ["---"] * len(names), *([str(cell) for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def counts() -> str:
    """Numbers of architectures of the paper's space at each level."""
    space = SearchSpace.cvpr2019()
    rows: list[list[str]] = []
    for level in LEVELS:
        found = space.count(level)
        numbers = (found.connections, found.cells, found.total)
        rows.append([f"`{level}`", *(f"{number:,}" for number in numbers), METHODS[level]])
    rows.append(["the paper's estimate", *map(str, PAPER.values()), ""])
    return table(["level", "connections", "cells", "architectures", "obtained by"], rows)


def costs() -> str:
    """Costs of the published genotypes and of the hand-made networks."""
    rows = []
    for name, printed in PAPERS.items():
        made = find_architecture(name).architecture
        spec = ModelSpec(encoder=blueprint_of(made).encoder or ENCODER)
        found = cost(lower_architecture(made, spec), SIZE)
        title = f", {blueprint_of(made).title}" if name in DECODERS else ""
        madds = (found.multiply_adds, found.multiply_adds_with_norm)
        output = "x".join(map(str, found.output_size))
        figures = (f"{found.parameters:,}", *(f"{one / 1e9:.3f}e9" for one in madds))
        rows.append((f"`{name}`{title}", *figures, printed, output))
    head = ["", "parameters", "multiply-adds, convolutions", "and 2 per batch-norm element"]
    return table([*head, "Table 1", "output"], rows)


def settings(command: str) -> str:
    """Every setting of a command: default, range, meaning, and what the presets make of it."""
    under = {name: settings_list("", command, name) for name in PRESETS}
    rows = list(zip(*under.values(), strict=True))
    parts = []
    for group, members in groupby(rows, lambda row: row[0].name.rpartition(".")[0]):
        parts.append(f"### {group}\n" if group else "### Without a group\n")
        parts += [_setting(dict(zip(under, row, strict=True))) for row in members]
    return "\n".join(parts)


def _setting(under: dict[str, Setting]) -> str:
    """An entry of a definition list; ``under``: the setting by preset."""
    first = next(iter(under.values()))
    changed = {name: row.preset for name, row in under.items() if row.preset != row.default}
    presets = "".join(f"; preset `{name}`: {_value(value)}" for name, value in changed.items())
    return (
        f"`{first.name}`\n: {first.description}\n"
        f"  Takes {first.takes}. Default: {_value(first.default)}{presets}.\n"
    )


def _value(value: object) -> str:
    """A value as ``--set`` takes it."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"`{text}`" if text else "empty"


def python() -> str:
    """Directives for everything public: the front door, the packages, the parts of one's own."""
    parts = ["## auxnas\n", *_directives(FRONT)]
    for package in PACKAGES:
        module = importlib.import_module(package)
        parts += [f"## {package}\n", f"{module.__doc__}".partition("\n\n")[0] + "\n"]
        parts += _directives(f"{package}.{name}" for name in module.__all__)
    return "\n".join([*parts, "## Parts of your own\n", *_directives(PARTS)])


def _directives(places: Iterable[str]) -> Iterator[str]:
    """One for each class and function."""
    for place in places:
        home, _, name = place.rpartition(".")
        found = getattr(importlib.import_module(home), name)
        if inspect.isclass(found):
            yield f"```{{eval-rst}}\n.. autoclass:: {place}\n   :members:\n```\n"
        elif inspect.isfunction(found):
            yield f"```{{eval-rst}}\n.. autofunction:: {place}\n```\n"
