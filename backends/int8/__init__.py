"""Static quantisation: int8 arithmetic where photographs show that it does no harm.

Starts from our float32 ONNX. Ranges of activations come from the user's photographs;
some of those are kept apart to judge the result by. ``backends.int8.artefact`` does the
work and needs onnxruntime; what is here says what is wanted.
"""

from auxnas.backends.int8.options import MAX_DROP, Int8Options, NetworkEnds
from auxnas.backends.int8.photographs import Photographs, find_photographs, read_labels

__all__ = [
    "MAX_DROP",
    "Int8Options",
    "NetworkEnds",
    "Photographs",
    "find_photographs",
    "read_labels",
]
