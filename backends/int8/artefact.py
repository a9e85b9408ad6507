"""From a float model to the int8 one that ships in its place, where that is better."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper

from auxnas.backends.int8.choosing import Quantiser, open_model, quantisation_results
from auxnas.backends.int8.measuring import HeldOutView, Judge
from auxnas.backends.int8.options import Int8Options, NetworkEnds
from auxnas.backends.int8.photographs import read_inputs, read_labels
from auxnas.backends.int8.result import QuantisationResult
from auxnas.backends.progress import Display, Silent
from auxnas.compiler import MAIN, Size

Array = np.ndarray[Any, Any]


def quantise_if_better(
    original: onnx.ModelProto, options: Int8Options, ends: NetworkEnds, display: Display = Silent()
) -> tuple[QuantisationResult, ...]:
    """The outcome in each runtime of quantising a model of ours, the better of both its ``model``.

    What was found is in that model's metadata, whichever it is; how the float model did
    against the float64 reference is no word on the int8 one, and is called so.

    Raises:
        InputError: for an unreadable photograph or label.
    """
    known = {entry.key: entry.value for entry in original.metadata_props}
    return tuple(
        describe(found if found.ships else replace(found, model=original), known)
        for found in quantise_for_each(original, options, ends, display)
    )


def describe(found: QuantisationResult, metadata: Mapping[str, str]) -> QuantisationResult:
    """An outcome whose model has metadata, and what was found among them."""
    model, facts, known = onnx.ModelProto(), found.to_dict(), dict(metadata)
    model.CopyFrom(found.model)
    known |= {"precision": facts["precision"], "quantisation": json.dumps(facts)}
    if found.ships and "verification" in known:
        known["float_verification"] = known.pop("verification")
    helper.set_model_props(model, known)
    return replace(found, model=model)


def quantise(
    original: onnx.ModelProto, options: Int8Options, ends: NetworkEnds, display: Display = Silent()
) -> QuantisationResult:
    """The int8 version of our float model, and how it compares in the first runtime.

    Raises:
        InputError: for an unreadable photograph or label.
    """
    return quantise_for_each(original, options, ends, display)[0]


def quantise_for_each(
    original: onnx.ModelProto, options: Int8Options, ends: NetworkEnds, display: Display = Silent()
) -> tuple[QuantisationResult, ...]:
    """One int8 version of our float model, and how it compares in each runtime.

    Raises:
        InputError: for an unreadable photograph or label.
    """
    files = options.photographs
    task = ends.task
    labels = read_labels(files, task)
    views = [_view(original, files.held_out, ends, size) for size in (ends.size, *ends.others)]
    quantiser = Quantiser(
        original,
        _batches(files.calibration, ends, ends.size),
        len(files.calibration),
        Judge(views, labels, task, ends.interface.head),
        options.tensorrt,
        display,
        options.runtimes,
    )
    return quantisation_results(quantiser, original, options)


def _view(
    model: onnx.ModelProto, paths: tuple[Path, ...], ends: NetworkEnds, size: Size
) -> HeldOutView:
    runner, some = open_model(model), list(_batches(paths, ends, size))
    return HeldOutView(size, some, [runner(feed)[MAIN] for feed in some])


def _batches(paths: tuple[Path, ...], ends: NetworkEnds, size: Size) -> Iterator[dict[str, Array]]:
    """Each photograph, as often as a network of a fixed batch wants it."""
    for feed in read_inputs(paths, size, ends.interface):
        yield {name: np.repeat(value, ends.batch or 1, axis=0) for name, value in feed.items()}
