"""The one error of the data layer, which the readers of pictures raise too."""

from __future__ import annotations

from auxnas.backends.images.errors import DataError

__all__ = ["DataError"]
