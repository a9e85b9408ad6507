"""Tasks: what networks are asked for.

One is found by name, by ``package.module:Class``, or by an entry point of the group
``auxnas.tasks``.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from auxnas.compiler.errors import CompilerError
from auxnas.compiler.tasks.base import (
    Metric,
    PixelPicture,
    Prediction,
    Scale,
    Score,
    ScoreTable,
    Sums,
    Task,
)
from auxnas.compiler.tasks.contract import check_task, check_task_class
from auxnas.compiler.tasks.heads import Disagreement, Head
from auxnas.compiler.tasks.segmentation import Segmentation
from auxnas.compiler.tasks.target import IGNORE, TargetFormat
from auxnas.genotype.errors import inline
from auxnas.genotype.plugins import find_maker, with_options

__all__ = [
    "DEFAULT",
    "IGNORE",
    "TASKS",
    "Disagreement",
    "Head",
    "Metric",
    "PixelPicture",
    "Prediction",
    "Scale",
    "Score",
    "ScoreTable",
    "Segmentation",
    "Sums",
    "TargetFormat",
    "Task",
    "find_task",
    "headline",
]

TASKS = {
    "segmentation": "auxnas.compiler.tasks.segmentation:Segmentation",
    "depth": "auxnas.compiler.tasks.depth:Depth.made",
    "pose": "auxnas.compiler.tasks.pose.task:HumanPose.made",
}
"""Our tasks by name: where each is."""

DEFAULT = "segmentation"
"""The paper's task (section 4.1)."""


def find_task(name: str, classes: tuple[str, ...] = (), ignore: tuple[str, ...] = ()) -> Task:
    """The task called ``name`` on data of these classes.

    Args:
        name: one of ``TASKS``, ``package.module:Class``, or an entry point's; behind it may be
            options of the task: ``depth,max=80,crop=garg``.
        classes: the names of the dataset's classes.
        ignore: those that count in no score.

    Raises:
        PluginError: when there is none of this name, or it lacks what a task has.
        CompilerError: for a class to ignore that there is not, or an option that is none.
    """
    place, options = with_options(name)
    make = find_maker("tasks", place, TASKS, ("classes", "ignore"))
    check_task_class(place, make)
    try:
        inspect.signature(make).bind(classes, ignore, **options)
    except (TypeError, ValueError) as error:
        raise CompilerError(f"task {inline(name)}", str(error), "options of the task") from None
    return check_task(place, make(classes, ignore, **options))


def headline(known: Mapping[str, Any]) -> tuple[str, Metric]:
    """Name and meaning of the metric to show of a run's scores.

    Args:
        known: what the run's journal says of it; the task itself, which may be code that nobody
            named here, is not asked. Runs of earlier versions are of segmentation.
    """
    for name, title, higher in known.get("metrics", ()):
        return name, Metric(title, higher)
    return next(iter(Segmentation.metrics.items()))
