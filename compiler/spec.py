"""Specification of the network around a genotype."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from auxnas.compiler.encoders import DEFAULT, Encoder, find_encoder
from auxnas.compiler.errors import CompilerError, check_choice, check_integer, check_number
from auxnas.compiler.tasks import DEFAULT as SEGMENTATION
from auxnas.compiler.tasks import Task, find_task
from auxnas.genotype.errors import short_repr, truncate
from auxnas.genotype.plugins import may_run

AUXILIARY = ("none", "classifier", "cell")
MOST_CHANNELS = 1 << 16
"""Channels of a feature map at most; a number above is a mistake, or memory without end."""
MOST_REPEATS = 100
"""Repetitions of a separable operation at most; likewise."""

_PLUGINS = {"encoder": DEFAULT, "task": SEGMENTATION}
"""Fields that name code, which is the user's own where they are a place."""


@dataclass(frozen=True)
class ModelSpec:
    """Everything of a network that its genotype does not say.

    Attributes:
        classes: number of output channels: a task's, for segmentation its classes.
        agg_size: channels in the decoder (paper, section 4: 48 in search, 64 in training).
        sep_repeats: how often a separable operation repeats (1 in search, 2 in training).
        auxiliary: heads on the block outputs: ``none``, ``classifier`` or ``cell``.
        width: width multiplier of the encoder.
        encoder: its name, or ``package.module:Class`` for one of the user's own.
        task: meaning of the output: a name, or a place likewise.

    Raises:
        CompilerError: naming the field that is out of range.
    """

    classes: int = 21
    agg_size: int = 64
    sep_repeats: int = 2
    auxiliary: str = "none"
    width: float = 1.0
    encoder: str = DEFAULT
    task: str = SEGMENTATION

    def __post_init__(self) -> None:
        check_integer("classes", self.classes, 1, MOST_CHANNELS)
        check_integer("agg_size", self.agg_size, 1, MOST_CHANNELS)
        check_integer("sep_repeats", self.sep_repeats, 1, MOST_REPEATS)
        check_choice("auxiliary", self.auxiliary, AUXILIARY)
        check_number("width", self.width, 0.05, 4)
        for name in _PLUGINS:
            if not isinstance(getattr(self, name), str):
                raise CompilerError(name, short_repr(getattr(self, name)), "a name")

    def find_encoder(self) -> Encoder:
        """The encoder itself.

        Raises:
            PluginError: when there is none of this name.
        """
        return find_encoder(self.encoder, self.width)

    def find_task(self, classes: tuple[str, ...] = (), ignore: tuple[str, ...] = ()) -> Task:
        """The task itself, on data of these classes.

        Raises:
            PluginError: when there is none of this name.
            CompilerError: for a class to ignore that there is not.
        """
        return find_task(self.task, classes, ignore)

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain data; the paper's encoder and task are not named."""
        return {n: v for n, v in asdict(self).items() if v != _PLUGINS.get(n)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], place: str = "model") -> ModelSpec:
        """The spec of plain data, as files have it.

        Raises:
            CompilerError: for an unknown key, a value out of range, or an encoder or a task
                at a place that the user did not name.
        """
        known = [field.name for field in fields(cls)]
        unknown = sorted(values.keys() - set(known))
        if unknown:
            raise CompilerError(f"{place}.{unknown[0]}", "unknown", f"one of {', '.join(known)}")
        for name, default in _PLUGINS.items():
            asked = values.get(name, default)
            if isinstance(asked, str) and not may_run(asked):
                expected = f"--{name} {asked}, if that code of yours is to run"
                raise CompilerError(
                    f"{place}.{name}", f"{truncate(asked)}, which is no name", expected
                )
        return cls(**values)
