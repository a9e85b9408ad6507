"""The candidate operations of a cell, one row each (paper, section 3.1.1 and Table 4).

A row is the only place to edit to add an operation: its name (the identity), the
paper's abbreviation and description, and the primitives that it stands for. Everything
else (parsing, counting, lowering, costs, backends) is read off the row. Ids are
positions in the vocabulary.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

from auxnas.genotype.errors import GenotypeError, short_repr, truncate
from auxnas.genotype.plugins import find_plugin, rebuild_with_home

_WINDOW = {"kernel": 1, "stride": 1}

_steps: dict[str, Mapping[str, int]] = {
    "conv2d": {**_WINDOW, "dilation": 1, "depthwise": 0, "bias": 0},
    "max_pool": _WINDOW,
    "avg_pool": _WINDOW,
    **{op: {} for op in ("batch_norm", "relu", "relu6", "softmax", "identity", "zero")},
    **{op: {} for op in ("sigmoid", "hard_sigmoid", "silu", "hard_swish", "gelu")},
    "clamp": {"low": 0, "high": 1},
    **{op: {} for op in ("global_mean", "spread", "resize", "resize_corners")},
}
_homes: dict[str, str] = {}
"""By name of a user's own primitive, the module that adds it."""

STEPS: Mapping[str, Mapping[str, int]] = MappingProxyType(_steps)
"""The primitives that a step can be, each with its attributes and their least values.

Those of the compiler that map one feature map to another; a test compares the two. Those of a
user's own come with ``compiler.primitives.add_primitive``."""


_NEEDED = frozenset({"kernel", "low", "high"})
"""Attributes of ours that have no usual value."""


def add_step(op: str, attrs: Mapping[str, int], home: str) -> None:
    """Lets steps be ``op``, a primitive that is added in the module ``home``."""
    _steps.setdefault(op, attrs)
    _homes.setdefault(op, home)


@dataclass(frozen=True, slots=True)
class Step:
    """One primitive of an operation, applied to the previous step's result.

    Attributes:
        op: a primitive's name, a key of ``STEPS`` (``conv2d``, ``relu`` ...).
        attrs: its attributes as sorted (name, value) pairs. Channel counts are left
            out: an operation maps ``agg_size`` channels to ``agg_size`` channels.

    Raises:
        GenotypeError: when there is no such primitive, or an attribute is unknown,
            missing or out of range.
    """

    op: str
    attrs: tuple[tuple[str, int], ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.op, str) or self.op not in STEPS:
            raise GenotypeError("step.op", short_repr(self.op), f"one of {', '.join(STEPS)}")
        if not _are_attributes(self.attrs):
            expected = "sorted pairs of a name and an integer"
            raise GenotypeError("step.attrs", short_repr(self.attrs), expected)
        known = STEPS[self.op]
        for name in _NEEDED & known.keys() - dict(self.attrs).keys():
            raise GenotypeError("step.attrs", short_repr(self.attrs), f"a {name}")
        for name, value in self.attrs:
            if name not in known:
                expected = f"one of {', '.join(known)}" if known else f"none for {self.op}"
                raise GenotypeError("step.attrs", short_repr(name), expected)
            if value < known[name]:
                expected = f"an integer of at least {known[name]}"
                raise GenotypeError(f"step.{name}", short_repr(value), expected)
            if name == "kernel" and value % 2 == 0:
                raise GenotypeError("step.kernel", short_repr(value), "an odd number")

    def __reduce__(self) -> tuple[Any, ...]:
        """Itself, made anew where it is unpickled, once its primitive is known there."""
        return rebuild_with_home, (_homes.get(self.op, ""), step_of_file, self.op, self.attrs)


def step_of_file(op: str, attrs: tuple[tuple[str, int], ...]) -> Step:
    """The step that a file tells of, which may be of a primitive that is not known here.

    It can be counted, compared, drawn and written; a network is made of it only once the
    primitive has been added.

    Raises:
        GenotypeError: when its attributes are none, or not those of a known primitive.
    """
    if op in STEPS or re.fullmatch(r"[A-Za-z]\w*", op) is None or not _are_attributes(attrs):
        return Step(op, attrs)
    step = object.__new__(Step)
    object.__setattr__(step, "op", op)
    object.__setattr__(step, "attrs", attrs)
    return step


def _are_attributes(value: object) -> bool:
    """Whether ``value`` is a tuple of (name, integer) pairs, by distinct names ascending."""
    if not isinstance(value, tuple) or not all(type(p) is tuple and len(p) == 2 for p in value):
        return False
    if not all(type(name) is str and type(number) is int for name, number in value):
        return False
    names = [name for name, _ in value]
    return names == sorted(set(names))


