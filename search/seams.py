"""Searchers, executors and formats of data: which there are by name, and how one is made.

Each is a callable, a class or a function, found by name, by ``package.module:attribute``, or by
an entry point of the groups ``auxnas.searchers``, ``auxnas.executors`` and ``auxnas.datasets``.
The arguments that it is called with are in the tables below, the methods that it is then asked for
in ``Searcher``, ``Executor`` and ``Dataset``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from auxnas.genotype.plugins import PluginError, check_members, find_maker, locate
from auxnas.search.errors import SettingsError


class LibraryNames(NamedTuple):
    """Implementations of another library's.

    Attributes:
        place: of what gives one for the text behind the prefix.
        names: that such a text can begin with, options apart.
    """

    place: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Seam:
    """Kind of implementation that a user can supply.

    Attributes:
        setting: the setting that names the implementation.
        plural: of the kind, as in the group of entry points.
        table: our own implementations by name, and where each is.
        arguments: names of the arguments, in order.
        members: attributes that the object must have.
        easier: what an implementation may make instead, in words; empty where there is nothing.
        libraries: a library's implementations, by a prefix of ``genotype.plugins.LIBRARIES``.
    """

    setting: str
    plural: str
    table: Mapping[str, str]
    arguments: tuple[str, ...]
    members: tuple[str, ...]
    easier: str = ""
    libraries: Mapping[str, LibraryNames] = field(default_factory=dict)

    @property
    def takes(self) -> str:
        """The values of the setting, in words."""
        return f"{', '.join(self.names)}, or package.module:Class"

    @property
    def names(self) -> list[str]:
        """Of our implementations and of libraries', as the setting takes them."""
        pairs = ((prefix, name) for prefix, of in self.libraries.items() for name in of.names)
        return [*self.table, *(f"{prefix}:{name}" for prefix, name in pairs)]

    def known(self, name: str) -> str:
        """``name`` itself where it is known or a place; nothing is imported.

        Raises:
            ValueError: saying which are known, the nearest first.
        """
        try:
            locate(self.plural, name, dict.fromkeys(self.names, ""))
        except PluginError as error:
            raise ValueError(error.expected) from None
        return name

    def find(self, name: str) -> Callable[..., Any]:
        """The implementation called ``name``.

        Raises:
            SettingsError: when there is none, or it does not take the arguments.
        """
        library, _, text = name.partition(":")
        try:
            if library in self.libraries:
                places = {prefix: of.place for prefix, of in self.libraries.items()}
                made = find_maker(self.plural, library, places, ("text",))(text)
                maker: Callable[..., Any] = made
                return maker
            return find_maker(self.plural, name, self.table, self.arguments)
        except PluginError as error:
            raise SettingsError(self.setting, error.found, error.expected) from error

    def make(self, name: str, *arguments: Any) -> Any:
        """The object that the implementation called ``name`` makes of the arguments.

        Raises:
            SettingsError: as ``find`` does, or when the object lacks a member.
        """
        return self.checked(name, self.find(name)(*arguments))

    def checked(self, name: str, made: Any) -> Any:
        """The object that the implementation called ``name`` made.

        Raises:
            SettingsError: when it lacks a member.
        """
        try:
            check_members(self.plural, name, made, self.members)
        except PluginError as error:
            expected = f"{self.easier}{', or ' * bool(self.easier)}{error.expected}"
            raise SettingsError(self.setting, error.found, expected) from error
        return made


SEARCHERS = Seam(
    setting="search.searcher",
    plural="searchers",
    table={
        "ppo": "auxnas.search.searchers.gradient:PpoSearcher.make",
        "reinforce": "auxnas.search.searchers.gradient:ReinforceSearcher.make",
        "random": "auxnas.search.searchers.uniform:RandomSearcher.make",
        "evolution": "auxnas.search.searchers.evolution:EvolutionSearcher.make",
        "nsga2": "auxnas.search.searchers.genetic:GeneticSearcher.make",
        "predictor": "auxnas.search.searchers.predictor:PredictorSearcher.make",
    },
    arguments=("settings", "space", "seed", "framework"),
    members=("ask", "tell", "state", "restore"),
    libraries={
        "optuna": LibraryNames(
            "auxnas.search.searchers.optuna_sampler:find_sampler",
            ("tpe", "nsgaii", "nsgaiii", "gp", "random", "bruteforce"),
        )
    },
)
"""``settings`` are the run's ``SearchSettings``; ``space`` is where to search; everything random
derives from ``seed``; ``framework`` (``torch`` or ``null``) is the one to train a policy with."""

