"""Parameter values: initial ones, random ones for checks, and safetensors files."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod, sqrt
from pathlib import Path
from typing import Any

import numpy as np

from auxnas.compiler.errors import CompilerError
from auxnas.compiler.files import atomic_write, kind_of_text
from auxnas.compiler.ir import Graph
from auxnas.compiler.primitives import Weight
from auxnas.compiler.shapes import graph_weights, infer_shapes, node_weights

Array = np.ndarray[Any, Any]
Params = Mapping[str, Array]

MOST_PARAMETERS = 2**28
"""Largest number of random parameters, 1 GiB of float32; the paper's networks have 3 million."""
_KINDS = {"F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL"}
"""Types in a safetensors file that are read, by the format's names."""
_EXPECTED = "a safetensors file or a state dict of torch.save"
_OWNERS = ("model", "backbone", "net", "network")
"""Attributes under which training scripts hold the whole network."""
_WRAPPERS = {"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}


@dataclass(frozen=True)
class OutputStart:
    """What the convolutions that outputs come out of begin with.

    Attributes:
        biases: a number a channel; none for 0.
        scale: factor of their weights.
    """

    biases: tuple[float, ...] = ()
    scale: float = 1.0


USUAL_START = OutputStart()


def initial_params(graph: Graph, seed: int, start: OutputStart = USUAL_START) -> dict[str, Array]:
    """Values to start training from: Xavier-uniform convolutions (paper, section 4).

    Where no batch norm follows, as in Light-Weight RefineNet, sums and poolings would make
    maps grow from layer to layer, and the first loss with them (to 100 and more). There a
    convolution's weights are made smaller, so that the mean square of its output is about
    1 (``Primitive.moment``): a network of C classes begins with a loss of about ln C.

    Where batch norm follows every convolution but the last, as in the paper's networks, a
    parameter's values depend on the seed and its name alone, so two graphs that share a
    parameter start it equally. Auxiliary heads of the kind ``classifier``, which read sums, and
    operations of one's own may be scaled. Batch norm starts as the identity, biases at 0, the
    convolutions of the outputs as ``start`` says.
    """
    scales, outputs = _scales(graph), set(_output_convolutions(graph))
    values = {}
    for name, weight in _affordable(graph).items():
        if len(weight.shape) == 4:
            bound = scales.get(name, 1.0) * _xavier(weight.shape)
            if name.removesuffix(".weight") in outputs:
                bound *= start.scale
            values[name] = _generator(seed, name).uniform(-bound, bound, weight.shape)
        else:
            values[name] = np.full(weight.shape, weight.start)
    for name in outputs if start.biases else ():
        values[f"{name}.bias"] = np.array(start.biases)
    return {name: value.astype(np.float32) for name, value in values.items()}


def _output_convolutions(graph: Graph) -> Iterator[str]:
    """Parameters' names of the convolutions that outputs come out of."""
    for _, last in graph.outputs:
        node = graph[last]
        if node.op == "conv2d" and node["bias"]:
            yield str(node.param)


def _xavier(shape: tuple[int, ...]) -> float:
    """Bound of Xavier's uniform distribution (Glorot and Bengio, 2010, formula 16)."""
    return sqrt(6 / sum(_fans(shape)))


def _scales(graph: Graph) -> dict[str, float]:
    """Factors below 1 of the weights whose outputs would be larger than 1 in mean square."""
    shapes = infer_shapes(graph, (64, 64))
    normalised = {node.inputs[0] for node in graph.nodes if node.op == "batch_norm"}
    moments: dict[str, float] = {}
    scales: dict[str, float] = {}
    for node in graph.nodes:
        operands = [moments[name] for name in node.inputs] or [1.0]
        moment = node.record.moment(dict(node.attrs), operands)
        weight = node_weights(node, shapes).get(f"{node.param}.weight")
        if weight is not None and len(weight.shape) == 4:
            moment *= _fans(weight.shape)[0] * _xavier(weight.shape) ** 2 / 3
            if moment > 1 and node.name not in normalised:
                scales.setdefault(f"{node.param}.weight", 1 / sqrt(moment))
                moment = 1.0
        moments[node.name] = moment
    return scales


def random_params(graph: Graph, seed: int) -> dict[str, Array]:
    """Random values everywhere, batch norm's statistics too: for checks.

    On fresh batch norm, leaving it out altogether would hardly be seen. The scale of the
    convolutions lets signals pass without making the network chaotic, so that what
    differs by rounding at the start differs by little more at the end.
    """
    ranges = {"weight": (0.6, 1.6), "running_var": (0.5, 1.5)}
    values = {}
    for name, weight in _affordable(graph).items():
        rng = _generator(seed, name)
        if len(weight.shape) == 4:
            values[name] = rng.normal(0, sqrt(1 / _fans(weight.shape)[0]), weight.shape)
        else:
            low, high = ranges.get(name.rpartition(".")[2], (-0.3, 0.5))
            values[name] = rng.uniform(low, high, weight.shape)
    return {name: value.astype(np.float32) for name, value in values.items()}


def _affordable(graph: Graph) -> dict[str, Weight]:
    """The parameter arrays of ``graph``, which are to be made.

    Raises:
        CompilerError: for more numbers than a network may have.
    """
    weights = graph_weights(graph)
    count = sum(prod(weight.shape) for weight in weights.values())
    if count > MOST_PARAMETERS:
        raise CompilerError("network", f"{count:,} parameters", f"at most {MOST_PARAMETERS:,}")
    return weights


def _fans(shape: tuple[int, ...]) -> tuple[int, int]:
    taps = shape[2] * shape[3]
    return shape[1] * taps, shape[0] * taps


def _generator(seed: int, name: str) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def fit_params(graph: Graph, params: Params, place: str, prefix: str = "") -> dict[str, Array]:
    """The parameters that ``graph`` needs, as finite float32 in the right shapes.

    Args:
        graph: the network.
        params: arrays by name; more than are needed may be there.
        place: names them in messages.
        prefix: start of the names of those that are asked for.

    Raises:
        CompilerError: naming the first parameter that is missing or does not fit.
    """
    fitted = {}
    asked = {n: weight for n, weight in graph_weights(graph).items() if n.startswith(prefix)}
    for name, weight in asked.items():
        if name not in params:
            expected = f"an array of {weight.shape}"
            if params and not params.keys() & asked.keys():
                expected += f"; these begin with {next(iter(params))}: of another network?"
            raise CompilerError(f"{place}: {name}", "missing", expected)
        value = params[name]
        if value.shape != weight.shape:
            raise CompilerError(f"{place}: {name}", f"shape {value.shape}", f"{weight.shape}")
        fitted[name] = _finite(value, f"{place}: {name}")
    return fitted


def _finite(value: Array, place: str) -> Array:
    """``value`` as float32; a variance must not be negative."""
    with np.errstate(over="ignore"):
        found = np.ascontiguousarray(value, dtype=np.float32)
    if not np.isfinite(found).all():
        raise CompilerError(place, "NaN or infinity", "finite numbers")
    if place.endswith(".running_var") and found.min() < 0:
        raise CompilerError(place, f"a variance of {found.min():.3g}", "0 or more")
    return found


def load_weights(path: str | Path) -> tuple[dict[str, Array], dict[str, str]]:
    """Arrays and metadata of a safetensors file, the metadata as stored: JSON texts.

    bfloat16, which numpy lacks, comes as float32. Names pass ``unwrap_names``.

    Raises:
        CompilerError: when the file cannot be read or is damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with Path(path).open("rb") as file:  # its own errors say more
            other = kind_of_text(file.read(512))
        if other:
            raise CompilerError(str(path), *other)
        with safe_open(str(path), framework="numpy") as file:
            start, header = _header(path)
            kinds = {name: header[name]["dtype"] for name in file.keys()}  # noqa: SIM118
            _check_kinds(path, kinds)
            values = {
                name: _bfloat16(path, start, header[name])
                if kind == "BF16"
                else file.get_tensor(name)
                for name, kind in kinds.items()
            }
            return unwrap_names(values, str(path)), dict(file.metadata() or {})
    except FileNotFoundError:
        raise CompilerError(str(path), "no such file", _EXPECTED) from None
    except IsADirectoryError:
        raise CompilerError(str(path), "a directory", _EXPECTED) from None
    except CompilerError:
        raise
    except (OSError, SafetensorError, ValueError, TypeError) as error:
        raise CompilerError(str(path), f"unreadable ({error})", _EXPECTED) from None


def _header(path: str | Path) -> tuple[int, dict[str, Any]]:
    """Offset of the arrays in a safetensors file, and its header, already known to be sound."""
    with Path(path).open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        return 8 + length, json.loads(file.read(length))


def _check_kinds(path: str | Path, kinds: Mapping[str, str]) -> None:
    for name, kind in kinds.items():
        if kind not in _KINDS:
            expected = "float16, bfloat16, float32 or float64"
            raise CompilerError(f"{path}: {name}", f"numbers of type {kind}", expected)


def _bfloat16(path: str | Path, start: int, entry: Mapping[str, Any]) -> Array:
    """An array of bfloat16, which is the upper half of a float32."""
    first, end = entry["data_offsets"]
    halves = np.fromfile(path, "<u2", (end - first) // 2, offset=start + first)
    return (halves.astype("<u4") << 16).view("<f4").reshape(entry["shape"])


def unwrap_names(values: Mapping[str, Array], place: str) -> dict[str, Array]:
    """``values`` under their names without what wrappers of a network put into them.

    ``torch.compile`` adds ``_orig_mod.``, ``DataParallel`` and its like ``module.``, at the
    front or, where a part was wrapped, within; a module around the network that was saved with it
    ``model.`` or the like, in front of all names.

    Raises:
        CompilerError: at ``place``, where two arrays come to the same name.
    """
    rows = [[part for part in name.split(".") if part not in _WRAPPERS] for name in values]
    while rows and any(all(row[:-1][:1] == [owner] for row in rows) for owner in _OWNERS):
        rows = [row[1:] for row in rows]
    found: dict[str, Array] = {}
    for row, value in zip(rows, values.values(), strict=True):
        own = ".".join(row)
        if own in found:
            raise CompilerError(f"{place}: {own}", "twice, once wrapped", "one network's weights")
        found[own] = value
    return found


def save_weights(path: str | Path, params: Params, metadata: Mapping[str, Any]) -> None:
    """Writes arrays to a safetensors file; values of ``metadata`` are stored as JSON.

    The file appears whole or not at all. Equal arrays and metadata give equal bytes.
    """
    from safetensors.numpy import save

    texts = {key: json.dumps(value, sort_keys=True) for key, value in metadata.items()}
    values = {name: np.asarray(value, order="C") for name, value in params.items()}
    with atomic_write(path) as temporary:
        temporary.write_bytes(_in_order(save(values, texts)))


def _in_order(data: bytes) -> bytes:
    """A safetensors file with its metadata sorted, which the library puts in any order.

    The file begins with the length of its header, 8 bytes, then the header in JSON, padded with
    spaces to a multiple of 8 bytes.
    """
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    header["__metadata__"] = dict(sorted(header.get("__metadata__", {}).items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return b"".join((len(text).to_bytes(8, "little"), text, memoryview(data)[end:]))
