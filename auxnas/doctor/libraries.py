"""Libraries that auxnas takes: those that are installed, in which versions, by their metadata."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata

CORE = ""
"""Stands for the core where an extra could."""
BRINGS = {
    "torch": "nassearch: searching and training; .pt2 files, checkpoints of PyTorch",
    "ort": "artefacts checked, timed and run; int8",
    "gpu": "the same as ort, with CUDA; instead of ort",
    "openvino": "artefacts for Intel and AMD processors, bf16",
    "ncnn": "artefacts for phones and small boards run here",
    "litert": ".tflite files for phones",
    "executorch": ".pte files for phones",
    "tensorrt": "engines for the NVIDIA GPU of this machine",
    "rtx": "portable engines for NVIDIA GPUs, built without one",
    "mat": "--data nyu:FILE.mat",
    "coco": "--data coco:, coco-segments: and coco-keypoints: whole",
    "hf": "--data hf:DIR",
    "timm": "--encoder timm:NAME",
    "ray": "--cluster: trials on several machines",
    "report": "nassearch report, and plots of ablate and correlate",
    "optuna": "nassearch export --optuna",
    "tensorboard": "--log tensorboard",
    "mlflow": "--log mlflow",
    "wandb": "--log wandb, Weights & Biases",
    "trackio": "--log trackio",
    "docs": "make docs: the site",
    "bench": "the exporters that bench/deploy/latency.py compares with",
    "dev": "make test",
}
"""Meaning of each extra of ``pyproject.toml`` to a user."""
_REQUIREMENT = re.compile(
    r"([\w.-]+)\s*(?:>=\s*([\w.]+))?[^;]*(?:;.*extra\s*==\s*['\"]([\w-]+)['\"].*)?"
)


@dataclass(frozen=True)
class Library:
    """A requirement, and what there is of it.

    Attributes:
        name: of the distribution.
        extra: that takes it; ``CORE``.
        least: the oldest version that will do; empty for any.
        version: the installed one; None where there is none.
    """

    name: str
    extra: str
    least: str
    version: str | None

    @property
    def state(self) -> str:
        """``found``, ``missing`` or ``too old``."""
        if self.version is None:
            return "missing"
        return "too old" if version_key(self.version) < version_key(self.least) else "found"


def version_key(version: str) -> tuple[int, ...]:
    """Numbers that a version begins with, without zeros at their end: (2, 13) of 2.13.0+cpu."""
    numbers = [int(each) for each in re.findall(r"\d+", re.split(r"[^\d.]", version)[0])]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)


def find_libraries(requirements: Iterable[str]) -> list[Library]:
    """One for each requirement, as the metadata of a distribution state them."""
    found = []
    for each in requirements:
        match = _REQUIREMENT.fullmatch(each)
        if match is not None:
            name, least, extra = match.groups()
            found.append(Library(name, extra or CORE, least or "", installed_version(name)))
    return found


def installed_version(name: str) -> str | None:
    """The version that the metadata of a distribution say; None where it has none to read."""
    try:
        return metadata.version(name)
    except Exception:  # broken metadata raise whatever their reader comes upon
        return None


def module_owners() -> dict[str, list[str]]:
    """Distributions by the top-level names that their records say they installed."""
    found: dict[str, list[str]] = {}
    for each in metadata.distributions():
        record = each.read_text("RECORD") or ""
        for top in set(re.findall(r"^([A-Za-z_]\w*)(?:/|\.py,)", record, re.M)):
            found.setdefault(top, []).append(each.metadata["Name"])
    return found


def doubled(names: Mapping[str, str], homes: Mapping[str, list[str]]) -> list[str]:
    """Lines on import names that more than one distribution installs a package of.

    Args:
        names: import names that are needed, and the distribution of each.
        homes: distributions by import name.
    """
    lines = []
    for name in names:
        owners = sorted(set(homes.get(name, ())))
        if len(owners) > 1:
            words = f"{name}: installed by {' and by '.join(owners)}, the last one over the other"
            lines.append(f"{words}, expected one of them: uninstall both, then install that")
    return lines