DATASETS = Seam(
    setting="data.source",
    plural="datasets",
    table={
        "synthetic": "auxnas.search.data.scenes.synthetic:SYNTHETIC",
        "list": "auxnas.search.data.listed:LIST",
        "voc": "auxnas.search.data.voc:VOC",
        "sbd": "auxnas.search.data.sbd:SBD",
        "coco": "auxnas.search.data.coco.reader:COCO",
        "cityscapes": "auxnas.search.data.layouts.cityscapes:CITYSCAPES",
        "coco-segments": "auxnas.search.data.coco.segments:COCO_SEGMENTS",
        "labelme": "auxnas.search.data.outlines.labelme:LABELME",
        "cvat": "auxnas.search.data.outlines.cvat:CVAT",
        "ultralytics": "auxnas.search.data.outlines.ultralytics:ULTRALYTICS",
        "hf": "auxnas.search.data.rows.arrow:HF",
        "ade20k": "auxnas.search.data.layouts.ade20k:ADE20K",
        "folder": "auxnas.search.data.layouts.folder:FOLDER",
        "depth": "auxnas.search.data.depth.files:DEPTH",
        "nyu": "auxnas.search.data.depth.nyu:NYU",
        "nyu-raw": "auxnas.search.data.depth.nyu:NYU_RAW",
        "coco-keypoints": "auxnas.search.data.pose.coco:COCO_KEYPOINTS",
        "mpii": "auxnas.search.data.pose.mpii:MPII",
    },
    arguments=("rest", "classes", "part"),
    members=("name", "classes", "palette", "__len__", "fingerprint", "image", "label"),
    easier="a list of pairs of an image and a label",
)
"""Readers of data formats, called like ``auxnas.search.data.base.Reader``; each gives a
``Dataset``."""


class DataForm(NamedTuple):
    """Text behind the name of a format of data.

    Attributes:
        words: in a list of what can be written.
        is_path: whether it is a place on disk, without which there are no data.
    """

    words: str
    is_path: bool


DATA_FORMS = {
    "synthetic": DataForm("[:COUNT]", is_path=False),
    "list": DataForm(":DIR_OR_FILE", is_path=True),
    "voc": DataForm(":DEVKIT", is_path=True),
    "sbd": DataForm(":DIR", is_path=True),
    "cityscapes": DataForm(":DIR", is_path=True),
    "coco-segments": DataForm(":DIR_OR_FILE.json", is_path=True),
    "coco": DataForm(":DIR_OR_FILE.json", is_path=True),
    "labelme": DataForm(":DIR", is_path=True),
    "cvat": DataForm(":DIR_OR_FILE.xml", is_path=True),
    "ultralytics": DataForm(":DIR_OR_FILE.yaml", is_path=True),
    "hf": DataForm(":DIR", is_path=True),
    "ade20k": DataForm(":DIR", is_path=True),
    "folder": DataForm(":DIR", is_path=True),
    "depth": DataForm(":DIR_OR_LIST", is_path=True),
    "nyu": DataForm(":FILE.mat", is_path=True),
    "nyu-raw": DataForm(":FILE.mat", is_path=True),
    "coco-keypoints": DataForm(":DIR_OR_JSON", is_path=True),
    "mpii": DataForm(":DIR_OR_FILE", is_path=True),
}
"""Text behind the name of each format of ours."""

EXECUTORS = Seam(
    setting="search.executor",
    plural="executors",
    table={
        "inline": "auxnas.search.executors.inline:Inline",
        "processes": "auxnas.search.executors.processes:Workers",
        "ray": "auxnas.search.executors.cluster:Cluster",
    },
    arguments=("evaluate", "settings"),
    members=("places", "submit", "next", "close"),
)
"""``evaluate(job, progress)`` gives a job's ``Outcome``, in this process or, pickled, in another;
``settings`` are the run's, among them ``workers`` and ``trial_timeout``."""
