"""Trained networks of a run: written before the journal knows of them, the best ones kept."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from auxnas.compiler import Graph, ModelSpec, Program, lower
from auxnas.compiler.encoders import Normalisation
from auxnas.compiler.weights import fit_params, load_weights, save_weights
from auxnas.genotype import Genotype, to_json
from auxnas.search.data.views import STRETCH
from auxnas.search.trials.records import Trial

FOLDER = "weights"
"""Of the networks' files, in a run's folder."""
_NAME = re.compile(r"trial-(\d{5,9})\.safetensors")


@dataclass(frozen=True)
class RunWeights:
    """The weight files of a run.

    Attributes:
        run: the run's folder.
        spec: the model; its auxiliary heads are not kept.
        classes: the class names.
        palette: their colours, [red, green, blue] each.
        size: (height, width) of the images.
        best: how many of the best trials' are kept.
        fit: how images were brought to that size.
    """

    run: Path
    spec: ModelSpec
    classes: tuple[str, ...]
    palette: list[list[int]]
    size: tuple[int, int]
    best: int = 1
    fit: str = STRETCH

    def keep(self, trial: Trial, program: Program) -> None:
        """Stores the network that ``trial`` ended with, auxiliary heads apart."""
        self.path(trial).parent.mkdir(parents=True, exist_ok=True)
        self.save(self.path(trial), trial.genotype, program.params)

    def save(self, path: Path, genotype: Genotype, params: Mapping[str, Any]) -> None:
        """Writes a network's weights with all it takes to use them."""
        metadata = {
            "genotype": json.loads(to_json(genotype)),
            "model": without_auxiliary(self.spec).to_dict(),
            **usage_metadata(
                self.classes,
                self.palette,
                self.size,
                self.spec.find_encoder().normalisation,
                self.fit,
            ),
        }
        save_weights(path, fit_params(self.graph(genotype), params, str(path)), metadata)

    def graph(self, genotype: Genotype) -> Graph:
        """The network without auxiliary heads."""
        return shipped_graph(genotype, self.spec)

    def program(self, trial: Trial) -> Program:
        """The network that ``trial`` ended with.

        Raises:
            CompilerError: when its file is missing or damaged.
        """
        path, graph = self.path(trial), self.graph(trial.genotype)
        return Program(graph, fit_params(graph, load_weights(path)[0], str(path)), trial.key)

    def prune(self, best: Sequence[Trial], count: int) -> None:
        """Drops files of the first ``count`` trials but the best; nothing else or behind a link."""
        folder = self.run / FOLDER
        if folder.is_symlink() or not folder.is_dir():
            return
        kept = {self.path(trial).name for trial in best}
        for entry in [*os.scandir(folder)]:
            match = _NAME.fullmatch(entry.name)
            ours = match and int(match[1]) < count and entry.name not in kept
            if ours and entry.is_file(follow_symlinks=False):
                Path(entry.path).unlink(missing_ok=True)

    def path(self, trial: Trial) -> Path:
        """The file of a trial, whether or not it is there."""
        return weights_file(self.run, trial.number)


def weights_file(run: Path, number: int) -> Path:
    """The file with the weights of trial ``number`` of the run in a folder."""
    return run / FOLDER / f"trial-{number:05}.safetensors"


@lru_cache(maxsize=8)
def shipped_graph(genotype: Genotype, spec: ModelSpec) -> Graph:
    """The network of ``without_auxiliary(spec)``: asked for some times by each trial, made once.

    Raises:
        CompilerError: when an operation of its vocabulary does not make a graph.
    """
    return lower(genotype, without_auxiliary(spec))


def without_auxiliary(spec: ModelSpec) -> ModelSpec:
    """The model as it is used once trained: without auxiliary heads."""
    return replace(spec, auxiliary="none")


def usage_metadata(
    classes: Sequence[str],
    palette: Any,
    size: tuple[int, int],
    by: Normalisation,
    fit: str = STRETCH,
) -> dict[str, Any]:
    """Metadata of a weights file for using its network: image size, normalisation, classes."""
    normalisation = {"mean": by.mean, "deviation": by.deviation}
    found = {"classes": classes, "palette": palette, "size": size, "normalisation": normalisation}
    return found if fit == STRETCH else {**found, "fit": fit}
