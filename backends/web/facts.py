"""All that the page needs to know of a network: what goes in, and what comes out means."""

from __future__ import annotations

from typing import Any

import numpy as np

from auxnas.backends.artefacts.artefact import Artefact
from auxnas.backends.artefacts.bench import image_axis
from auxnas.backends.artefacts.predict import class_legend
from auxnas.backends.images import normalisation_terms
from auxnas.compiler import CompilerError
from auxnas.compiler.interface import Interface
from auxnas.compiler.tasks.depth.colours import depth_colours
from auxnas.compiler.tasks.depth.task import CONTRAST, LEAST, NARROWEST, QUANTILES
from auxnas.compiler.tasks.pose import Skeleton
from auxnas.compiler.tasks.pose.drawing import COLOURS, THICKNESS

_ANCHORS = 8
"""Colours of a scale, between which the page mixes."""


def page_facts(artefact: Artefact) -> dict[str, Any]:
    """Plain data on the artefact of a page.

    Raises:
        CompilerError: for an output that the page cannot draw.
    """
    ends = artefact.interface()
    (given,) = artefact.inputs
    axis = image_axis(artefact, given)
    sides = list(given.shape[axis : axis + 2])
    fixed = all(isinstance(side, int) for side in sides)
    scale, shift = normalisation_terms(ends.normalisation)
    return {
        "title": f"auxnas: {ends.task.name}",
        "genotype": str(artefact.genotype() or ""),
        "size": sides if fixed else None,
        "batch": given.shape[0] if isinstance(given.shape[0], int) else 1,
        "bytes": ends.format == "nhwc-uint8",
        "scale": scale.tolist(),
        "shift": shift.tolist(),
        "answer": _answer(artefact, ends),
    }


def _answer(artefact: Artefact, ends: Interface) -> dict[str, Any]:
    """Meaning of an output, and facts to draw it by.

    Raises:
        CompilerError: for one that the page cannot draw.
    """
    task, labels = ends.task, ends.task.labels
    if task.target.classes:
        legend = class_legend(artefact, ends)
        colours = legend.palette[: len(legend.names)].tolist()
        named = {"names": legend.names, "colours": colours}
        return {"kind": "classes", "bytes": ends.end.bytes, **named}
    if labels.metric:
        return {"kind": "depth", **_depth(labels.limit)}
    if labels.skeleton is not None and ends.end.decides:
        return {"kind": "joints", **_joints(labels.skeleton)}
    found = f"the head {ends.head} of the task {task.name}"
    expected = "one that the page can draw: classes, depth, or joints by --head keypoints"
    raise CompilerError("target web", found, expected)


def _depth(limit: float) -> dict[str, Any]:
    """Limits of metres, and the colours of a scale from near to far."""
    between = (1.0, 2.0)
    anchors = depth_colours(np.geomspace(*between, _ANCHORS), between)
    return {
        "least": float(np.float32(LEAST)),
        "most": float(np.float32(limit)),
        "quantiles": QUANTILES,
        "contrast": CONTRAST,
        "narrowest": NARROWEST,
        "colours": anchors.tolist(),
    }


def _joints(skeleton: Skeleton) -> dict[str, Any]:
    """Names and colours of joints, and the lines between them with theirs."""
    sides = skeleton.sides
    edges = [
        {"ends": (a, b), "colour": COLOURS[sides[a] if sides[a] == sides[b] else ""]}
        for a, b in skeleton.edges
    ]
    colours = [COLOURS[side] for side in sides]
    return {"names": skeleton.joints, "colours": colours, "edges": edges, "thickness": THICKNESS}
