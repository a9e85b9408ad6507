"""Evaluation on the machines of a Ray cluster; its library is imported when it is asked for."""

from __future__ import annotations

from auxnas.search.errors import SettingsError
from auxnas.search.executors.base import Evaluate
from auxnas.search.executors.seats import SILENCE, Seats
from auxnas.search.settings.search import Settings

_SIGNS = 100
"""Signs of life a second at most, all seats together."""


class Cluster(Seats):
    """Implements ``Executor`` with seats on the cluster of the settings.

    Args:
        evaluate: function from a job to its outcome; it is pickled.
        settings: of the run. ``workers`` are its seats; else as many as there is room for.

    Raises:
        SettingsError: when there is no such cluster.
    """

    def __init__(self, evaluate: Evaluate, settings: Settings) -> None:
        from auxnas.search.executors.ray_crew import RayCrew

        crew = RayCrew(evaluate, settings)
        places = settings.workers or crew.room()
        crew.patience = max(crew.patience, places / _SIGNS)
        silence = max(SILENCE, 5 * crew.patience)
        mixed, where = settings.cluster.mixed, crew.where
        super().__init__(crew, places, settings.trial_timeout, silence, mixed=mixed, where=where)

    @staticmethod
    def suits(settings: Settings) -> bool:
        """Whether an address of a cluster is given."""
        return settings.cluster.address is not None

    @staticmethod
    def check(settings: Settings) -> None:
        """Checks that machines of other numbers of processors will round alike."""
        if settings.threads is None:
            expected = "a number, which all machines can give a trial: --set threads=1"
            raise SettingsError("threads", "none, with a cluster", expected)

    @staticmethod
    def contact(settings: Settings) -> None:
        """Joins the cluster, and leaves it again.

        Raises:
            SettingsError: when there is none, it does not let us in, its versions are not ours, or
                it has nodes, none of which can ever hold a seat.
        """
        from auxnas.search.executors.ray_crew import check_cluster

        check_cluster(settings)
