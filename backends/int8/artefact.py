"""From a float artefact on disk to an int8 one, where that is better."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper

from backends.int8.choosing import Outcome, Quantiser, outcome, runner_of
from backends.int8.measuring import Judge
from backends.int8.options import Ends, Int8Options
from backends.int8.photographs import feeds, read_labels
from compiler import MAIN

Array = np.ndarray[Any, Any]


def write(path: Path, options: Int8Options, ends: Ends) -> Outcome:
    """Replaces the float model in ``path`` by its int8 version, where that is better.

    What was found goes into the metadata either way.

    Raises:
        CompilerError: for an unreadable photograph or label.
    """
    original = onnx.load(path)
    found = quantise(original, options, ends)
    model = found.model if found.ships else original
    facts = found.to_dict()
    known = {entry.key: entry.value for entry in original.metadata_props}
    known |= {"precision": facts["precision"], "quantisation": json.dumps(facts)}
    helper.set_model_props(model, known)
    path.write_bytes(model.SerializeToString())
    return found


def quantise(original: onnx.ModelProto, options: Int8Options, ends: Ends) -> Outcome:
    """The int8 version of our float model, and how it compares.

    Raises:
        CompilerError: for an unreadable photograph or label.
    """
    files, runner = options.photographs, runner_of(original)
    labels = read_labels(files, ends.classes)
    held_out = list(_batches(files.held_out, ends))
    judge = Judge(held_out, [runner(feed)[MAIN] for feed in held_out], labels, ends.classes)
    quantiser = Quantiser(
        original, lambda: _batches(files.calibration, ends), len(files.calibration), judge
    )
    return outcome(quantiser, original, options)


def _batches(paths: tuple[Path, ...], ends: Ends) -> Iterator[dict[str, Array]]:
    """Each photograph, as often as a network of a fixed batch wants it."""
    for feed in feeds(paths, ends.size, ends.interface):
        yield {name: np.repeat(value, ends.batch or 1, axis=0) for name, value in feed.items()}
