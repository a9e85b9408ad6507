"""Networks as files of ncnn, written straight from the graph: no converter, no tracing.

``NAME.ncnn.param`` is the text of the layers, ``NAME.ncnn.bin`` their weights and
``NAME.ncnn.json`` our metadata.

Source: the developer guide of ncnn, ``param-and-model-file-structure.md`` and
``layer-feat-mask.md``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from auxnas.backends.base import ExportOptions
from auxnas.backends.phones.clipping import absorbed_clips
from auxnas.backends.phones.facts import facts_of, write_facts
from auxnas.backends.phones.ncnn_layers import CLIPS, NcnnLayer, NcnnValue, activation, layers_of
from auxnas.compiler import Node, Program, infer_shapes
from auxnas.compiler.shapes import node_weights

WEIGHTS, FACTS = ".bin", ".json"
MAGIC = 7767517
FLOAT32, FLOAT16 = 0, 0x01306B47
"""Flags before weights of these types."""
MASK, FULL = 31, 1 | 2 | 4
"""Parameter of any layer, and its value that keeps it from computing in less than float32, as
ncnn does by default on processors that can."""


class NcnnExporter:
    """Writes a program as ncnn's text and weights."""

    def export(
        self, program: Program, path: Path, options: ExportOptions, metadata: Mapping[str, str]
    ) -> None:
        """Writes ``path``, which ends in ``.param``, and the files beside it.

        Raises:
            CompilerError: for a primitive that ncnn has no layer for.
            OSError: when a file cannot be written.
        """
        layers = ncnn_layers(program)
        path.write_text(_text(layers, options.precision), encoding="ascii")
        weights, facts = path.with_suffix(WEIGHTS), path.with_suffix(FACTS)
        weights.write_bytes(b"".join(_packed(layers, options.precision)))
        write_facts(facts, facts_of(program, options, metadata), (path, weights))


def check_ncnn(program: Program, options: ExportOptions, metadata: Mapping[str, str]) -> None:
    """Checks that ncnn can take a program.

    Raises:
        CompilerError: for a primitive that ncnn has no layer for.
    """
    ncnn_layers(program)


def ncnn_layers(program: Program) -> list[NcnnLayer]:
    """The layers of a program, in order; each blob is read once.

    An output is written under its own name. A convolution takes in what clips its result.

    Raises:
        CompilerError: for a primitive that ncnn has no layer for.
    """
    graph, shapes = program.graph, infer_shapes(program.graph, (64, 64))
    clipped = absorbed_clips(graph, CLIPS)
    layers: list[NcnnLayer] = []
    for node in graph.nodes:
        if node.op == "input":
            layers.append(NcnnLayer("Input", (), (node.name,), {}))
        elif node not in clipped.values():
            names = node_weights(node, shapes)
            values = {name.removeprefix(f"{node.param}."): program.params[name] for name in names}
            *before, last = layers_of(node, values)
            layers += [*before, _with_clipping(last, clipped.get(node.name))]
    taken = {name: f"{name}.inner" for name, _ in graph.outputs}
    layers = [_renamed(layer, taken) for layer in layers]
    ends = [
        NcnnLayer("Noop", (taken.get(node, node),), (name,), {}) for name, node in graph.outputs
    ]
    return list(_split([*layers, *ends]))


def _with_clipping(layer: NcnnLayer, clip: Node | None) -> NcnnLayer:
    """A convolution with what follows it, if anything."""
    if clip is None:
        return layer
    return replace(layer, outputs=(clip.name,), params={**layer.params, **activation(clip)})


def _renamed(layer: NcnnLayer, names: Mapping[str, str]) -> NcnnLayer:
    inputs, outputs = (
        tuple(names.get(each, each) for each in side) for side in (layer.inputs, layer.outputs)
    )
    return replace(layer, inputs=inputs, outputs=outputs)


def _split(layers: Sequence[NcnnLayer]) -> Iterator[NcnnLayer]:
    """The layers, and a ``Split`` after each whose blob is read more than once."""
    reads, used = Counter(name for layer in layers for name in layer.inputs), Counter[str]()
    for layer in layers:
        inputs = []
        for name in layer.inputs:
            inputs.append(name if reads[name] == 1 else f"{name}.{used[name]}")
            used[name] += 1
        yield replace(layer, inputs=tuple(inputs))
        for name in layer.outputs:
            if reads[name] > 1:
                copies = tuple(f"{name}.{number}" for number in range(reads[name]))
                yield NcnnLayer("Split", (name,), copies, {})


def _text(layers: Sequence[NcnnLayer], precision: str) -> str:
    """The file of the layers."""
    blobs = sum(len(layer.outputs) for layer in layers)
    mask: dict[int, NcnnValue] = {} if precision == "fp16" else {MASK: FULL}
    lines = [str(MAGIC), f"{len(layers)} {blobs}"]
    for layer in layers:
        params = {**layer.params, **mask}.items()
        words = [layer.kind, layer.outputs[0], str(len(layer.inputs)), str(len(layer.outputs))]
        words += [*layer.inputs, *layer.outputs, *(f"{_pair(*each)}" for each in params)]
        lines.append(" ".join(words))
    return "\n".join(lines) + "\n"


def _pair(number: int, value: NcnnValue) -> str:
    """A parameter as text: that a number has a decimal point, or an exponent, makes it real."""
    if isinstance(value, int):
        return f"{number}={value}"
    if isinstance(value, float):
        return f"{number}={value:e}"
    return f"{-23300 - number}={len(value)},{','.join(f'{each:e}' for each in value)}"


def _packed(layers: Sequence[NcnnLayer], precision: str) -> Iterator[bytes]:
    """The weights, in the order of the layers."""
    half = precision == "fp16"
    for layer in layers:
        for value, flagged in layer.weights:
            if flagged:
                yield np.uint32(FLOAT16 if half else FLOAT32).astype("<u4").tobytes()
            data = value.astype("<f2" if half and flagged else "<f4").tobytes()
            yield data + bytes(-len(data) % 4)