def _check_text(place: str, value: object) -> None:
    """Checks that ``value`` is text that a file can hold.

    Raises:
        GenotypeError: naming ``place``.
    """
    if not isinstance(value, str):
        raise GenotypeError(place, short_repr(value), "text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise GenotypeError(place, short_repr(value), "text that UTF-8 can hold") from None


def conv(kernel: int, rate: int = 1) -> Step:
    """A dense ``kernel`` x ``kernel`` convolution with "same" padding, no bias."""
    return Step("conv2d", (("dilation", rate), ("kernel", kernel)))


def depthwise(kernel: int, rate: int = 1) -> Step:
    """A convolution of each channel by itself, "same" padding, no bias."""
    return Step("conv2d", (("depthwise", 1), ("dilation", rate), ("kernel", kernel)))


BN = Step("batch_norm")
RELU = Step("relu")
GLOBAL_MEAN = Step("global_mean")
SPREAD = Step("spread")
ZERO = Step("zero")


@dataclass(frozen=True, slots=True)
class Operation:
    """One row of the vocabulary.

    Attributes:
        name: identity of the operation.
        abbreviation: as printed in the paper's Table 4.
        description: one line for people.
        steps: the primitives in order; empty for the identity.
        repeated: whether the steps are repeated ``sep_repeats`` times.

    Raises:
        GenotypeError: naming the field that is not of its type, or empty.
    """

    name: str
    abbreviation: str
    description: str
    steps: tuple[Step, ...]
    repeated: bool = False

    def __post_init__(self) -> None:
        for field in ("name", "abbreviation", "description"):
            value = getattr(self, field)
            _check_text(f"operation.{field}", value)
            if not value and field != "description":
                raise GenotypeError(f"operation.{field}", "''", "a word")
        if not isinstance(self.steps, tuple):
            raise GenotypeError("operation.steps", short_repr(self.steps), "a tuple of Steps")
        for number, step in enumerate(self.steps):
            if not isinstance(step, Step):
                raise GenotypeError(f"operation.steps[{number}]", short_repr(step), "a Step")
        if type(self.repeated) is not bool:
            raise GenotypeError("operation.repeated", short_repr(self.repeated), "True or False")

    @property
    def is_identity(self) -> bool:
        """Whether the output equals the input (skip)."""
        return not self.steps

    @property
    def is_zero(self) -> bool:
        """Whether the output is 0 whatever the input."""
        return self.steps == (ZERO,)


@dataclass(frozen=True, repr=False)
class Vocabulary:
    """An ordered set of operations; an operation's id is its position.

    Raises:
        GenotypeError: when it is empty, something in it is not an ``Operation``, or two
            rows share a name.
    """

    operations: tuple[Operation, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.operations, tuple):
            raise GenotypeError("operations", short_repr(self.operations), "a tuple of Operations")
        if not self.operations:
            raise GenotypeError("operations", "empty", "at least one operation")
        seen: set[str] = set()
        for position, operation in enumerate(self.operations):
            place = f"operations[{position}]"
            if not isinstance(operation, Operation):
                raise GenotypeError(place, short_repr(operation), "an Operation")
            if operation.name in seen:
                found = f"{short_repr(operation.name)} again"
                raise GenotypeError(f"{place}.name", found, "distinct names")
            seen.add(operation.name)

    def __repr__(self) -> str:
        """The names alone, as many as fit: defaults in ``help`` show this."""
        return f"<Vocabulary of {len(self)}: {truncate(', '.join(self.names))}>"

    def __len__(self) -> int:
        return len(self.operations)

    def __iter__(self) -> Iterator[Operation]:
        return iter(self.operations)

    def __getitem__(self, index: int) -> Operation:
        return self.operations[index]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The operations' names in order."""
        return tuple(operation.name for operation in self.operations)

    def extended(self, *rows: Operation) -> Vocabulary:
        """This vocabulary with more rows behind; ids of the present ones stay."""
        return Vocabulary(self.operations + rows)

    def chosen(self, names: Iterable[str]) -> Vocabulary:
        """The operations of these names, in this order.

        Raises:
            GenotypeError: for a name that is none, or is there twice.
        """
        rows = {row.name: row for row in self.operations}
        found = list(names)
        for name in found:
            if name not in rows:
                expected = f"some of {', '.join(rows)}"
                raise GenotypeError("operations", f"no {short_repr(name)}", expected)
        return Vocabulary(tuple(rows[name] for name in found))


_TABLE_4 = (
    Operation("conv1x1", "conv1x1", "conv 1x1", (conv(1), BN, RELU)),
    Operation("conv3x3", "conv3x3", "conv 3x3", (conv(3), BN, RELU)),
    Operation("sep3x3", "sep3x3", "separable conv 3x3", (depthwise(3), conv(1), BN, RELU), True),
    Operation("sep5x5", "sep5x5", "separable conv 5x5", (depthwise(5), conv(1), BN, RELU), True),
    Operation(
        "gap",
        "gap",
        "global average pooling, conv 1x1, spread back",
        (GLOBAL_MEAN, conv(1), BN, RELU, SPREAD),
    ),
    Operation("conv3x3_rate3", "conv3x3 rate 3", "conv 3x3, dilation 3", (conv(3, 3), BN, RELU)),
    Operation(
        "conv3x3_rate12", "conv3x3 rate 12", "conv 3x3, dilation 12", (conv(3, 12), BN, RELU)
    ),
    Operation(
        "sep3x3_rate3",
        "sep3x3 rate 3",
        "separable conv 3x3, dilation 3",
        (depthwise(3, 3), conv(1), BN, RELU),
        True,
    ),
    Operation(
        "sep5x5_rate6",
        "sep5x5 rate 6",
        "separable conv 5x5, dilation 6",
        (depthwise(5, 6), conv(1), BN, RELU),
        True,
    ),
    Operation("skip", "skip", "skip-connection", ()),
    Operation("zero", "zero", "nullifies the path", (ZERO,)),
)

CVPR2019 = Vocabulary(_TABLE_4)
"""The eleven operations of the paper's Table 4, in its order."""


def find_vocabulary(name: str) -> Vocabulary:
    """The vocabulary called ``name``, or at the place ``package.module:attribute``.

    Raises:
        PluginError: when there is none of this name.
        GenotypeError: when what is there is none.
    """
    found = find_plugin("vocabularies", name, {"cvpr2019": "auxnas.genotype:CVPR2019"})
    if not isinstance(found, Vocabulary):
        raise GenotypeError(
            "vocabulary", f"{truncate(name)} is {short_repr(found)}", "a Vocabulary"
        )
    return found
