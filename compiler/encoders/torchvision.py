"""torchvision's ``mobilenet_v2`` weights under our names.

Its first inverted residual has no 1x1 expansion; where ours has one it becomes an exact identity.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from auxnas.compiler.encoders.base import Array
from auxnas.compiler.errors import CompilerError
from auxnas.compiler.semantics import BATCH_NORM_EPSILON

ResidualGroups = Sequence[tuple[int, int, int, int]]
"""(expansion factor, channels, blocks, stride) of every group of inverted residuals."""

_STATISTICS = ("weight", "bias", "running_mean", "running_var")
_BEYOND = ("features.18.", "classifier.")
"""torchvision's parameters behind the last encoder output."""


def is_torchvision(names: Mapping[str, Array]) -> bool:
    """Whether parameter names are torchvision's."""
    return any(name.startswith("features.") for name in names)


def from_torchvision(
    values: Mapping[str, Array], groups: ResidualGroups, place: str
) -> dict[str, Array]:
    """The project's names for torchvision's, without a first expansion.

    Raises:
        CompilerError: naming the first parameter that is missing or unexpected.
    """
    result: dict[str, Array] = {}
    taken: set[str] = set()
    for ours, conv, norm in _pairs(groups):
        names = {f"{ours}.conv.weight": f"{conv}.weight"}
        names |= {f"{ours}.bn.{suffix}": f"{norm}.{suffix}" for suffix in _STATISTICS}
        for name, theirs in names.items():
            if theirs not in values:
                raise CompilerError(f"{place}: {theirs}", "missing", f"the values of {name}")
            result[name] = values[theirs]
        taken.update(names.values())
    for name in values:
        if name not in taken and not _is_beyond(name):
            raise CompilerError(f"{place}: {name}", "unexpected", "torchvision's mobilenet_v2")
    return result


def _is_beyond(name: str) -> bool:
    return name.startswith(_BEYOND) or name.endswith(".num_batches_tracked")


def _pairs(groups: ResidualGroups) -> Iterator[tuple[str, str, str]]:
    """(our prefix, torchvision's convolution, torchvision's batch norm) in order."""
    yield "encoder.layer1", "features.0.0", "features.0.1"
    number = 0
    for layer, (factor, _, count, _) in enumerate(groups, 2):
        for index in range(count):
            number += 1
            here, there = f"encoder.layer{layer}.{index}", f"features.{number}.conv"
            steps = ["expand", "depthwise"] if factor > 1 else ["depthwise"]
            for position, step in enumerate(steps):
                yield f"{here}.{step}", f"{there}.{position}.0", f"{there}.{position}.1"
            yield f"{here}.project", f"{there}.{len(steps)}", f"{there}.{len(steps) + 1}"


def identity_expansion(values: Mapping[str, Array]) -> dict[str, Array]:
    """Parameters of ``encoder.layer2.0.expand`` with which it changes nothing.

    In inference batch norm is then x * s / sqrt(v + eps) + (m - m) with s a power of two
    and v + eps = s * s, which float32 computes without error; relu6 changes nothing in
    what a relu6 made. In training batch norm uses the batch's own mean and deviation, so
    m is the mean of the stem's output, and s its deviation or a bit less: then the
    map is x -> a x + b with b >= 0, which the next batch norm undoes.
    """
    place = "encoder.layer2.0.expand"
    mean, deviation = _clipped_moments(
        values["encoder.layer1.bn.bias"], values["encoder.layer1.bn.weight"]
    )
    scale = np.exp2(np.floor(np.log2(np.clip(deviation, 2.0**-6, 4.0))))
    channels = len(mean)
    result = {
        "conv.weight": np.eye(channels)[:, :, None, None],
        "bn.weight": scale,
        "bn.bias": mean,
        "bn.running_mean": mean,
        "bn.running_var": scale**2 - BATCH_NORM_EPSILON,
    }
    return {f"{place}.{name}": value.astype(np.float32) for name, value in result.items()}


def _clipped_moments(mean: Array, deviation: Array) -> tuple[Array, Array]:
    """Mean and deviation of relu6 of normal variables: what a stem's batch norm gives out."""
    z = np.linspace(-6, 6, 1201)[:, None]
    density = np.exp(-(z**2) / 2)
    density /= density.sum()
    x = np.clip(mean + np.abs(deviation) * z, 0, 6)
    first = (x * density).sum(0)
    return first, np.sqrt(((x - first) ** 2 * density).sum(0))
