"""Targets of ``nascompile --target``, one row each.

Further ones are found by ``package.module:Class``, or by an entry point of the group
``auxnas.targets``.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from auxnas.backends.base import ExportOptions
from auxnas.backends.owned import OpenvinoTarget, OwnedTarget, RtxTarget, TrtTarget
from auxnas.backends.target import Target, TargetUnavailable, made_target
from auxnas.backends.web import FILES as WEB_FILES
from auxnas.compiler import CompilerError, Program
from auxnas.compiler.files import atomic_folder, atomic_write, check_file, check_folder
from auxnas.genotype.plugins import PluginError, find_maker, installed

AUTO = "auto"
"""The target that stands for the fastest of ``CPU_TARGETS``."""

_ALL = ("fp32", "fp16", "int8")
_PRECISIONS = (*_ALL, "bf16")
_TORCH = (".pt", ".pth", ".ptl", ".ts")
_TRT = "auxnas.backends.tensorrt.engines:tensorrt_model"

_CPU = "auxnas.backends.onnx.build:build_for_cpu"
_ONNX = "auxnas.backends.artefacts.onnx_file:model_bytes"

_ROWS = (
    OwnedTarget("onnx", "ort", "onnxruntime", ".onnx", _ALL, onnx=_CPU, reader=_ONNX),
    OwnedTarget(
        "ort", "ort", "onnxruntime", ".ort.onnx", foreign=(".ort",), onnx=_CPU, reader=_ONNX
    ),
    OpenvinoTarget(
        "openvino",
        "openvino",
        "OpenVINO",
        ".xml",
        _PRECISIONS,
        (".bin",),
        onnx="auxnas.backends.onnx.build:build_for_openvino",
        opset=False,
    ),
    OwnedTarget(
        "torch", "pt2", "PyTorch", ".pt2", ("fp32",), foreign=_TORCH, onnx=None, opset=False
    ),
    TrtTarget(
        "trt",
        "trt",
        "TensorRT",
        ".engine",
        _ALL,
        (".engine.json",),
        (".trt", ".plan"),
        _TRT,
        fallback="trt-bundle",
        signed=True,
    ),
    RtxTarget(
        "rtx",
        "rtx",
        "TensorRT-RTX",
        ".rtx",
        _PRECISIONS,
        (".rtx.json",),
        onnx=_TRT,
        signed=True,
        stand_in="trt-bundle",
        capabilities=True,
    ),
    OwnedTarget(
        "trt-bundle",
        "trt-bundle",
        "onnxruntime",
        ".trt.zip",
        _ALL,
        foreign=(".zip",),
        onnx=_TRT,
        reader="auxnas.backends.tensorrt.bundle:read_bundle_model",
        signed=True,
    ),
    OwnedTarget(
        "web",
        "web",
        "onnxruntime",
        ".web",
        _ALL,
        reader="auxnas.backends.web.runner:folder_model",
        folder=WEB_FILES,
    ),
    OwnedTarget(
        "ncnn",
        "ncnn",
        "ncnn",
        ".ncnn.param",
        beside=(".bin", ".json"),
        foreign=(".param",),
        onnx="auxnas.backends.phones.ncnn_file:check_ncnn",
        opset=False,
    ),
    OwnedTarget(
        "litert",
        "litert",
        "LiteRT",
        ".tflite",
        beside=(".tflite.json",),
        onnx="auxnas.backends.phones.litert_file:check_litert",
        opset=False,
    ),
    OwnedTarget(
        "executorch",
        "executorch",
        "ExecuTorch",
        ".pte",
        ("fp32",),
        beside=(".pte.json",),
        onnx="auxnas.backends.phones.executorch_file:check_executorch",
        opset=False,
    ),
)
TARGETS: Mapping[str, Target] = MappingProxyType({row.name: row for row in _ROWS})
"""Our targets by name."""


def target_of(name: str) -> Target:
    """The target called ``name``: ours, an installed one, or that of ``package.module:Class``.

    Raises:
        PluginError: when there is none, or it is no target.
    """
    if name in TARGETS:
        return TARGETS[name]
    names = dict.fromkeys([*TARGETS, AUTO], "")
    return made_target(name, find_maker("targets", name, names, ()), _PRECISIONS)


def installed_target(file: str) -> str | None:
    """The installed target that a file of this name is of by its suffix; None for ours or none.

    Raises:
        PluginError: naming an installed one that cannot be loaded, where no other is fitting.
    """
    ours = tuple(row.suffix for row in TARGETS.values())
    broken: PluginError | None = None
    for name in () if file.lower().endswith(ours) or "." not in file else installed("targets"):
        try:
            if file.endswith(target_of(name).suffix):
                return name
        except PluginError as error:
            broken = error
    if broken is not None:
        raise broken
    return None


CPU_TARGETS = ("onnx", "openvino")
"""Targets that ``auto`` chooses from: one for each runtime."""

HELP = (
    "onnx: runs anywhere. ort: the same, already optimised by onnxruntime for machines of "
    "this kind (starts sooner; on others it may not load, or be slow). openvino: IR, .xml and "
    ".bin. torch: a torch.export program (.pt2). trt: a TensorRT engine, where the library "
    "and a GPU are; elsewhere trt-bundle, a zip with what is needed to build it there, and "
    "exit status 3. rtx: a portable engine of TensorRT-RTX, built on any machine, for GPUs from "
    "Ampere on. web: a folder with a page that runs the network in a browser. "
    "ncnn: for phones and small boards, .ncnn.param, .bin and .json. litert: likewise, .tflite "
    "and .json. executorch: likewise, .pte and .json. auto: the faster of onnx and openvino, "
    "measured here. package.module:Class: one of your own."
)


@dataclass(frozen=True, slots=True)
class ResolvedTarget:
    """Target that is made for the one that was asked for.

    Attributes:
        target: a name in ``TARGETS``, or ``auto`` as long as it is not chosen.
        output: where.
        missing: reason that it is another target than requested.
    """

    target: str
    output: Path
    missing: str | None = None


def resolve_target(target: str, output: Path) -> ResolvedTarget:
    """The target itself or its fallback, as far as no measuring tells; ``auto`` stays.

    Args:
        target: a name in ``TARGETS``, or ``auto``.
        output: the file that was asked for.

    Raises:
        CompilerError: for an output that cannot be named so.
        TargetUnavailable: when it cannot be made here, nor what stands for it.
    """
    if target == AUTO:
        return ResolvedTarget(target, output)
    row = target_of(target)
    missing = row.missing()
    if missing is not None and row.fallback is not None:
        _check_name(output, row, target_of(row.fallback))
        fallback = with_target_suffix(output, row.fallback)
        return ResolvedTarget(row.fallback, fallback, missing=missing)
    if missing is not None:
        raise TargetUnavailable(target, missing)
    _check_name(output, row)
    if not row.folder and target_of_file(output.name, row).runner != row.runner:
        raise CompilerError("output", output.name, f"a name that ends in {row.suffix}")
    return ResolvedTarget(target, output)


def _check_name(output: Path, *rows: Target) -> None:
    """Checks that no suffix of ``output`` belongs to another target than ``rows``.

    Raises:
        CompilerError: naming the suffix of the first.
    """
    name, runners = output.name.lower(), {row.runner for row in rows}
    others = {s for other in TARGETS.values() for s in (*other.foreign, *other.beside)}
    others |= {other.suffix for other in TARGETS.values() if other.runner not in runners}
    if name.endswith(tuple(others)) and not name.endswith(tuple(row.suffix for row in rows)):
        raise CompilerError("output", output.name, f"a name that ends in {rows[0].suffix}")


def target_of_file(name: str, *others: Target) -> Target:
    """The target that a file of this name is of: its suffix tells, ONNX is the default."""
    rows = {row.suffix: row for row in (*TARGETS.values(), *others)}
    found = (row for suffix, row in rows.items() if name.lower().endswith(suffix))
    return next(found, TARGETS["onnx"])


def model_of(
    target: str, program: Program, options: ExportOptions, metadata: Mapping[str, str]
) -> Any:
    """The ONNX model that a target is made from; None where it is not made from ONNX.

    Raises:
        CompilerError: naming the first node or option that the target cannot take.
    """
    return target_of(CPU_TARGETS[0] if target == AUTO else target).model(program, options, metadata)


def check_precision(target: str, precision: str) -> None:
    """Checks that the target, or each that ``auto`` may choose, can be made in ``precision``.

    Raises:
        CompilerError: naming the targets that are.
    """
    names = CPU_TARGETS if target == AUTO else (target,)
    if all(precision in target_of(name).precisions for name in names):
        return
    stand_ins = {row.fallback for row in TARGETS.values()}
    fit = [n for n, row in TARGETS.items() if precision in row.precisions and n not in stand_ins]
    found = f"target {target}"
    raise CompilerError(f"precision {precision}", found, f"target {' or '.join(fit)}")


def with_target_suffix(output: Path, target: str) -> Path:
    """``output`` with the suffix of ``target`` in place of another target's."""
    row = target_of(target)
    own = Path(row.suffix).suffix  # a plain .zip for .trt.zip
    suffixes = {*(each.suffix for each in TARGETS.values()), row.suffix, own}
    fitting = filter(output.name.endswith, sorted(suffixes, key=len, reverse=True))
    return output.with_name(output.name.removesuffix(next(fitting, "")) + row.suffix)


