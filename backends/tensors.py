"""Inputs and outputs of a network on disk, as its file declares them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output.

    Attributes:
        name: its name.
        dtype: numpy's name of its type.
        shape: a number an axis, or a name (perhaps empty) where any goes.
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...]

    def __str__(self) -> str:
        return f"{self.name} {'x'.join(str(s) or '?' for s in self.shape)} {self.dtype}"

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain data."""
        return {"name": self.name, "dtype": self.dtype, "shape": list(self.shape)}


def bfloat16_of(value: Any) -> NDArray[np.float32]:
    """Numbers rounded to the nearest of bfloat16, to even ones between two, as float32."""
    bits = np.ascontiguousarray(value, np.float32).view(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) & np.uint32(
        0xFFFF0000
    )
    return rounded.view(np.float32)
