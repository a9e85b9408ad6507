"""A task's statistics of a batch, of outputs that are still on their device."""

from __future__ import annotations

import torch
from torch import Tensor

from auxnas.backends.base import OnOutput, ignore_output
from auxnas.backends.torch.devices import Array
from auxnas.backends.torch.failures import check_finite
from auxnas.backends.torch.functions import FUNCTIONS, grow
from auxnas.compiler import Graph
from auxnas.compiler.tasks import Sums, Task
from auxnas.compiler.tasks.heads import Mirroring


def sees_images(graph: Graph) -> bool:
    """Whether a graph starts from an image, which can be mirrored."""
    return len(graph.inputs) == 1 and graph.inputs[0]["stride"] == 1


def measure_batch(
    logits: Tensor,
    targets: Array,
    task: Task,
    mirrored: Tensor | None = None,
    on_output: OnOutput = ignore_output,
) -> Sums:
    """The task's statistics of a batch.

    Args:
        logits: (N, channels, h, w), grown bilinearly to the targets' size.
        targets: (N, H, W, ...).
        task: measures what its head makes of them.
        mirrored: logits of the mirrored images, where the task averages them.
        on_output: told of what the head gives.

    Raises:
        TrialFailure: ``nan`` for logits that are not finite.
    """
    check_finite(logits, "an output")
    size = targets.shape[1], targets.shape[2]
    output = grow(logits, size)
    if mirrored is not None and task.mirroring is not None:
        output = (output + unmirrored(grow(mirrored, size), task.mirroring)) / 2
    for op, attrs in task.heads[task.measured].steps:
        output = FUNCTIONS[op](output, **attrs)
    found = output.cpu().numpy()
    on_output(found)
    return task.measure(found, targets)


def unmirrored(maps: Tensor, by: Mirroring) -> Tensor:
    """Maps (N, C, H, W) of mirrored images as those of the images themselves."""
    back = maps[:, list(by.channels)].flip(3)
    return torch.cat([back[..., : by.shift], back[..., : back.shape[3] - by.shift]], 3)
