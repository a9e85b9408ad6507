"""Tasks: what networks are asked for.

One is found by name, by ``package.module:Class``, or by an entry point of the group
``auxnas.tasks``.
"""

from __future__ import annotations

from auxnas.compiler.tasks.base import Disagreement, Head, Metric, Score, ScoreTable, Sums, Task
from auxnas.compiler.tasks.segmentation import IGNORE, Segmentation
from auxnas.compiler.tasks.target import Target
from auxnas.genotype.plugins import find

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
    "Target",
    "Task",
    "find_task",
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
    task: Task = find("tasks", name, TASKS)(classes, ignore)
    return task
