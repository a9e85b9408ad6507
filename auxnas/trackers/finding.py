"""Trackers by name, and their libraries."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from auxnas.backends.base import BackendUnavailable
from auxnas.genotype.errors import short_repr
from auxnas.genotype.plugins import PluginError, find_maker
from auxnas.trackers.base import Tracker

TRACKERS = {
    "mlflow": "auxnas.trackers.mlflow:MlflowTracker",
    "wandb": "auxnas.trackers.wandb:WandbTracker",
    "trackio": "auxnas.trackers.trackio:TrackioTracker",
    "tensorboard": "auxnas.trackers.tensorboard:TensorboardTracker",
}
"""Our own by name; another's by ``package.module:Class`` or the group ``auxnas.trackers``."""


def find_tracker(name: str) -> type[Tracker]:
    """The tracker called ``name``, whose library is there.

    Raises:
        PluginError: when there is none, or it is no tracker.
        BackendUnavailable: saying what to install.
    """
    found = find_maker("trackers", name, TRACKERS, ("run",))
    if not (isinstance(found, type) and issubclass(found, Tracker)):
        expected = "a subclass of auxnas.trackers.base.Tracker"
        raise PluginError("trackers", f"{name} is {short_repr(found)}", expected)
    if missing := sorted(found.__abstractmethods__):
        raise PluginError("trackers", f"{name} without {', '.join(missing)}", "a whole Tracker")
    if found.library:
        library_of(found.library)
    return found


def library_of(name: str) -> Any:
    """The module of a tool, or one within it.

    Raises:
        BackendUnavailable: naming the extra, which is called like it.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        tool = name.partition(".")[0]
        raise BackendUnavailable(f"--log {tool}", str(error.name), tool) from None
