"""Weights as integers that leave the mean of what a convolution computes near where it was.

To the nearest integer, the errors of a filter's weights add up, worst in the few weights of a
depthwise filter, which all have the same input. So some are rounded the other way, after which
the errors of a channel nearly cancel on its mean input. Of MobileNet-v2 with weights of ImageNet
that was most of the damage that int8 did.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_LEAST = 1e-12
"""Mean of an input that is taken for 0."""


def rounded_weights(steps: Array, largest: int, means: Array | None = None) -> Array:
    """Integers next to a convolution's weights, whose errors move no channel's mean far.

    Those nearest to halfway for their mean go the other way first, as many as leave the least of
    the move: at most half of the largest mean, in steps. Another choice may leave less: a mean
    above twice what is left ends the row, though smaller ones behind it would still help.

    Args:
        steps: weights over the step of their channel, (outputs, inputs of a group, height, width).
        largest: the largest integer there is.
        means: of each channel of the input; None to round to the nearest.

    Returns:
        Integers, as int8.
    """
    exact = steps.reshape(len(steps), -1).astype(np.float64)
    nearest = np.clip(exact.round(), -largest, largest)
    if means is None:
        return _whole(nearest, steps)
    taps = exact.shape[1] // steps.shape[1]
    weight = np.repeat(_means_of(steps, means), taps, axis=1)
    error = nearest - exact
    total = (error * weight).sum(1, keepdims=True)
    other = np.where(error > 0, -1.0, 1.0)  # from the nearest integer to the next
    change = other * weight
    helps = (change * np.sign(total) < 0) & (np.abs(nearest + other) <= largest)
    price = (1 - 2 * np.abs(error)) / np.maximum(np.abs(weight), _LEAST)
    order = np.argsort(np.where(helps, price, np.inf), axis=1, kind="stable")
    taken = np.take_along_axis(np.where(helps, np.abs(change), 0.0), order, axis=1).cumsum(1)
    left = np.abs(np.abs(total) - np.concatenate([np.zeros_like(total), taken], axis=1))
    first = np.arange(exact.shape[1]) < left.argmin(1)[:, None]
    moved = np.zeros_like(exact)
    np.put_along_axis(moved, order, first * 1.0, axis=1)
    return _whole(nearest + moved * helps * other, steps)


def mean_shift(errors: Array, means: Array) -> Array:
    """By how much errors of a convolution's weights move the mean of each channel it computes.

    Args:
        errors: rounded weights less exact ones, (outputs, inputs of a group, height, width).
        means: of each channel of the input.
    """
    found: Array = (errors.sum((2, 3), dtype=np.float64) * _means_of(errors, means)).sum(1)
    return found


def _whole(values: Array, like: Array) -> Array:
    found: Array = values.reshape(like.shape).astype(np.int8)
    return found


def _means_of(weights: Array, means: Array) -> Array:
    """The means of the inputs that each output reads: (outputs, inputs of a group)."""
    groups = means.astype(np.float64).reshape(-1, weights.shape[1])
    found: Array = np.repeat(groups, len(weights) // len(groups), axis=0)
    return found
