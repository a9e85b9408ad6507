"""Folder of target web: the model, onnxruntime-web and the page."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import onnx

from auxnas.backends.artefacts.onnx_file import read_onnx
from auxnas.backends.base import ExportOptions
from auxnas.backends.onnx.build import build
from auxnas.backends.web import MODEL, PAGE
from auxnas.backends.web.facts import page_facts
from auxnas.backends.web.runtime import runtime_files
from auxnas.compiler import Program

_PARTS = ("style.css", "pixels.js", "drawing.js", "page.js")
"""Files that the page holds within itself, in this order."""


class WebExporter:
    """Writes the folder."""

    def export(
        self, program: Program, path: Path, options: ExportOptions, metadata: Mapping[str, str]
    ) -> None:
        """Writes the folder, or what has changed in one that it wrote.

        Raises:
            CompilerError: for an output that the page cannot draw.
            RuntimeUnavailable: where onnxruntime-web cannot be had.
            OSError: when a file cannot be written.
        """
        self.pack(build(program, options, metadata), path, options)

    def pack(self, model: onnx.ModelProto, path: Path, options: ExportOptions) -> None:
        """Writes the folder of a model that has its metadata.

        Raises:
            CompilerError: for an output that the page cannot draw.
            RuntimeUnavailable: where onnxruntime-web cannot be had.
            OSError: when a file cannot be written.
        """
        content = model.SerializeToString(deterministic=True)
        page = page_of(page_facts(read_onnx(path / MODEL, content, "web")))
        runtime = runtime_files(options.web_runtime)
        path.mkdir(exist_ok=True)
        parts = {MODEL: content, PAGE: page.encode(), **runtime}
        for name, data in parts.items():
            (path / name).write_bytes(data)


def page_of(facts: Mapping[str, Any]) -> str:
    """The page of a network, in one file."""
    room = files("auxnas.backends.web")
    page = (room / "page.html").read_text("utf-8")
    for name in _PARTS:
        page = page.replace(f"/* {name} */", (room / name).read_text("utf-8"))
    plain = json.dumps(facts, ensure_ascii=False).replace("<", "\\u003c")
    title = html.escape(str(facts["title"]))
    return page.replace("{title}", title).replace("{facts}", plain)
