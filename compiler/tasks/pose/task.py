"""Human pose (paper, section 7.2): the joints of the person in a crop, by a map for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from auxnas.compiler.errors import CompilerError, check_choice, check_number
from auxnas.compiler.tasks.base import (
    Metric,
    PixelPicture,
    Prediction,
    Score,
    ScoreTable,
    Sums,
    Task,
)
from auxnas.compiler.tasks.growing import grown
from auxnas.compiler.tasks.heads import Disagreement, Head, Mirroring
from auxnas.compiler.tasks.pose.drawing import draw_skeleton
from auxnas.compiler.tasks.pose.heatmaps import STRIDE, gaussian_maps, map_size
from auxnas.compiler.tasks.pose.joints import Joints
from auxnas.compiler.tasks.pose.packing import packed, unpacked
from auxnas.compiler.tasks.pose.published import part_shares
from auxnas.compiler.tasks.pose.scores import (
    DISTANCES,
    OKS_SUMS,
    pose_figures,
    pose_sums,
)
from auxnas.compiler.tasks.pose.skeletons import Skeleton, named_skeleton
from auxnas.compiler.tasks.pose.tables import METRICS, joint_shares, joint_table
from auxnas.compiler.tasks.target import Size, TargetFormat

Array = np.ndarray[Any, Any]

NUMBERS = {"sigma": (0.5, 8.0), "scaling": (0.0, 0.9), "turning": (0.0, 90.0)}
"""Options that are numbers, and their bounds."""
FLIPS = ("none", "0", "1", "measured")
OPTIONS = ("skeleton", "reward", "flip", *NUMBERS)
"""Options of the task, behind its name: ``pose,skeleton=mpii,reward=pckh_50``."""
REWARDS = ("oks", "pckh_50", "pck_20")
"""Metrics that a reward can be. None is AP, which is 0 for all weak networks alike."""
_NEEDS = {
    "oks": "an area",
    "pckh_50": "the size of a head",
    "pck_20": "left shoulder and right hip",
}


@dataclass(frozen=True)
class HumanPose(Task):
    """The joints of the person in a crop: a map for each, at a quarter of the crop's sides.

    Attributes:
        classes: of the data; means nothing here.
        ignore: likewise.
        skeleton: the joints: ``coco``, ``mpii``, or their names, ``a+b+c``.
        reward: the metric that is the reward, one of ``REWARDS``.
        sigma: of the targets' Gaussians, in cells of the maps.
        scaling: spread of the random magnifications of training: 1 + ``scaling`` x N, clipped
            to 1 - ``scaling`` and 1 + ``scaling``.
        turning: degrees, spread of the random turns, which are clipped to twice as many.
        flip: the flip test: ``none``, the maps of the mirrored crop moved by ``0`` or ``1`` cells
            and averaged with the crop's, or the one of these that is ``measured`` to be better.

    Raises:
        CompilerError: naming the one that is out of range.
    """

    skeleton: str = "coco"
    reward: str = "oks"
    sigma: float = 2.0
    scaling: float = 0.3
    turning: float = 40.0
    flip: str = "none"

    name: ClassVar[str] = "pose"
    measured: ClassVar[str] = "keypoints"
    first_scale: ClassVar[float] = 0.02  # from maps of 1 some networks come to 0, and stay there
    disagrees: ClassVar[Disagreement] = Disagreement(
        "moved_joints",
        "{:.3%} of joints move by more than a cell",
        "of joints that move",
        "{:.3f} pixels apart",
    )

    def __post_init__(self) -> None:
        check_choice("task.reward", self.reward, REWARDS)
        check_choice("task.flip", self.flip, FLIPS)
        for name, bounds in NUMBERS.items():
            check_number(f"task.{name}", getattr(self, name), *bounds)
        _ = self.joints

    @classmethod
    def made(
        cls, classes: tuple[str, ...] = (), ignore: tuple[str, ...] = (), **options: str
    ) -> HumanPose:
        """The task of options as text, ``sigma="1.5"``.

        Raises:
            CompilerError: for an option that there is not, or text that is no number.
        """
        unknown = sorted(options.keys() - set(OPTIONS))
        if unknown:
            raise CompilerError("task pose", f"no option {unknown[0]!r}", ", ".join(OPTIONS))
        values: dict[str, Any] = dict(options)
        for name in NUMBERS.keys() & options.keys():
            try:
                values[name] = float(options[name])
            except ValueError:
                raise CompilerError(f"task.{name}", repr(options[name]), "a number") from None
        return cls(classes, ignore, **values)

    @cached_property
    def joints(self) -> Skeleton:
        """The skeleton itself."""
        return named_skeleton(self.skeleton)

    @property
    def outputs(self) -> int:
        """A map for each joint."""
        return len(self.joints)

    @property
    def labels(self) -> TargetFormat:
        """Joints of a person."""
        return Joints(skeleton=self.joints)

    @property
    def target(self) -> TargetFormat:
        """Maps, and the label beside them; see ``packing``."""
        return TargetFormat("float32", float("nan"), len(self.joints) + 1, linear=True)

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """The reward first."""
        return MappingProxyType({self.reward: METRICS[self.reward], **METRICS})

    @property
    def heads(self) -> Mapping[str, Head]:
        """The maps as they are, and each joint's x, y and score: (N, K, 3), pixels of the crop."""
        return {
            "logits": Head(),
            "keypoints": Head((("keypoints", {"stride": STRIDE}),), stride=STRIDE),
        }

    @property
    def losses(self) -> str:
        """The mean squared error of the maps of joints that count."""
        return "auxnas.backends.torch.pose:MapLosses"

    @property
    def mirroring(self) -> Mirroring | None:
        """The flip test, where its shift is known."""
        known = self.flip.isdecimal()
        return Mirroring(self.joints.mirrored, int(self.flip)) if known else None

    @property
    def candidates(self) -> Mapping[str, Task]:
        """Both shifts, where they are to be measured."""
        shifts = FLIPS[1:3] if self.flip == "measured" else ()
        return {f"flip={shift}": replace(self, flip=shift) for shift in shifts}

    @property
    def augmentation(self) -> str:
        """Turns, magnifications and mirrors of a person."""
        return "auxnas.search.data.pose.augment:PersonAugment.of"

    def target_of(self, label: Array, image: Callable[[], Array]) -> Array:
        """Maps of the joints at a quarter of the image's sides, and the label."""
        height, width = image().shape[:2]
        maps, weights = gaussian_maps(label[:-1], map_size((height, width)), self.sigma)
        return packed(maps, weights, label)

    def fault(self, target: Array, outputs: int) -> str | None:
        """Names outputs, or targets, of another number of joints."""
        for found, what in ((outputs, "output channels"), (target.shape[-1] - 1, "maps")):
            if found != len(self.joints):
                return f"pose: {found} {what}, expected {len(self.joints)} ({self.joints.name})"
        return None

    def measure(self, output: Array, target: Array) -> Sums:
        """Sums over persons; see ``scores``.

        Args:
            output: (N, K, 3) keypoints.
            target: (N, h, w, K + 1).
        """
        return pose_sums(output, unpacked(target), self.joints)

    def score(self, sums: Sums) -> Score:
        """The reward is the metric that ``reward`` says.

        Raises:
            ValueError: when no person has what it needs.
        """
        found = pose_figures(sums, self.joints)
        if self.reward not in found:
            others = " or ".join(f"reward={name}" for name in REWARDS if name in found)
            hint = f": pose,{others}?" if others else ""
            raise ValueError(f"pose: no person has {_NEEDS[self.reward]}{hint}")
        known = {name: found[name] for name in self.metrics if name in found}
        return Score(found[self.reward], known)

    def details(self, sums: Sums) -> Mapping[str, Any]:
        """What was counted, each joint's share of hits, and PCKh@0.5 as published, by part."""
        joints, apart = (float(each) for each in sums[DISTANCES].sum(0))
        return {
            "persons": int(sums[OKS_SUMS][0]),
            "joints": int(joints),
            "flip": self.flip,
            "mean_distance": apart / joints if joints else None,
            "per_joint": dict(zip(self.joints.joints, joint_shares(sums), strict=True)),
            "per_part": part_shares(sums, self.joints),
        }

    def table(self, sums: Sums) -> ScoreTable:
        """A row a joint, the metrics below."""
        return joint_table(self.score(sums).metrics, sums, self.joints)

    def sized(self, output: Array, head: str, size: Size, fed: Size | None = None) -> Array:
        """One image's keypoints in its own pixels: (1, K, 3).

        Args:
            output: (K, h, w) maps, or (K, 3) keypoints.
            head: what gave it.
            size: (height, width) of the image.
            fed: of the image that the network was given, which that one was brought to.
        """
        fed = fed or size
        if head == "logits":
            output = self.heads[self.measured].of(grown(output, map_size(fed))[None])[0]
        growth = np.array([size[1] / fed[1], size[0] / fed[0], 1], output.dtype)
        found: Array = (output * growth)[None]
        return found

    def answer(self, output: Array) -> Array:
        """Keypoints as they are: (N, K, 3), x, y and score."""
        return output

    def picture(self, target: Array, palette: Array) -> Array:
        """The skeleton of a target, on black."""
        canvas = np.zeros((STRIDE * target.shape[0], STRIDE * target.shape[1], 3), np.uint8)
        return self.panel(canvas, target, palette)

    def panel(self, image: Array, part: Array, palette: Array) -> Array:
        """The skeleton of a target (h, w, K + 1), or of an answer (K, 3), over the image."""
        joints = unpacked(part[None])[0][:-1] if part.ndim == 3 else part
        return draw_skeleton(image, joints, self.joints)

    def predicted(self, answer: Array, image: Array, palette: Array, alpha: float) -> Prediction:
        """The skeleton over the image, and its joints as data."""
        over = self.panel(image, answer, palette)
        mixed = np.rint((1 - alpha) * image + alpha * over.astype(np.float32)).astype(np.uint8)
        joints = {
            name: [round(float(value), 3) for value in row]
            for name, row in zip(self.joints.joints, answer, strict=True)
        }
        seen = int((answer[:, 2] > 0).sum())
        line = f"{seen} of {len(answer)} joints, mean score {float(answer[:, 2].mean()):.3f}"
        return Prediction({"overlay": PixelPicture(mixed)}, line, {"keypoints": joints})

    def disagreement(self, one: Array, other: Array) -> float:
        """Share of joints whose cell is another one, neighbours apart."""
        return float((np.abs(self._cells(one) - self._cells(other)).max(-1) > 1).mean())

    def distance(self, one: Array, other: Array) -> Array | None:
        """Pixels between the keypoints of two outputs (N, K, 3): (N, K); None between maps."""
        if one.ndim == 4:
            return None
        found: Array = np.linalg.norm(one[..., :2].astype(np.float64) - other[..., :2], axis=-1)
        return found

    def _cells(self, output: Array) -> Array:
        """(N, K, 2): each joint's cell, x and y, of maps or of keypoints."""
        if output.ndim == 4:
            output = self.heads[self.measured].of(output)
        return np.rint(output[..., :2] / STRIDE)
