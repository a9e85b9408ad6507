"""Probes: each runs in a process of its own, ``python -m auxnas.doctor.probes NAME``.

A library that ends the process, or never returns, then costs no more than its own line. What is
found is printed as JSON, one document a line, the last of which counts.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

CORE_MODULES = {
    "click": "click",
    "networkx": "networkx",
    "numpy": "numpy",
    "onnx": "onnx",
    "pillow": "PIL.Image",
    "pydantic": "pydantic",
    "rich": "rich.console",
    "safetensors": "safetensors.numpy",
}
"""Module of each library of the core that has its compiled code."""


def core() -> dict[str, Any]:
    """Imports the core's libraries one by one, then compiles arch0 without checking it."""
    for name, module in CORE_MODULES.items():
        print(json.dumps({"at": name}), flush=True)
        import_module(module)
    print(json.dumps({"at": "auxnas"}), flush=True)
    from auxnas.api import compile

    with tempfile.TemporaryDirectory() as folder:
        compile("arch0", Path(folder, "arch0.onnx"), input_size=(64, 64), no_verify=True)
    return {}


def machine() -> dict[str, Any]:
    """Processor, memory, GPUs, and the folder that runs share."""
    from auxnas.backends.artefacts.memory import available_bytes
    from auxnas.backends.caching import cache_dir
    from auxnas.backends.measuring.machine import cores, cpu_model, instruction_sets

    return {
        "processor": cpu_model(),
        "instructions": instruction_sets(),
        "cores": cores(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "memory_available_bytes": available_bytes(),
        "gpu": _gpu(),
        "cache": folder_facts(cache_dir()),
    }


def _gpu() -> dict[str, Any]:
    from auxnas.backends.tensorrt.cuda import Cuda, CudaError

    try:
        found = Cuda()
    except CudaError as error:
        return {"name": None, "reason": str(error)}
    return {"name": found.name, "capability": "{}.{}".format(*found.capability)}


def folder_facts(folder: Path) -> dict[str, Any]:
    """Size of a folder, and whether it can be written or made; what it has by first folder."""
    above = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    parts = (
        {each.name: _bytes(each) for each in sorted(folder.iterdir())} if above == folder else {}
    )
    return {
        "folder": str(folder),
        "exists": above == folder,
        "bytes": sum(parts.values()),
        "parts": parts,
        "writable": above.is_dir() and os.access(above, os.R_OK) and _has_room(above),
        "free_bytes": shutil.disk_usage(above).free,
    }


def _has_room(folder: Path) -> bool:
    """Whether something can be made in a folder, tried: what root may do says nothing."""
    from auxnas.compiler.errors import CompilerError
    from auxnas.compiler.files import check_room

    try:
        check_room(folder)
    except CompilerError:
        return False
    return True


def _bytes(path: Path) -> int:
    """Of a file, or of all files below a folder; what vanishes or is closed does not count."""
    if not path.is_dir():
        return path.lstat().st_size
    places = (Path(root, name) for root, _, names in os.walk(path) for name in names)
    return sum(each.lstat().st_size for each in places if os.path.lexists(each))


class RuntimeProbe(NamedTuple):
    """A library that runs artefacts or trains.

    Attributes:
        packages: distributions, of which one brings it.
        extra: that installs it.
        targets: of ``nascompile`` that need it to be made or run.
        facts: lines on what it offers here; imports it.
    """

    packages: tuple[str, ...]
    extra: str
    targets: tuple[str, ...]
    facts: Callable[[], list[str]]


def _onnxruntime() -> list[str]:
    from auxnas.backends.runtimes.ort import providers

    return [f"providers {', '.join(providers())}"]


def _openvino() -> list[str]:
    from auxnas.backends.runtimes.openvino import ov

    return [f"devices {', '.join(ov.Core().available_devices)}"]


def _torch() -> list[str]:
    torch = import_module("torch")
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(each) for each in range(torch.cuda.device_count())]
        return [f"CUDA {torch.version.cuda}: {', '.join(names)}"]
    built = torch.version.cuda
    return [f"no GPU: built for {f'CUDA {built}' if built else 'processors alone'}"]


def _tensorrt() -> list[str]:
    from auxnas.backends.tensorrt.exporter import library

    return [f"version {library().__version__}"]


def _rtx() -> list[str]:
    from auxnas.backends.tensorrt.engines import logger_of
    from auxnas.backends.tensorrt.rtx import rtx_library

    library = rtx_library()
    library.Builder(logger_of(library))
    return [f"version {library.__version__}, its builder starts"]


def _ncnn() -> list[str]:
    return [f"version {import_module('ncnn').__version__}"]


def _litert() -> list[str]:
    import_module("ai_edge_litert.interpreter")
    return ["its interpreter loads"]


def _executorch() -> list[str]:
    names = import_module("executorch.runtime").Runtime.get().backend_registry
    return [f"delegates {', '.join(names.registered_backend_names)}"]


RUNTIMES: Mapping[str, RuntimeProbe] = {
    "onnxruntime": RuntimeProbe(
        ("onnxruntime", "onnxruntime-gpu"),
        "ort",
        ("onnx", "ort", "web", "trt-bundle"),
        _onnxruntime,
    ),
    "openvino": RuntimeProbe(("openvino",), "openvino", ("openvino",), _openvino),
    "torch": RuntimeProbe(("torch",), "torch", ("torch",), _torch),
    "tensorrt": RuntimeProbe(("tensorrt",), "tensorrt", ("trt",), _tensorrt),
    "tensorrt-rtx": RuntimeProbe(
        ("tensorrt-rtx-cu12-bindings", "tensorrt-rtx"), "rtx", ("rtx",), _rtx
    ),
    "ncnn": RuntimeProbe(("ncnn",), "ncnn", ("ncnn",), _ncnn),
    "litert": RuntimeProbe(("ai-edge-litert",), "litert", ("litert",), _litert),
    "executorch": RuntimeProbe(("executorch",), "executorch", ("executorch",), _executorch),
}
"""Runtimes in the order in which they are listed."""


def runtime(name: str) -> dict[str, Any]:
    """Facts on a runtime, and on each of its targets."""
    probe = RUNTIMES[name]
    return {"facts": probe.facts(), "targets": [target_facts(each) for each in probe.targets]}


def target_facts(name: str) -> dict[str, Any]:
    """Precisions that a target is made in on this machine; reasons where it is not, or not run."""
    from auxnas.backends.targets import target_of

    row = target_of(name)
    reason = row.missing()
    done = [] if reason else [p for p in row.precisions if row.missing_precision(p) is None]
    return {
        "target": name,
        "precisions": done,
        "not_made": reason,
        "not_run": reason or row.unrunnable(),
    }


def main(name: str) -> None:
    """Prints what the probe ``name`` finds."""
    table: dict[str, Callable[[], dict[str, Any]]] = {"core": core, "machine": machine}
    found = table[name]() if name in table else runtime(name)
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
