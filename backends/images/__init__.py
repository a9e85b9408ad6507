"""Pictures on disk: the one reader of photographs, of label images, and of folders of them."""

from auxnas.backends.images.errors import DataError
from auxnas.backends.images.feeding import batches, fed
from auxnas.backends.images.folders import SUFFIXES, find_images, labels_of
from auxnas.backends.images.informative import Judged, judge
from auxnas.backends.images.opening import Header, header
from auxnas.backends.images.reading import (
    check_sizes,
    manner,
    read_label,
    read_photograph,
    resize_indices,
    resize_rgb,
)

__all__ = [
    "SUFFIXES",
    "DataError",
    "Header",
    "Judged",
    "batches",
    "check_sizes",
    "fed",
    "find_images",
    "header",
    "judge",
    "labels_of",
    "manner",
    "read_label",
    "read_photograph",
    "resize_indices",
    "resize_rgb",
]
