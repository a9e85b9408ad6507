"""Images and labels: files, rendered scenes, checks and training transforms."""

from search.data.augment import MEAN, STD, Augment, normalise
from search.data.base import (
    IGNORE,
    Dataset,
    ResizedDataset,
    Subset,
    split,
    stack,
    subset,
)
from search.data.check import Progress, Summary, check
from search.data.errors import DataError
from search.data.files import VOC_CLASSES, FileDataset
from search.data.scene_draw import Keypoint, Scene
from search.data.spec import open_dataset, parts
from search.data.synthetic import SyntheticDataset, render

__all__ = [
    "IGNORE",
    "MEAN",
    "STD",
    "VOC_CLASSES",
    "Augment",
    "DataError",
    "Dataset",
    "FileDataset",
    "Keypoint",
    "Progress",
    "ResizedDataset",
    "Scene",
    "Subset",
    "Summary",
    "SyntheticDataset",
    "check",
    "normalise",
    "open_dataset",
    "parts",
    "render",
    "split",
    "stack",
    "subset",
]
