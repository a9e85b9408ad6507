"""Files of predictions on MPII's validation set, as published results come."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from auxnas.compiler.tasks.pose import MPII16, person_label
from auxnas.compiler.tasks.pose.published import published_table
from auxnas.compiler.tasks.pose.scores import pose_sums
from auxnas.search.data.errors import DataError
from auxnas.search.data.matlab_structs import matlab_values
from auxnas.search.data.pose.mpii import read_truth

PREDICTIONS = "preds"
"""Variable of such files: (n, 16, 2) places that count from 1, in the order of the truth."""


def predictions_table(predictions: Path, truth: Path) -> dict[str, float]:
    """PCKh in percent of predictions in a file, against ``gt_valid.mat``.

    Raises:
        DataError: when a file is damaged, or the two are not of the same persons.
    """
    known = read_truth(truth)
    expected = f"a file of {PREDICTIONS}, (n, {len(MPII16)}, 2)"
    found = matlab_values(predictions, str(predictions), (PREDICTIONS,), expected)
    places = np.asarray(found[PREDICTIONS])
    if places.shape != known["places"].shape:
        wanted = f"{known['places'].shape} as {truth}"
        raise DataError(str(predictions), f"predictions of shape {places.shape}", wanted)
    rows = zip(known["places"], known["annotated"], known["heads"], strict=True)
    labels = np.stack([person_label(*row[:2], head=row[2]) for row in rows])
    return published_table(pose_sums(places, labels, MPII16), MPII16)
