"""Fingerprint of a machine's arithmetic: the digest of a fixed tiny training.

Machines of other processors round sums in another order, and training magnifies that. Two machines
of one fingerprint, with as many threads, give a trial the same reward to the last bit. A search in
another precision than float32 has a training in that, too.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from auxnas.backends.base import Array, Batch, Learner, Optimiser, Recipe
from auxnas.backends.caching import cache_dir, make_private
from auxnas.compiler import ModelSpec, Program, lower
from auxnas.compiler.files import atomic_write
from auxnas.compiler.tasks import find_task
from auxnas.compiler.weights import initial_params
from auxnas.genotype.zoo import load_published
from auxnas.search.executors.base import Evaluate
from auxnas.search.storage.cache import json_digest, params_digest
from auxnas.search.storage.environment import package_versions
from auxnas.search.storage.lock import exclusive_lock

_CLASSES = ("0", "1", "2", "3")
_EXAMPLES, _SIDE, _EPOCHS = 16, 64, 2
_CHANGING = ("ATEN_", "DNNL_", "MKL_", "OMP_", "ONEDNN_", "OPENBLAS_", "CUDA_", "CUBLAS_")
"""Beginnings of the variables that may change arithmetic."""
_BOOT = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class _Noise:
    """Images of noise."""

    side: int = _SIDE

    def __len__(self) -> int:
        return _EXAMPLES

    def batch(self, indices: Sequence[int], rng: np.random.Generator | None) -> Batch:
        draws = [np.random.default_rng(index) for index in indices]
        images: Array = np.stack([d.normal(size=(3, self.side, self.side)) for d in draws])
        labels = [d.integers(len(_CLASSES), size=(self.side, self.side)) for d in draws]
        return Batch({"image": images.astype(np.float32)}, np.stack(labels).astype(np.uint8))


def host_fingerprint(evaluate: Evaluate) -> str:
    """Fingerprint of this machine for the learner of what evaluates; ``none`` without a learner.

    It is kept in the cache until the machine is started again.
    """
    learner = getattr(evaluate, "learner", None)
    if learner is None:
        return "none"
    stages = (getattr(evaluate, name, None) for name in ("stage1", "stage2"))
    precisions = {each.precision for each in stages if each is not None} or {"fp32"}
    boot = _BOOT.read_text() if _BOOT.exists() else ""
    changing = sorted(pair for pair in os.environ.items() if pair[0].startswith(_CHANGING))
    known = (type(learner).__name__, str(learner.where), getattr(learner, "threads", None))
    key = json_digest("fingerprint", boot, changing, known, sorted(precisions), package_versions())
    path = cache_dir() / "fingerprints" / key
    make_private(path.parent)
    with exclusive_lock(path, lambda line: None):
        if path.is_file() and (kept := path.read_text(encoding="utf-8").strip()):
            return kept
        found = "".join(learner_fingerprint(learner, precision=p) for p in sorted(precisions))
        with atomic_write(path) as temporary:
            temporary.write_text(f"{found}\n", encoding="utf-8")
    return found


def learner_fingerprint(learner: Learner, side: int = _SIDE, precision: str = "fp32") -> str:
    """The digest (12 digits) of a network that the learner trained on noise in a precision.

    The network is the same always: separable, dilated and pooling operations of the paper's.
    """
    graph = lower(
        load_published("arch0").genotype, ModelSpec(classes=len(_CLASSES), agg_size=16, width=0.25)
    )
    program = Program(graph, initial_params(graph, 0), "fingerprint")
    optimisers = (Optimiser("encoder.", "sgd", 1e-3), Optimiser("", "adam", 3e-3))
    task = find_task("segmentation", _CLASSES)
    recipe = Recipe(
        epochs=_EPOCHS, batch_size=8, optimisers=optimisers, task=task, precision=precision
    )
    trained = learner.fit(program, _Noise(side), recipe, seed=0)
    return params_digest(trained.params)[:12]