def artefact_files(target: str, output: Path) -> list[Path]:
    """All files of which some are written for an output that was asked for.

    Which ones, ``resolve_target`` and ``compiling.forms.fastest_form`` decide.
    """
    names = CPU_TARGETS if target == AUTO else (target, target_of(target).fallback)
    found = []
    for name in filter(None, names):
        main = output if name == target else with_target_suffix(output, name)
        found.append(main)
        row = target_of(name)
        if main.name.endswith(row.suffix):
            found += [main.with_suffix(suffix) for suffix in row.beside]
    return found


def check_places(target: str, output: Path) -> None:
    """Checks, before the work, that an artefact can be written where it was asked for.

    Raises:
        CompilerError, OSError: naming the file or its folder, and the reason.
    """
    names = () if target == AUTO else target_of(target).folder
    if names:
        check_folder(output, names)
    else:
        for path in artefact_files(target, output):
            check_file(path)


def artefact_size(output: Path, target: str) -> int:
    """Bytes of an artefact, with what is beside it, or in its folder."""
    beside = [output.with_suffix(suffix) for suffix in target_of(target).beside]
    files = output.iterdir() if target_of(target).folder else (output, *beside)
    return sum(path.stat().st_size for path in files)


def copy_artefact(source: Path, destination: Path, target: str) -> None:
    """Copies an artefact with what is beside it, or in its folder."""
    if target_of(target).folder:
        shutil.copytree(source, destination, dirs_exist_ok=True)
        return
    for suffix in ("", *target_of(target).beside):
        names = (each.with_suffix(suffix or each.suffix) for each in (source, destination))
        shutil.copyfile(*names)


