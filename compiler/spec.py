"""What to build around a genotype."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from auxnas.compiler.errors import CompilerError

AUXILIARY = ("none", "classifier", "cell")


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
        for name, least in (("classes", 1), ("agg_size", 1), ("sep_repeats", 1)):
            value = getattr(self, name)
            if type(value) is not int or value < least:
                raise CompilerError(name, repr(value), f"an integer of at least {least}")
        if self.auxiliary not in AUXILIARY:
            raise CompilerError("auxiliary", repr(self.auxiliary), f"one of {AUXILIARY}")
        if not isinstance(self.width, int | float) or not 0.05 <= self.width <= 4:
            raise CompilerError("width", repr(self.width), "a number from 0.05 to 4")

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
