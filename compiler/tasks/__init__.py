"""Tasks: what networks are asked for.

One is found by name, by ``package.module:Class``, or by an entry point of the group
``auxnas.tasks``.
"""

from __future__ import annotations

from collections.abc import Collection

from auxnas.compiler.tasks.base import Disagreement, Head, Metric, Score, ScoreTable, Sums, Task
from auxnas.compiler.tasks.segmentation import IGNORE, Segmentation
from auxnas.compiler.tasks.target import TargetFormat
from auxnas.genotype.plugins import find_plugin

__all__ = [
    "DEFAULT",
    "IGNORE",
    "TASKS",
    "Disagreement",
    "Head",
    "Metric",
    "Score",
    "ScoreTable",
    "Segmentation",
    "Sums",
    "TargetFormat",
    "Task",
    "find_task",
    "main_metric",
]

TASKS = {"segmentation": "auxnas.compiler.tasks.segmentation:Segmentation"}
"""Our tasks by name: where each is."""

DEFAULT = "segmentation"
"""The paper's task (section 4.1)."""


def find_task(name: str, classes: tuple[str, ...] = (), ignore: tuple[str, ...] = ()) -> Task:
    """The task called ``name`` on data of these classes.

    Args:
        name: one of ``TASKS``, ``package.module:Class``, or an entry point's.
        classes: the names of the dataset's classes.
        ignore: those that count in no score.

    Raises:
        PluginError: when there is none of this name.
        CompilerError: for a class to ignore that there is not.
    """
    task: Task = find_plugin("tasks", name, TASKS)(classes, ignore)
    return task


def main_metric(metrics: Collection[str]) -> tuple[str, str]:
    """Name and title of the metric to show of a score whose task is not at hand."""
    known = Segmentation.metrics
    name = next((n for n in known if n in metrics), next(iter(metrics), next(iter(known))))
    return name, known[name].title if name in known else name
