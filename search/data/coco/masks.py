"""Masks of COCO: polygons and run lengths, compressed or not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auxnas.backends.base import BackendUnavailable
from auxnas.search.data.errors import DataError

Runs = NDArray[np.int64]
"""Lengths of runs down the columns, of pixels outside and inside by turns."""
Size = tuple[int, int]
Points = NDArray[np.float64]
_MOST_CHARACTERS = 10
_POINTS = "x, y of three points or more"


def mask_runs(segmentation: Any, size: Size, place: str) -> Runs:
    """The run lengths of an annotation's ``segmentation``; together all pixels of the image.

    Args:
        segmentation: a list of polygons (x, y, x, y, ...), or run lengths: ``counts`` as a list or
            as compressed text, and ``size``.
        size: (height, width) of the image.
        place: how an error names the annotation.

    Raises:
        DataError: naming ``place``, when it is neither, or of another size.
        BackendUnavailable: for polygons, when pycocotools is not installed.
    """
    if isinstance(segmentation, list):
        return _polygon_runs([_points(each, size, place) for each in segmentation], size, place)
    if not isinstance(segmentation, dict) or "counts" not in segmentation:
        found = f"a segmentation of type {type(segmentation).__name__}"
        raise DataError(place, found, "polygons, or counts and size of run lengths")
    if segmentation.get("size", list(size)) != list(size):
        expected = f"{list(size)} as its image (height, width)"
        raise DataError(place, f"run lengths of size {segmentation['size']!r}"[:100], expected)
    counts = segmentation["counts"]
    runs = decompress_runs(counts) if isinstance(counts, str) else _plain_runs(counts)
    total = size[0] * size[1]
    if runs is None or (runs < 0).any() or (runs > total).any() or int(runs.sum()) != total:
        found = "damaged run lengths" if runs is None else f"run lengths of {runs.sum()} pixels"
        raise DataError(place, found, f"{total} pixels, those of its image")
    return runs


def runs_mask(runs: Runs, size: Size) -> NDArray[np.bool_]:
    """The mask (height, width) of run lengths."""
    inside = np.arange(len(runs)) % 2 == 1
    return np.repeat(inside, runs).reshape(size[1], size[0]).T


def decompress_runs(text: str) -> Runs | None:
    """Run lengths of their compressed text; None where it is damaged.

    Each number is of characters of 6 bits from ``0`` on: 5 bits, the lowest first, and whether more
    follow; the highest of the last 5 is its sign. From the fourth number on it is the difference to
    the one two before it.
    """
    bits = np.frombuffer(text.encode(errors="replace"), np.uint8).astype(np.int64) - 48
    ends = np.flatnonzero(bits & 32 == 0)
    if not bits.size or ((bits < 0) | (bits > 63)).any() or ends[-1:].tolist() != [bits.size - 1]:
        return None
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends + 1 - starts
    if lengths.max() > _MOST_CHARACTERS:
        return None
    shifts = 5 * (np.arange(bits.size) - np.repeat(starts, lengths))
    found = np.add.reduceat((bits & 31) << shifts, starts)
    found -= np.where(bits[ends] & 16, 1 << 5 * lengths, 0)
    for first in (1, 2):
        found[first::2] = np.cumsum(found[first::2])
    return found


def _plain_runs(counts: Any) -> Runs | None:
    if not isinstance(counts, list) or not all(type(each) is int for each in counts):
        return None
    return None if any(abs(each) >> 40 for each in counts) else np.array(counts, np.int64)


def _points(polygon: Any, size: Size, place: str) -> Points:
    """The numbers of a polygon, which lies within its image or as far beside it at most.

    Raises:
        DataError: when it does not, or these are no points.
    """
    if not isinstance(polygon, list) or any(type(each) not in (int, float) for each in polygon):
        raise DataError(place, "a polygon that is no list of numbers", _POINTS)
    if len(polygon) < 6 or len(polygon) % 2:
        raise DataError(place, f"a polygon of {len(polygon)} numbers", _POINTS)
    try:
        points = np.array(polygon, np.float64)
    except OverflowError:
        raise DataError(place, "a polygon with a point too far away", _POINTS) from None
    lengths = np.tile(size[::-1], len(points) // 2)
    far = ~((points >= -lengths) & (points <= 2 * lengths))
    if far.any():
        expected = f"points of an image of {size[0]}x{size[1]} (height x width)"
        raise DataError(place, f"a polygon with a point at {points[far][0]:g}", expected)
    return points


def _polygon_runs(polygons: Sequence[Points], size: Size, place: str) -> Runs:
    """The run lengths of the union of some polygons, as COCO's own library fills them."""
    try:
        from pycocotools import mask
    except ImportError:
        raise BackendUnavailable("coco", "pycocotools", "coco") from None
    if not polygons:
        return np.array([size[0] * size[1]], np.int64)
    merged = mask.merge(mask.frPyObjects(polygons, *size))
    runs = decompress_runs(merged["counts"].decode())
    if runs is None:
        raise DataError(place, "a polygon that cannot be filled", _POINTS)
    return runs
