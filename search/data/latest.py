"""Results that are kept until another one is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

Key = TypeVar("Key")
Made = TypeVar("Made")


class Latest(dict[Key, Made], Generic[Key, Made]):
    """The last result that was made, by its key."""

    def of(self, key: Key, make: Callable[[], Made]) -> Made:
        """The result of ``key``, made where it is not the last one."""
        if key not in self:
            made = make()
            self.clear()
            self[key] = made
        return self[key]
