"""Facts that a task of a user's has to give, checked when it is found."""

from __future__ import annotations

from collections.abc import Mapping, Set

from auxnas.compiler.tasks.base import Metric, Task
from auxnas.compiler.tasks.heads import Disagreement, Head
from auxnas.compiler.tasks.target import TargetFormat
from auxnas.genotype.errors import short_repr, truncate
from auxnas.genotype.plugins import PluginError

_FACTS = {"name": str, "target": TargetFormat, "metrics": Mapping, "disagrees": Disagreement}
"""Attributes without a usual value, and their types."""
_PLACES = ("measured", "losses", "augmentation")
"""Names and places, which are texts."""


def check_task_class(name: str, found: object) -> None:
    """Checks that a class is one of tasks, and has all that one needs.

    Args:
        name: names it in the message.
        found: a class, or a function, which says nothing before it is called.

    Raises:
        PluginError: naming what it lacks.
    """
    if not isinstance(found, type):
        return
    if not issubclass(found, Task):
        raise PluginError("tasks", f"{truncate(name)} is {short_repr(found)}", _expected())
    missing = {fact for fact in _FACTS if not hasattr(found, fact)} | found.__abstractmethods__
    if missing:
        raise PluginError("tasks", f"{truncate(name)} without {_listed(missing)}", _expected())


def check_task(name: str, task: object) -> Task:
    """``task`` itself, if it is one and its facts are of their types.

    Raises:
        PluginError: naming the first that is not.
    """
    if not isinstance(task, Task):
        raise PluginError("tasks", f"{truncate(name)} makes {short_repr(task)}", _expected())
    for fact, kind in (*_FACTS.items(), *dict.fromkeys(_PLACES, str).items()):
        value = getattr(task, fact, None)
        if not isinstance(value, kind):
            raise _wrong(name, fact, value, f"a {kind.__name__}")
    kinds = (("metrics", task.metrics, Metric), ("heads", task.heads, Head))
    for fact, table, kind in kinds:
        known = isinstance(table, Mapping) and all(isinstance(v, kind) for v in table.values())
        if not (known and table):
            raise _wrong(name, fact, table, f"one or more {kind.__name__} by name")
    for head in ("logits", task.measured):
        if head not in task.heads:
            raise _wrong(name, "heads", list(task.heads), f"{head} among them")
    return task


def _wrong(name: str, fact: str, value: object, expected: str) -> PluginError:
    return PluginError("tasks", f"{truncate(name)}: {fact} {short_repr(value)}", expected)


def _expected() -> str:
    parts = _listed({*_FACTS, *Task.__abstractmethods__})
    return f"a subclass of auxnas.compiler.tasks.Task with {parts}"


def _listed(names: Set[str]) -> str:
    """Names of parts in a row, facts first."""
    return ", ".join([*(fact for fact in _FACTS if fact in names), *sorted(names - _FACTS.keys())])
