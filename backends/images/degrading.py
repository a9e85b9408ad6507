"""Images that lost something: blurred, or compressed as JPEG. All are uint8 RGB (H, W, 3)."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Pixels = NDArray[np.uint8]

_WORST = 5
"""JPEG's quality is never lower."""


def blur(image: Pixels, deviation: float) -> Pixels:
    """The image under a Gaussian of this deviation in pixels, by repeated box blurs."""
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(deviation)))


def compress(image: Pixels, quality: float) -> Pixels:
    """The image as JPEG of a quality 0 to 1 keeps it; below 0.05 as 0.05."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=max(_WORST, round(100 * quality)))
    return np.asarray(Image.open(buffer))
