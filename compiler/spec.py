"""Specification of the network around a genotype."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from auxnas.compiler.errors import CompilerError, check_choice, check_integer, check_number

AUXILIARY = ("none", "classifier", "cell")
MOST_CHANNELS = 1 << 16
"""Channels of a feature map at most; a number above is a mistake, or memory without end."""


@dataclass(frozen=True)
class ModelSpec:
    """Everything of a network that its genotype does not say.

    Attributes:
        classes: number of output channels of every classifier.
        agg_size: channels in the decoder (paper, section 4: 48 in search, 64 in training).
        sep_repeats: how often a separable operation repeats (1 in search, 2 in training).
        auxiliary: heads on the block outputs: ``none``, ``classifier`` or ``cell``.
        width: width multiplier of the MobileNet-v2 encoder.

    Raises:
        CompilerError: naming the field that is out of range.
    """

    classes: int = 21
    agg_size: int = 64
    sep_repeats: int = 2
    auxiliary: str = "none"
    width: float = 1.0

    def __post_init__(self) -> None:
        check_integer("classes", self.classes, 1, MOST_CHANNELS)
        check_integer("agg_size", self.agg_size, 1, MOST_CHANNELS)
        check_integer("sep_repeats", self.sep_repeats, 1, 100)
        check_choice("auxiliary", self.auxiliary, AUXILIARY)
        check_number("width", self.width, 0.05, 4)

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], place: str = "model") -> ModelSpec:
        """The spec of plain data.

        Raises:
            CompilerError: for an unknown key or a value out of range.
        """
        known = [field.name for field in fields(cls)]
        unknown = sorted(values.keys() - set(known))
        if unknown:
            raise CompilerError(f"{place}.{unknown[0]}", "unknown", f"one of {', '.join(known)}")
        return cls(**values)
