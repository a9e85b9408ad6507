"""Named groups of settings, as plain data over the defaults (which are the paper's)."""

from __future__ import annotations

from typing import Any

_DEMO: dict[str, Any] = {
    "trials": 6,
    "threads": 1,
    "data": {"size": (96, 96), "scale": (0.75, 1.5)},
    "model": {"width": 0.35, "agg_size": 16},
    # Six trials teach a policy nothing; at this rate, some tens do.
    "search": {"proceed": 0.2, "searcher": "random", "controller": {"rate": 3e-3}},
    "stage1": {"epochs": 2, "batch_size": 8},
    "stage2": {"epochs": 1, "batch_size": 8, "polyak": 0.9},
    "pretrain": {"channels": 32, "epochs": 14, "batch_size": 8, "scale": (0.75, 1.5)},
}
"""A search of minutes, of any task."""

PRESETS: dict[str, dict[str, Any]] = {
    "paper": {},
    "small": {
        "trials": 50,
        "data": {"size": (128, 160), "scale": (0.75, 1.5)},
        "model": {"width": 0.5, "agg_size": 32},
        # Weights of classes as in long training (bench/training/recipe.py); what proposes best
        # within tens of trials of a table and a formula (bench/search/controllers.py).
        "loss": {"balance": 0.9},
        "search": {
            "searcher": "predictor",
            "controller": {"rate": 1e-3},
            "evolution": {"population": 20, "sample": 5},
        },
        # Ranks as four epochs with auxiliary outputs do, in 0.55 of the time
        # (bench/search/shorter.py); the second stage has none that no first one trained.
        "stage1": {"epochs": 4, "batch_size": 8, "auxiliary": 0.0},
        "stage2": {"epochs": 1, "batch_size": 8, "polyak": 0.9, "auxiliary": 0.0},
        "pretrain": {"channels": 64, "epochs": 60, "batch_size": 8, "scale": (0.75, 1.5)},
    },
    # Under other seeds some cells come out of zeros alone and learn nothing.
    "demo": {**_DEMO, "seed": 4},
    "paper-depth": {
        "task": {"name": "depth"},
        # Section 7.3: cut out of images at their own size, 500x500.
        "data": {"size": (480, 640), "crop": (500, 500)},
    },
    "demo-depth": {**_DEMO, "task": {"name": "depth"}},
    # Section 7.2 on COCO; on MPII --size 256x256.
    "paper-pose": {"task": {"name": "pose"}, "data": {"size": (256, 192)}},
    "demo-pose": {
        **_DEMO,
        "trials": 3,
        "task": {"name": "pose,sigma=1.5,scaling=0.1,turning=10"},
        "data": {"size": (64, 64)},
        # A map that is 0 everywhere is nearly right: it takes longer to leave than other tasks, and
        # at the rate of others some never do.
        "stage1": {"epochs": 6, "batch_size": 16},
        "stage2": {"epochs": 3, "batch_size": 8, "decoder_rate": 1e-3, "polyak": 0.9},
        "pretrain": {"channels": 32, "epochs": 16, "batch_size": 8, "rate": 1e-3},
    },
}
"""``paper``: the paper's values, for a GPU. ``small``: hours on a laptop's processor.
``demo``: minutes. Those that end in ``-depth`` are of depth, and train as section 7.3 says; in
``-pose`` of pose, section 7.2."""

DEFAULT = "small"
