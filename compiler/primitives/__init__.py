"""Primitives by name: ours, one record each, and those that a user adds.

Shapes, costs, parameters, algebraic properties, the numpy meaning and the ONNX form are read
off the record. A primitive that is neither here nor added (``add_primitive``) does not exist:
asking for it raises.

Shapes are (channels, height, width); the batch is left out. Padding is always "same":
``dilation * (kernel - 1) / 2`` on every side, so a convolution of stride s maps H to
ceil(H / s).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import fields, replace
from types import FunctionType, MappingProxyType

from auxnas.compiler.errors import CompilerError
from auxnas.compiler.primitives.record import (
    Attribute,
    Attrs,
    OnnxOp,
    Primitive,
    Shape,
    Weight,
)
from auxnas.compiler.primitives.table import RECORDS
from auxnas.genotype.errors import short_repr
from auxnas.genotype.vocabulary import add_step

__all__ = [
    "PRIMITIVES",
    "Attribute",
    "Attrs",
    "OnnxOp",
    "Primitive",
    "Shape",
    "Weight",
    "add_primitive",
    "primitive",
]

_known = {record.name: record for record in RECORDS}

PRIMITIVES: Mapping[str, Primitive] = MappingProxyType(_known)
"""All primitives by name: ours, and those that were added."""


def add_primitive(record: Primitive) -> None:
    """Adds a primitive of a user's own, for the operations of a vocabulary, or an encoder.

    Call it in the module that has the vocabulary: it is imported wherever a genotype of that
    vocabulary is unpickled. Once more with a record that means the same does nothing.

    Raises:
        CompilerError: for a record that is none, or of a name that means something else.
    """
    if not isinstance(record, Primitive) or record.compute is None:
        raise CompilerError("primitive", short_repr(record), "a Primitive with compute, in numpy")
    if re.fullmatch(r"[A-Za-z]\w*", record.name) is None:
        raise CompilerError(
            "primitive.name", short_repr(record.name), "letters, digits, underscores"
        )
    full = replace(record, home=sys._getframe(1).f_globals["__name__"])
    known = _known.setdefault(full.name, full)
    for each in fields(Primitive):
        if each.name != "home" and not _means_the_same(
            *(getattr(record, each.name) for record in (known, full))
        ):
            found = f"one with another {each.name} is there already"
            raise CompilerError(f"primitive {full.name!r}", found, "another name")
    follows = full.arity == (2, 2) and full.size_from == 1
    if full.result == "float32" and (follows or full.arity == (1, 1)):
        add_step(full.name, {name: a.least for name, a in full.attrs.items()}, full.home)


def _means_the_same(one: object, other: object) -> bool:
    """Whether two values of a field mean the same: functions, by what is written in them."""
    if not (isinstance(one, FunctionType) and isinstance(other, FunctionType)):
        return one == other
    cells = [[c.cell_contents for c in f.__closure__ or ()] for f in (one, other)]
    parts = [(f.__code__, f.__defaults__, f.__kwdefaults__) for f in (one, other)]
    return parts[0] == parts[1] and cells[0] == cells[1]


def primitive(name: str, place: str) -> Primitive:
    """The record of ``name``.

    Raises:
        CompilerError: when there is no such primitive.
    """
    record = PRIMITIVES.get(name) if isinstance(name, str) else None
    if record is None:
        known = ", ".join(PRIMITIVES)
        expected = f"one of {known}, or the vocabulary that adds it (--vocabulary)"
        raise CompilerError(place, f"unknown primitive {name!r}", expected)
    return record
