"""Pictures on disk: the one reader of photographs, of label images, and of folders of them."""

from auxnas.backends.images.errors import DataError
from auxnas.backends.images.feeding import (
    input_batches,
    network_input,
    normalisation_terms,
    normalise,
)
from auxnas.backends.images.folders import (
    SUFFIXES,
    check_distinct_stems,
    find_images,
    find_label_images,
    kinds_there,
    label_suffixes,
)
from auxnas.backends.images.informative import (
    JudgedPhotographs,
    dark_remark,
    judge_photographs,
    labels_remark,
)
from auxnas.backends.images.opening import Header, header
from auxnas.backends.images.reading import (
    check_sizes,
    read_coloured_label,
    read_label,
    read_numbers,
    read_photograph,
    reading_manner,
    resize_indices,
    resize_rgb,
)

__all__ = [
    "SUFFIXES",
    "DataError",
    "Header",
    "JudgedPhotographs",
    "check_distinct_stems",
    "check_sizes",
    "dark_remark",
    "find_images",
    "find_label_images",
    "header",
    "input_batches",
    "judge_photographs",
    "kinds_there",
    "label_suffixes",
    "labels_remark",
    "network_input",
    "normalisation_terms",
    "normalise",
    "read_coloured_label",
    "read_label",
    "read_numbers",
    "read_photograph",
    "reading_manner",
    "resize_indices",
    "resize_rgb",
]
