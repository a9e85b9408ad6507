"""Classes that label images have, and likely reasons why others are missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_MOST_NAMES = 6
_MOST_VALUES = 24
"""Label values that a map is written out for."""


def missing_reason(pixels: Sequence[int], unlabelled: int, named: bool = False) -> str:
    """A likely reason why classes have no pixel, and what to do; "" where there is none to say.

    Args:
        pixels: of each class, in label order.
        unlabelled: pixels labelled 255.
        named: whether the data say which number is which class.
    """
    present = [label for label, count in enumerate(pixels) if count]
    if present == [0] and unlabelled:
        return (
            "labels are 0 or 255, and 255 means not labelled: "
            "where it is the foreground of a mask, store 1 for it, or give --map 255=1"
        )
    if not present or len(present) == len(pixels):
        return ""
    if present[0] == 1 and (len(pixels) == 2 or len(present) + 1 == len(pixels)):
        return "labels that count from 1 are off by one: subtract 1, or name what is 0"
    gaps = 1 < len(present) <= present[-1]
    if gaps and not named and len(pixels) > 4 and 2 * len(present) <= len(pixels):
        return (
            f"numbers of another list of classes want a mapping to 0..{len(present) - 1}, "
            "255 for the rest"
        )
    return ""


def range_reason(values: Sequence[int], classes: int) -> str:
    """A likely reason why labels have values beyond the classes; "" where there is none to say.

    Args:
        values: that occur, 255 apart, rising.
        classes: how many there are.
    """
    if len(values) == 2 and classes == 2:
        return f"labels are {values[0]} or {values[1]}: store 0 and 1"
    if values[0] == 1 and values[-1] == classes:
        return f"labels from 1 to {classes} are off by one: subtract 1"
    if len(values) <= classes:
        return f"{len(values)} values occur: they want a mapping to 0..{classes - 1}"
    return f"values up to {values[-1]} occur: more classes, or a mapping to 0..{classes - 1}"


def label_map_advice(values: Sequence[int], unlabelled: bool) -> str:
    """Options that make classes of label values, where it is plain how; else "".

    Args:
        values: that occur, 255 apart, rising.
        unlabelled: whether 255 occurs.
    """
    if list(values) == [0] and unlabelled:
        return "0 and 255 occur: if that is a mask, --map 255=1 --classes 2"
    if len(values) == 2 and values[0] == 0 and values[1] > 1:
        return f"0 and {values[1]} occur: if that is a mask, --map {values[1]}=1 --classes 2"
    if values and values[0] == 1 and values[-1] == len(values):
        return f"values 1..{values[-1]} occur: --map -1 --classes {len(values)}"
    if 2 < len(values) <= _MOST_VALUES and 2 * len(values) <= values[-1]:
        moves = ",".join(f"{value}={n}" for n, value in enumerate(values) if value != n)
        shown = ", ".join(map(str, values))
        return (
            f"values {shown} occur: if there are no others, --map {moves} --classes {len(values)}"
        )
    return ""


def some_names(names: Iterable[str]) -> str:
    """Names in a line, the first few of many."""
    known = list(names)
    shown = ", ".join(known[:_MOST_NAMES])
    return shown if len(known) <= _MOST_NAMES else f"{shown} and {len(known) - _MOST_NAMES} more"
