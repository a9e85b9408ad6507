"""Stretches of an endless series of rendered scenes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from auxnas.search.data.base import BaseDataset, check_size
from auxnas.search.data.latest import Latest

PROBES = 3
"""Scenes whose pixels are in a fingerprint, so that it changes with the renderer."""
S = TypeVar("S")


@dataclass(frozen=True)
class SceneSeries(BaseDataset, ABC, Generic[S]):
    """A stretch of an endless series of scenes.

    Attributes:
        count: how many scenes.
        seed: of the series.
        size: (height, width) in pixels.
        start: number of the first scene.

    Raises:
        DataError: when the size is not positive.
    """

    count: int
    seed: int = 0
    size: tuple[int, int] = (128, 128)
    start: int = 0
    _last: Latest[int, S] = field(default_factory=Latest, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_size(self.size)

    @property
    def name(self) -> str:
        """``synthetic:COUNT``."""
        return f"synthetic:{self.count}"

    def __len__(self) -> int:
        return self.count

    def scene(self, index: int) -> S:
        """The whole scene at ``index``; the last one asked for is kept.

        Raises:
            IndexError: when there is no such scene.
        """
        if not 0 <= index < self.count:
            raise IndexError(f"scene {index} of {self.count}")
        return self._last.of(index, lambda: self._rendered(index))

    @abstractmethod
    def _rendered(self, index: int) -> S:
        """The scene at ``index``, drawn."""
