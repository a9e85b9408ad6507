"""Settings of the trainings within a search: the two stages, stored features, pre-training."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from auxnas.search.settings.fields import (
    AtLeastTwo,
    Natural,
    Positive,
    Precision,
    Range,
    Rate,
    SettingsSection,
)


class StageSettings(SettingsSection):
    """One of the two stages of training (paper, sections 3.2.1 and 4.1)."""

    epochs: Natural
    """Passes over the stage's images (paper: 5 and 1)."""
    batch_size: AtLeastTwo
    """Images a step (64 and 32)."""
    decoder_rate: Rate = 3e-3
    """Adam's learning rate for the decoder (paper: 3e-3)."""
    encoder_rate: Rate = 1e-3
    """Learning rate of SGD with momentum for the encoder (paper: 1e-3; stage 2 only)."""
    polyak: Annotated[float, Field(ge=0, lt=1)]
    """Decay of the parameters' running average (paper: 0.9 and 0.99)."""
    auxiliary: Rate = 0.15
    """Weight of each auxiliary output's loss (paper: none given; 0.15 ends its long training)."""
    distillation: Rate
    """Weight of the L2 loss against the teacher's logits (paper: 0.3 in stage 1 only)."""
    clip_norm: Rate = 3.0
    """Largest norm of a parameter group's gradient; 0 for no limit."""
    precision: Precision = "fp32"
    """Arithmetic of most of the training, as of ``train.precision`` (paper: fp32)."""


class FeatureSettings(SettingsSection):
    """The encoder outputs that stage 1 trains on, computed once."""

    images: AtLeastTwo = 4000
    """Largest number of meta-train images (paper: 4000)."""
    dtype: Literal["float16", "float32"] = "float16"
    """Type of the stored numbers."""


class PretrainSettings(SettingsSection):
    """Training of the encoder under a Light-Weight RefineNet decoder (paper, section 4)."""

    channels: Positive = 256
    """Channels of the Light-Weight RefineNet decoder (its authors: 256)."""
    epochs: Natural = 100
    """Passes over the meta-train images."""
    batch_size: AtLeastTwo = 16
    """Images a step."""
    rate: Rate = 3e-3
    """Adam's learning rate, for encoder and decoder alike."""
    poly: Rate = 0.9
    """Power of the learning rate's decay to 0."""
    polyak: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Decay of the parameters' running average; 0 keeps the last ones."""
    scale: Range = (0.5, 2.0)
    """Range of random magnification (paper: 0.5 to 2)."""
    seed: Natural = 0
    """Seed of the initial weights and of the order of images."""
