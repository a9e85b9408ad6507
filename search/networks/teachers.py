"""Distillation teachers: a network trained here, or a published, larger one."""

from __future__ import annotations

from pathlib import Path

from auxnas.backends.registry import backend
from auxnas.backends.weights import is_state_dict
from auxnas.compiler import CompilerError, Graph, Program, infer_shapes
from auxnas.compiler.decoders.resnet_refinenet import from_published, is_published
from auxnas.search.errors import RequestError
from auxnas.search.networks.networks import read_network


def read_teacher(place: Path, classes: int) -> Program:
    """The network in a file, or in the folder of a training or of a run.

    A state dict is taken for Light-Weight RefineNet on ResNet-50, -101 or -152 (paper,
    section 4) with its authors' names; it is read without executing what it may carry.

    Args:
        place: file or folder.
        classes: of the data; the teacher's have to be the same, in the same order.

    Raises:
        CompilerError: when there is none, or it is damaged or of another network.
        RequestError: when it has another number of classes.
        BackendUnavailable: for a state dict, when torch is not installed.
    """
    published = not place.is_dir() and is_state_dict(place)
    program = _published(place) if published else read_network(place).program
    found = _classes(program.graph)
    if found != classes:
        raise RequestError(str(place), f"{found} classes", f"{classes} as the data")
    return program


def _published(path: Path) -> Program:
    values = backend("checkpoint", "torch")(path)
    if not is_published(values):
        found = "a state dict of another network"
        expected = "one of Light-Weight RefineNet on ResNet, or weights that nassearch wrote"
        raise CompilerError(str(path), found, expected)
    return from_published(values, str(path))


def _classes(graph: Graph) -> int:
    return infer_shapes(graph, (64, 64))[graph.outputs[0][1]][0]