def nothing_written(output: Path, target: str) -> CompilerError:
    """The error of a target that leaves no file behind."""
    return CompilerError(str(output), f"the target {target} wrote no file", "one")


@contextmanager
def atomic_write_set(path: Path, target: str) -> Iterator[Path]:
    """``atomic_write`` for an artefact of more than one file.

    The block writes to the temporary name it is given, and what belongs beside it under
    the same stem. When it ends well, the files beside take their names first and the
    artefact last; when it raises, nothing has changed. Only a machine that stops between
    those two renamings leaves files that do not belong together, which an artefact that
    has such files can tell by their hashes.

    Raises:
        OSError: naming the file that cannot be written.
        CompilerError: when the block writes nothing, or a folder holds what is not ours.
    """
    with ExitStack() as stack:
        names = target_of(target).folder
        write = atomic_folder(path, names) if names else atomic_write(path)
        main = stack.enter_context(write)
        parts = [
            (main.with_suffix(suffix), stack.enter_context(atomic_write(path.with_suffix(suffix))))
            for suffix in target_of(target).beside
        ]
        try:
            yield main
            if not main.exists():
                raise nothing_written(path, target)
            for made, place in parts:
                if not made.exists():
                    raise nothing_written(place, target)
                os.replace(made, place)
        finally:
            for made, _ in parts:
                made.unlink(missing_ok=True)
