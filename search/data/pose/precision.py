"""Average precision of persons' joints, as COCO's own evaluation (pycocotools) gives it."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from auxnas.backends.base import BackendUnavailable
from auxnas.search.data.errors import DataError
from auxnas.search.data.pose.annotations import AREA_SHARE, KeypointAnnotations

PRECISIONS = ("AP", "AP50", "AP75", "APm", "APl", "AR", "AR50", "AR75", "ARm", "ARl")
"""Figures of the evaluation, in its order: -1 where there is nothing to find."""


def average_precision(
    known: KeypointAnnotations,
    results: Sequence[Mapping[str, Any]],
    images: Iterable[int] | None = None,
) -> dict[str, float]:
    """The ``PRECISIONS`` of results on some images.

    Args:
        known: the truth.
        results: rows of image_id, category_id, keypoints and score.
        images: numbers of the images; all by default.

    Raises:
        BackendUnavailable: when pycocotools is not installed.
        DataError: for results that are none of these images, or of another number of joints.
    """
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError:
        raise BackendUnavailable("average precision", "pycocotools", "coco") from None
    chosen = sorted(known.images if images is None else set(images))
    _check_results(known, results)
    if not results:
        return dict.fromkeys(PRECISIONS, 0.0)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = _truth(known)
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes([dict(row) for row in results]), "keypoints")
        evaluation.params.imgIds = chosen
        evaluation.params.kpt_oks_sigmas = np.array(known.skeleton.sigmas)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return dict(zip(PRECISIONS, map(float, evaluation.stats), strict=True))


def _truth(known: KeypointAnnotations) -> dict[str, Any]:
    """The annotations with all that the evaluation looks at."""
    count = 3 * len(known.skeleton)
    rows = []
    for number, row in enumerate(known.rows, start=1):
        joints = row.get("keypoints", [0] * count)
        usual = {
            "id": number,
            "category_id": known.category,
            "iscrowd": 0,
            "area": AREA_SHARE * row["bbox"][2] * row["bbox"][3],
            "num_keypoints": sum(flag > 0 for flag in joints[2::3]),
            "keypoints": joints,
        }
        rows.append({**usual, **row})
    categories = [{"id": known.category, "name": "person"}]
    return {"images": list(known.images.values()), "annotations": rows, "categories": categories}


def _check_results(known: KeypointAnnotations, results: Sequence[Mapping[str, Any]]) -> None:
    for place, row in enumerate(results):
        joints = row.get("keypoints")
        if not isinstance(joints, list) or len(joints) != 3 * len(known.skeleton):
            expected = f"{3 * len(known.skeleton)} numbers: x, y and score of {known.skeleton.name}"
            raise DataError(f"result {place}", "keypoints", expected)
        if row.get("image_id") not in known.images:
            found = f"image {row.get('image_id')}"
            raise DataError(f"result {place}", found, f"an image of {known.path}")
