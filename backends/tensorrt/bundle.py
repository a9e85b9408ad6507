"""Archive of all that is needed to build a TensorRT engine elsewhere.

``model.onnx``, the command lines of ``trtexec`` for TensorRT 10 and 11 as shell scripts,
and ``manifest.json``: hashes, sizes, the operators' source, the parser that has
read the model, the metadata.
"""

from __future__ import annotations

import hashlib
import json
import shlex
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx

from auxnas.backends.artefacts.archives import DAMAGED, open_archive
from auxnas.backends.base import ExportOptions
from auxnas.backends.onnx.build import REAL_TYPES, build
from auxnas.backends.tensorrt.engines import (
    check_operators,
    parse_model,
    profile_of,
    properties,
)
from auxnas.backends.tensorrt.exporter import GENERATIONS, trtexec
from auxnas.backends.tensorrt.operators import SOURCE, VERSION
from auxnas.backends.tensorrt.rtx import rtx_library, rtx_missing
from auxnas.compiler import CompilerError, Program

MODEL, ENGINE, MANIFEST = "model.onnx", "model.engine", "manifest.json"
_DATE = (1980, 1, 1, 0, 0, 0)


class BundleExporter:
    """Writes the archive: the same bytes for the same network and parser."""

    def export(
        self, program: Program, path: Path, options: ExportOptions, metadata: Mapping[str, str]
    ) -> None:
        """Writes the archive.

        Raises:
            CompilerError: for a node that TensorRT is not published to support.
            OSError: when it cannot be written.
        """
        self.pack(build(program, options, metadata), path, options)

    def pack(self, model: onnx.ModelProto, path: Path, options: ExportOptions) -> None:
        """Writes the archive of a model that has its metadata.

        Raises:
            CompilerError: for a node that TensorRT is not published to support.
            OSError: when it cannot be written.
        """
        profile = profile_of(check_operators(model))
        lines = {f"{n}": trtexec(MODEL, ENGINE, profile, n) for n in GENERATIONS}
        files = {MODEL: model.SerializeToString(deterministic=True)}
        for generation, words in lines.items():
            files[f"trtexec-{generation}.sh"] = f"#!/bin/sh\n{shlex.join(words)}\n".encode()
        manifest = {
            "format": "auxnas/trt-bundle",
            "version": 1,
            "precision": _precision(model),
            "opset": model.opset_import[0].version,
            "profile": profile,
            "trtexec": {generation: shlex.join(words) for generation, words in lines.items()},
            "operators": {"source": SOURCE, "tensorrt": VERSION},
            "parsed_by": _parser_of(model),
            "files": {name: _facts(data) for name, data in files.items()},
            "metadata": properties(model),
        }
        files[MANIFEST] = (json.dumps(manifest, indent=2) + "\n").encode()
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(_entry(name), data)


def _parser_of(model: onnx.ModelProto) -> str | None:
    """NVIDIA's parser that has read the model; None where none is installed.

    Raises:
        CompilerError: where it refuses it.
    """
    if rtx_missing() is not None:
        return None
    trt = rtx_library()
    parse_model(trt, model.SerializeToString())
    return f"TensorRT-RTX {trt.__version__}"


def _precision(model: onnx.ModelProto) -> str:
    """Lowest precision that a model computes in: ``int8``, ``fp16``, ``bf16`` or ``fp32``."""
    if any(node.op_type == "QuantizeLinear" for node in model.graph.node):
        return "int8"
    kinds = {each.data_type for each in model.graph.initializer}
    return next((name for name, kind in REAL_TYPES.items() if kind in kinds), "fp32")


def _facts(data: bytes) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _DATE)
    entry.external_attr = (0o755 if name.endswith(".sh") else 0o644) << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def read_bundle_model(path: Path) -> bytes:
    """The model of an archive.

    Raises:
        ValueError: when it is damaged.
    """
    return read_bundle(path)[0]


def read_bundle(path: str | Path) -> tuple[bytes, dict[str, Any]]:
    """The model and the manifest of an archive.

    Raises:
        ValueError: when it is damaged.
    """
    expected = "a bundle that nascompile wrote"
    damaged = "not a whole bundle"
    with open_archive(Path(path), str(path), expected, damaged) as archive:
        try:
            manifest = _manifest(archive.read(MANIFEST))
            for name, facts in manifest["files"].items():
                if _facts(archive.read(name)) != facts:
                    raise ValueError(f"{name} is not what the manifest says")
            return archive.read(MODEL), manifest
        except DAMAGED as error:
            raise CompilerError(str(path), f"{damaged}: {error}", expected) from error


def _manifest(content: bytes) -> dict[str, Any]:
    """The manifest with the parts that are read of it.

    Raises:
        ValueError: when it is none.
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        found = None
    parts = [found.get(name) if isinstance(found, dict) else None for name in ("files", "metadata")]
    if not all(isinstance(part, dict) for part in parts):
        raise ValueError(f"{MANIFEST} is not an object with files and metadata")
    if not all(isinstance(value, str) for value in found["metadata"].values()):
        raise ValueError(f"{MANIFEST} has metadata that are no texts")
    return dict(found)
