"""Executors evaluate trials, in this process or elsewhere."""

from auxnas.search.executors.base import Evaluate, Executor, executor_name

__all__ = ["Evaluate", "Executor", "executor_name"]
