"""Tutorials: runs their cells and compares what is printed with what the notebooks show.

    python docs/notebooks.py docs/tutorials/space.ipynb          # what differs; ends with 1
    python docs/notebooks.py --write docs/tutorials/space.ipynb  # records it

Cells run one after another in this process, in an empty folder, without Jupyter. Of a cell with the
tag ``varies`` figures are not compared: they are of training, which rounds otherwise elsewhere.
"""

from __future__ import annotations

import ast
import io
import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import chdir, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

Cell = dict[str, Any]


def code_cells(notebook: dict[str, Any]) -> list[Cell]:
    """The cells that run."""
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def run_cells(cells: list[Cell]) -> Iterator[list[dict[str, Any]]]:
    """The outputs of each cell in turn, as a notebook stores them."""
    scope: dict[str, Any] = {"__name__": "__main__"}
    for number, cell in enumerate(cells, 1):
        printed, value = _run("".join(cell["source"]), f"cell {number}", scope)
        outputs: list[dict[str, Any]] = []
        if printed:
            text = printed.splitlines(keepends=True)
            outputs.append({"name": "stdout", "output_type": "stream", "text": text})
        if value is not None:
            data = {"text/plain": repr(value).splitlines(keepends=True)}
            result = {"data": data, "metadata": {}, "output_type": "execute_result"}
            outputs.append({"execution_count": number, **result})
        yield outputs


def _run(source: str, name: str, scope: dict[str, Any]) -> tuple[str, Any]:
    """What a cell prints, and the value of its last line where that is an expression."""
    tree = ast.parse(source)
    last = ast.Constant(None, lineno=1, col_offset=0)
    if isinstance(tree.body[-1], ast.Expr):
        last = tree.body.pop().value
    with redirect_stdout(io.StringIO()) as printed:
        exec(compile(tree, name, "exec", dont_inherit=True), scope)
        value = eval(compile(ast.Expression(last), name, "eval", dont_inherit=True), scope)
    return printed.getvalue(), value


def differences(notebook: dict[str, Any]) -> Iterator[str]:
    """Cells that print something else than the notebook shows, a line for each."""
    cells = code_cells(notebook)
    for number, (cell, found) in enumerate(zip(cells, run_cells(cells), strict=True), 1):
        varies = "varies" in cell["metadata"].get("tags", [])
        shown, printed = (_text(outputs, varies) for outputs in (cell["outputs"], found))
        if shown != printed:
            yield f"cell {number}: printed {printed!r}, the notebook has {shown!r}"


def _text(outputs: list[dict[str, Any]], varies: bool) -> str:
    """All that outputs show, without its figures where they vary."""
    rows = (each.get("text") or each.get("data", {}).get("text/plain", "") for each in outputs)
    text = "".join("".join(row) for row in rows)
    return re.sub(r"\d", "0", text) if varies else text


def main(words: list[str]) -> int:
    """Compares, or records; 1 where something differs."""
    write = words[:1] == ["--write"]
    paths = [Path(word).resolve() for word in words[write:]]
    found = []
    for path in paths:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        with TemporaryDirectory() as folder, chdir(folder):
            os.environ["AUXNAS_CACHE"] = f"{folder}/cache"
            if write:
                cells = code_cells(notebook)
                ran = enumerate(zip(cells, run_cells(cells), strict=True), 1)
                for number, (cell, outputs) in ran:
                    cell |= {"outputs": outputs, "execution_count": number}
                path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", "utf-8")
            else:
                found += [f"{path.name}: {line}" for line in differences(notebook)]
    print("".join(f"{line}\n" for line in found), end="")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
