"""Images and labels: files, rendered scenes, checks and training transforms."""

from auxnas.compiler.tasks import IGNORE
from auxnas.search.data.augment import Augment
from auxnas.search.data.base import BaseDataset, Dataset
from auxnas.search.data.check import CheckProgress, Summary, check
from auxnas.search.data.errors import DataError
from auxnas.search.data.files import FileDataset
from auxnas.search.data.scenes.draw import Keypoint, RenderedScene
from auxnas.search.data.scenes.synthetic import SyntheticDataset, render_scene
from auxnas.search.data.spec import open_dataset, parts
from auxnas.search.data.views import ResizedDataset, Subset, split_dataset, stack, subset
from auxnas.search.data.voc import VOC_CLASSES

__all__ = [
    "IGNORE",
    "VOC_CLASSES",
    "Augment",
    "BaseDataset",
    "CheckProgress",
    "DataError",
    "Dataset",
    "FileDataset",
    "Keypoint",
    "RenderedScene",
    "ResizedDataset",
    "Subset",
    "Summary",
    "SyntheticDataset",
    "check",
    "open_dataset",
    "parts",
    "render_scene",
    "split_dataset",
    "stack",
    "subset",
]
