"""An encoder to start from: given, kept from an earlier run, or trained on the data.

The paper takes an encoder trained for segmentation on COCO under the Light-Weight
RefineNet decoder (section 4). Here the same pair is trained on the meta-train images,
and the whole of it then serves as the teacher of stage 1 (section 3.2.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from backends.base import Learner, Optimiser, Recipe, Step
from backends.registry import backend
from compiler import CompilerError, Graph, ModelSpec, Program, lower_refinenet
from compiler.weights import fit, initial, load_weights, save_weights
from search.cache import digest
from search.config import PretrainSettings
from search.examples import ImageExamples
from search.progress import Display
from search.tasks import Segmentation

Params = Mapping[str, NDArray[Any]]
PREFIX = "encoder."
_VALIDATION_BATCH = 16


@dataclass(frozen=True)
class Encoder:
    """Weights to start from.

    Attributes:
        params: the encoder's arrays, and perhaps more.
        teacher: the network it was trained in, if it is at hand.
    """

    params: Params
    teacher: Program | None = None


@dataclass(frozen=True)
class Pretraining:
    """Everything that a pre-trained encoder depends on.

    Attributes:
        learner: who trains.
        label: names the learner.
        spec: the model; only encoder and classes matter.
        settings: how.
        train: images to train on.
        val: images to measure on.
        data_key: names the images.
        task: scores the result, for the message.
    """

    learner: Learner
    label: str
    spec: ModelSpec
    settings: PretrainSettings
    train: ImageExamples
    val: ImageExamples
    data_key: str
    task: Segmentation

    @property
    def graph(self) -> Graph:
        """Encoder and Light-Weight RefineNet."""
        return lower_refinenet(self.spec, self.settings.channels)

    @property
    def key(self) -> str:
        """Names the result: a hash of all that it depends on."""
        settings = self.settings.model_dump(mode="json")
        known = (self.label, self.data_key, list(self.train.indices), settings)
        return digest("pretrained", *known, repr(self.train.augment), str(self.graph))

    def recipe(self) -> Recipe:
        """One Adam for everything: nothing here is trained yet."""
        settings = self.settings
        return Recipe(
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            optimisers=(Optimiser("", "adam", settings.rate),),
            polyak=settings.polyak,
            poly=settings.poly,
            auxiliary=0.0,
        )


def pretrained_encoder(work: Pretraining, cache: Path, display: Display) -> Encoder:
    """The encoder kept from an earlier run, or else a newly trained one, which is kept.

    Raises:
        TrialFailure: when training fails.
        OSError: when it cannot be kept.
    """
    path = cache / "encoders" / f"{work.key}.safetensors"
    kept = _kept(path, work.graph, display)
    if kept is None:
        kept = _train(work, display)
        path.parent.mkdir(parents=True, exist_ok=True)
        metadata = {"model": work.spec.to_dict(), "pretrain": work.settings.model_dump()}
        save_weights(path, kept, metadata)
        display.say(f"encoder: pre-trained, {_quality(work, kept)}, kept as {path}")
    return Encoder(kept, Program(work.graph, kept, "refinenet"))


def _kept(path: Path, graph: Graph, display: Display) -> Params | None:
    """Sound weights in ``path``, if there are any."""
    if not path.exists():
        return None
    try:
        params = fit(graph, load_weights(path)[0], str(path))
    except CompilerError as error:
        display.say(f"encoder: the one kept is damaged ({error}), training again")
        return None
    display.say(f"encoder: pre-trained earlier on these data, using {path}")
    return params


def _train(work: Pretraining, display: Display) -> Params:
    start = Program(work.graph, initial(work.graph, work.settings.seed), "refinenet")
    with display.task("pre-training the encoder", 1000) as advance:

        def progress(step: Step) -> None:
            advance(1000 * step.step // step.steps, f"loss {step.loss:.3f}")

        seed = work.settings.seed
        return work.learner.fit(start, work.train, work.recipe(), seed, progress).params


def _quality(work: Pretraining, params: Params) -> str:
    program = Program(work.graph, params, "refinenet")
    classes = len(work.task.classes)
    counts = work.learner.confusion(program, work.val, classes, _VALIDATION_BATCH)
    return f"mIoU {work.task.score(counts).metrics['miou']:.3f} on meta-val with its own decoder"


def given_encoder(path: str, graph: Graph) -> Encoder:
    """The encoder in a file: ours, which needs no torch, or torchvision's mobilenet_v2.

    Args:
        path: the file.
        graph: a graph with the encoder alone.

    Raises:
        CompilerError: when it cannot be read or does not fit.
        BackendUnavailable: for torchvision's, when torch is not installed.
    """
    if path.endswith(".safetensors"):
        params = load_weights(path)[0]
        if any(name.startswith(PREFIX) for name in params):
            return Encoder(fit(graph, params, path))
    load = backend("encoder", "torch")
    return Encoder(fit(graph, load(path, graph), path))
