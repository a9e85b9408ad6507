"""Depth estimation: metres from the camera, one number a pixel."""

from auxnas.compiler.tasks.depth.crops import CROPS
from auxnas.compiler.tasks.depth.task import METRES, MISSING, Depth

__all__ = ["CROPS", "METRES", "MISSING", "Depth"]
