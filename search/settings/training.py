"""Settings of a long training, with the paper's values as defaults (sections 4, 4.4 and 7.1)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from auxnas.search.settings.fields import (
    AtLeastTwo,
    LearnerName,
    Natural,
    Positive,
    Precision,
    Rate,
    SettingsSection,
    Source,
    Threads,
)
from auxnas.search.settings.presets import PRESETS
from auxnas.search.settings.search import (
    DataSettings,
    LossSettings,
    ModelSettings,
    Settings,
    TaskSettings,
)
from auxnas.search.settings.stages import PretrainSettings

Length = Annotated[float, Field(gt=0)]


class TrainSettings(SettingsSection):
    """Schedule and losses of a long training.

    The paper goes through three sets of images, and through the last one in two halves: four
    phases, all on one set unless ``data`` names others.
    """

    phases: Annotated[tuple[Length, ...], Field(min_length=1)] = (30, 50, 50, 50)
    """Lengths of the phases, relative to one another (paper: 30, 50, and 100 in two halves)."""
    data: tuple[Source, ...] = ()
    """Images of the first phases, one source each; the phases after them have ``data.source``
    (paper: COCO, SBD and VOC together, then SBD and VOC, then VOC)."""
    rates: tuple[Rate, ...] | None = None
    """What the learning rates are multiplied with in each phase; none given: as ``schedule``."""
    epochs: Positive = 180
    """Passes over the training images, one a phase at least (paper: 30 + 50 + 100)."""
    auxiliary: tuple[Rate, ...] = (0.3, 0.25, 0.2, 0.15)
    """Weight of each auxiliary output's loss in each phase, or one for all (paper: 0.3, 0.25, 0.2,
    0.15)."""
    frozen: Natural = 1
    """Number of phases at the end with frozen batch-norm statistics (paper: the last)."""
    schedule: Literal["halving", "poly", "cosine"] = "halving"
    """Learning rates: halved from phase to phase (paper), or times (1 - done) ^ poly, or times
    (1 + cos(pi done)) / 2."""
    poly: Rate = 0.9
    """Power of the poly schedule."""
    poly_epochs: Natural = 0
    """Epochs after which the poly or cosine schedule would come to 0, ``epochs`` at least; 0 for
    those of the training (paper for depth: 400, of which 300 are trained)."""
    warm_up: Rate = 0.0
    """Epochs in which learning rates rise to what the schedule says (paper: none)."""
    batch_size: AtLeastTwo = 64
    """Images a step (paper: 64)."""
    accumulate: Positive = 1
    """Parts that a batch is taken through in turn where memory is short; batch norm sees parts."""
    processes: Annotated[int, Field(ge=1, le=64)] = 1
    """Processes that share each batch, on the GPUs ``cuda:0``, ``cuda:1`` ... where there are any;
    a batch has two images for each at least."""
    precision: Precision = "fp32"
    """Arithmetic of most of the network: auto is bf16 on GPUs that have it, fp16 on older ones with
    tensor cores, else fp32; where anything is not finite it goes on in fp32."""
    decoder_rate: Rate = 3e-3
    """Learning rate for the decoder (paper: 3e-3, for depth 7e-3)."""
    decoder_optimiser: Literal["adam", "sgd"] = "adam"
    """Rule that updates the decoder: Adam (paper), or SGD with momentum 0.9 (paper for depth)."""
    beta2: Annotated[float, Field(ge=0, lt=1)] = 0.99
    """Decay of Adam's average of squared gradients (paper: 0.99)."""
    epsilon: Length = 1e-3
    """Adam's epsilon, added to that average's root (paper: 0.001)."""
    encoder_rate: Rate = 1e-3
    """Learning rate for the encoder (paper: 1e-3)."""
    encoder_optimiser: Literal["adam", "sgd"] = "sgd"
    """Rule that updates the encoder: SGD with momentum 0.9 (paper), or Adam (paper for pose)."""
    decoder_decay: Rate = 0.0
    """Weight decay of the decoder, of convolutions' weights alone (paper: none given)."""
    encoder_decay: Rate = 0.0
    """Weight decay of the encoder, likewise."""
    clip_norm: Rate = 3.0
    """Largest norm of a parameter group's gradient; 0 for no limit."""
    polyak: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Decay of the parameters' running average (paper: none in long training)."""
    teacher: str | None = None
    """File or folder of a trained network to learn from as well (paper: none)."""
    distillation: Rate = 0.3
    """Weight of the L2 loss against the teacher's logits, where there is one."""
    channels: Positive = 256
    """Channels of a hand-made decoder, when one is trained (their authors: 256)."""
    checkpoint: Positive = 1
    """Epochs from one checkpoint to the next."""
    validate_every: Positive = 5
    """Epochs from one validation to the next."""

    @field_validator("epochs")
    @classmethod
    def _one_a_phase(cls, value: int, info: ValidationInfo) -> int:
        least = len(info.data.get("phases", ()))
        if value < least:
            raise ValueError(f"at least {least}, one for each of train.phases")
        return value

    @field_validator("auxiliary")
    @classmethod
    def _one_weight_a_phase(
        cls, value: tuple[float, ...], info: ValidationInfo
    ) -> tuple[float, ...]:
        phases = info.data.get("phases", value)
        if len(value) == 1:
            return value * len(phases)
        if len(value) != len(phases):
            raise ValueError(f"{len(phases)} numbers, one for each of train.phases, or one for all")
        return value

    @field_validator("rates")
    @classmethod
    def _one_rate_a_phase(
        cls, value: tuple[float, ...] | None, info: ValidationInfo
    ) -> tuple[float, ...] | None:
        return value if value is None else cls._one_weight_a_phase(value, info)

    @field_validator("data")
    @classmethod
    def _fewer_than_phases(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        most = len(info.data.get("phases", value)) - 1
        if len(value) > max(most, 0):
            raise ValueError(f"at most {most}, as the last of train.phases has data.source")
        return value

    @field_validator("poly_epochs")
    @classmethod
    def _no_less(cls, value: int, info: ValidationInfo) -> int:
        if value and value < info.data.get("epochs", 0):
            raise ValueError(f"0, or at least {info.data['epochs']}, as train.epochs")
        return value

    @field_validator("warm_up")
    @classmethod
    def _ends_in_time(cls, value: float, info: ValidationInfo) -> float:
        if value and value >= info.data.get("epochs", value + 1):
            raise ValueError(f"less than {info.data['epochs']}, as train.epochs")
        return value

    @property
    def horizon(self) -> float:
        """Share of the poly schedule's way to 0 that the training goes."""
        return self.epochs / self.poly_epochs if self.poly_epochs else 1.0

    def ends(self) -> list[int]:
        """The epoch at which each phase ends; each has one at least."""
        whole, count = sum(self.phases), len(self.phases)
        shares = [round(self.epochs * part / whole) for part in accumulate(self.phases)]
        ends = list(accumulate(shares, lambda last, end: max(last + 1, end), initial=0))[1:]
        return [min(end, self.epochs - (count - n)) for n, end in enumerate(ends, 1)]


class TrainingSettings(SettingsSection):
    """A whole long training."""

    seed: Natural = 0
    """Seed that everything random but the encoder's pre-training derives from."""
    learner: LearnerName = "torch"
    """Framework that trains: torch, or null, which only pretends to."""
    threads: Threads | None = None
    """Processor threads within an operation; none given: all cores."""
    encoder_weights: str | None = None
    """File with the encoder's weights; ``published``: those that timm or torchvision publish, which
    they fetch; ``none``: random ones; none given: it is pre-trained on the data."""
    data: DataSettings = DataSettings()
    """Images to train on."""
    task: TaskSettings = TaskSettings(ignore=())
    """Task of the network; all classes count in its scores unless some are named."""
    loss: LossSettings = LossSettings()
    """Loss of segmentation."""
    model: ModelSettings = ModelSettings(agg_size=64, sep_repeats=2)
    """Network around the genotype (paper: 64 channels, 2 repetitions in training)."""
    pretrain: PretrainSettings = PretrainSettings()
    """Pre-training of the encoder where no weights are given."""
    train: TrainSettings = TrainSettings()
    """Schedule and losses."""

    def search(self) -> Settings:
        """The settings of a search on the same data with the same encoder."""
        first = Settings().stage1.model_copy(update={"distillation": 0.0})
        return Settings(**{name: getattr(self, name) for name in SHARED}, stage1=first)


SHARED = tuple(name for name in TrainingSettings.model_fields if name != "train")
"""Sections that a long training has in common with a search."""

_SIZES = ("agg_size", "sep_repeats")
"""Model settings that differ between search and training (paper, section 4)."""

TRAIN_PRESETS: dict[str, dict[str, Any]] = {
    # Section 7.1: cut out of images at their own size, which in COCO is 640x640 at most.
    "paper": {"data": {"size": (640, 640), "crop": (450, 450), "fit": "pad"}},
    # One phase, poly, Adam for all, no auxiliary losses: bench/training/recipe.py compares parts.
    "small": {
        "train": {
            "phases": [1],
            "epochs": 60,
            "auxiliary": [0.0],
            "frozen": 0,
            "schedule": "poly",
            "batch_size": 8,
            "encoder_optimiser": "adam",
            "encoder_rate": 5e-4,
            "beta2": 0.999,
            "epsilon": 1e-8,
        }
    },
    "demo": {"model": {"agg_size": 16}, "train": {"epochs": 8, "batch_size": 8}},
    "paper-depth": {
        "train": {
            "phases": [1],
            "epochs": 300,
            "auxiliary": [0.0],
            "frozen": 0,
            "schedule": "poly",
            "poly_epochs": 400,
            "batch_size": 32,
            "decoder_rate": 7e-3,
            "decoder_optimiser": "sgd",
            "clip_norm": 0.0,
        }
    },
    "demo-depth": {"model": {"agg_size": 16}, "train": {"epochs": 8, "batch_size": 8}},
    "paper-pose": {
        "train": {
            "phases": [90, 30, 20],
            "rates": [1.0, 0.1, 0.01],
            "epochs": 140,
            "auxiliary": [0.0, 0.0, 0.0],
            "frozen": 0,
            "batch_size": 128,
            "decoder_rate": 1e-3,
            "encoder_optimiser": "adam",
            "encoder_rate": 1e-3,
            "beta2": 0.999,
            "epsilon": 1e-8,
            "clip_norm": 0.0,
        }
    },
    "demo-pose": {
        "model": {"agg_size": 16},
        "train": {
            "epochs": 20,
            "batch_size": 16,
            "encoder_optimiser": "adam",
            "beta2": 0.999,
            "epsilon": 1e-8,
        },
    },
}
"""Settings that a training adds to the preset of the same name."""


def like_search(values: Mapping[str, Any]) -> dict[str, Any]:
    """A layer of training settings from those of a search or its preset: the same data and
    encoder, the model at the size of training.
    """
    shared = {name: value for name, value in values.items() if name in SHARED}
    shared["model"] = {n: v for n, v in shared.get("model", {}).items() if n not in _SIZES}
    shared["task"] = {n: v for n, v in shared.get("task", {}).items() if v is not None}
    return shared


def preset_layers(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The layers of a preset: what it shares with a search, and what is of training alone."""
    return like_search(PRESETS[name]), TRAIN_PRESETS[name]
