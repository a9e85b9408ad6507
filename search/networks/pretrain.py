"""An encoder to start from: given, kept from an earlier run, or trained on the data.

The paper takes an encoder trained for segmentation on COCO under the Light-Weight
RefineNet decoder (section 4). Here the same pair is trained on the meta-train images,
and the whole of it then serves as the teacher of stage 1 (section 3.2.2).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from numpy.typing import NDArray

from auxnas.backends.base import Learner, Optimiser, Recipe, TrainingState
from auxnas.backends.caching import make_private
from auxnas.backends.progress import Display
from auxnas.compiler import (
    CompilerError,
    Graph,
    ModelSpec,
    Program,
    lower_refinenet,
)
from auxnas.compiler.encoders import PREFIX
from auxnas.compiler.files import put_aside
from auxnas.compiler.tasks import DEFAULT, Score, Task
from auxnas.compiler.weights import (
    USUAL_START,
    OutputStart,
    fit_params,
    initial_params,
    load_weights,
)
from auxnas.search.examples.images import ImageExamples, format_key, normalisation_key
from auxnas.search.networks.course import PARTS, Course, CourseProgress
from auxnas.search.settings.stages import PretrainSettings
from auxnas.search.storage.cache import json_digest, load_kept, params_digest, save_kept
from auxnas.search.storage.lock import exclusive_lock

Params = Mapping[str, NDArray[Any]]
Origin = Mapping[str, Any]
"""Course of a training, or the place that its result is from, as plain data."""
OTHER = ".other"
"""Put into the name of an encoder that is put aside, being another one than the folder's own."""
VERSION = 2
"""Of how encoders are trained: in version 1 the decoder began with other weights."""
_VALIDATION_BATCH = 16
_BETWEEN_SAVES = 60.0
"""Seconds of training after which its state is saved, roughly."""


HOW_TO_BEGIN = "--encoder-weights published (fetched) or FILE begins with ImageNet's"
"""Advice where an encoder begins with random weights."""


@dataclass(frozen=True)
class PretrainedEncoder:
    """Encoder weights that trials start from.

    Attributes:
        params: the encoder's arrays, and perhaps more.
        teacher: the network it was trained in, if it is at hand.
        unused: how many numbers its file has beside the encoder's.
        fresh: how many of its batch norms have the statistics that they were made with, and of
            how many.
    """

    params: Params
    teacher: Program | None = None
    unused: int = 0
    fresh: tuple[int, int] = (0, 0)

    @property
    def warning(self) -> str:
        """Oddity of its weights, in words; empty where there is none."""
        count, of = self.fresh
        if not count:
            return ""
        odd = f"{count} of its {of} batch norms have mean 0 and variance 1"
        return f"{odd}: folded, or never trained, and training changes what they compute"

    @property
    def carried(self) -> str:
        """Numbers taken out of its file, in words, and left in it."""
        taken = sum(array.size for array in self.params.values())
        rest = f"; {self.unused / 1e6:.2f} M others in it are no encoder's" if self.unused else ""
        return f"{taken / 1e6:.2f} M numbers carried over{rest}"


@dataclass(frozen=True)
class Pretraining:
    """Inputs of a pre-training: all that its result depends on.

    Attributes:
        learner: trains and scores programs.
        label: names the learner.
        spec: the model; only encoder and classes matter.
        settings: how.
        train: images to train on.
        val: images to measure on.
        data_key: names the images.
        task: what the decoder is trained for, and measured by.
        start: what the outputs' convolutions begin with.
        given: the encoder's arrays to begin with; none of them: random ones.
        begun_with: digest of the encoder that the work in the folder was begun with, as
            ``params_digest`` gives it; empty where it begins.
        forecast: is told now and then about how many seconds of training are left, and how many
            at the fastest pace so far.
        record: is told at the end how training went or where the result is from.
    """

    learner: Learner
    label: str
    spec: ModelSpec
    settings: PretrainSettings
    train: ImageExamples
    val: ImageExamples
    data_key: str
    task: Task
    start: OutputStart = USUAL_START
    given: Params = field(default_factory=dict)
    begun_with: str = ""
    forecast: Callable[[float, float], None] = lambda left, least: None
    record: Callable[[Origin], None] = lambda found: None

    @property
    def graph(self) -> Graph:
        """Encoder and Light-Weight RefineNet."""
        return lower_refinenet(self.spec, self.settings.channels)

    @property
    def _images(self) -> tuple[str, ...]:
        """Transforms and normalisation of the images, their targets and loss, as part of the key.

        What earlier versions had not is left out where it does nothing: their keys still hold.
        """
        task = () if self.spec.task == DEFAULT else (self.spec.task,)
        numbers = format_key(self.task.labels, self.task.target)
        normalisation = normalisation_key(self.train.normalisation)
        colours = (repr(self.train.photometric),) if self.train.photometric else ()
        loss = (repr(dict(self.task.loss_options)),) if self.task.loss_options else ()
        return repr(self.train.augment), *normalisation, *task, *numbers, *colours, *loss

    @property
    def key(self) -> str:
        """Names the result: a hash of all that it depends on."""
        settings = self.settings.model_dump(mode="json")
        known = [self.label, self.data_key, list(self.train.indices), settings]
        known += [params_digest(self.given)] if self.given else []
        return json_digest("pretrained", VERSION, *known, *self._images, str(self.graph))

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
            task=self.task,
        )

    def score(self, params: Params) -> Score:
        """Score of the whole pre-trained network on ``val``."""
        program = Program(self.graph, params, "refinenet")
        sums = self.learner.measure(program, self.val, self.task, _VALIDATION_BATCH)
        return self.task.score(sums)


def pretrained_encoder(
    work: Pretraining, own: Path, cache: Path, display: Display
) -> PretrainedEncoder:
    """The run's own encoder, or one kept from an earlier run, or a newly trained one.

    Args:
        work: inputs of the pre-training.
        own: the run's own copy, so that it can be continued without the cache.
        cache: folder of results that runs share.
        display: destination of progress.

    Raises:
        TrialFailure: when training fails.
        OSError: when it cannot be kept.
    """
    shared = cache / "encoders" / f"{work.key}.safetensors"
    kept = _own(own, work, display)
    if kept is None:
        kept, origin = _taken(shared, work, display) or _made(work, shared, display)
        if work.begun_with in ("", encoder_digest(kept)):
            work.record(origin)
            _keep(own, work, kept)
    return PretrainedEncoder(kept, Program(work.graph, kept, "refinenet"))


def encoder_digest(params: Params) -> str:
    """Names the encoder's own arrays among others."""
    return params_digest({n: value for n, value in params.items() if n.startswith(PREFIX)})


def _own(path: Path, work: Pretraining, display: Display) -> Params | None:
    """Weights of the folder's own file, if that is what it should be; another one is put aside.

    One that the work was begun with is sealed anew where an older version sealed it.
    """
    if not os.path.exists(path):
        return None
    with suppress(CompilerError):
        params = fit_params(work.graph, load_weights(path)[0], str(path))
        if encoder_digest(params) == work.begun_with:
            _keep(path, work, params)
    found = _kept(path, work, display)
    if found is None or work.begun_with not in ("", encoder_digest(found)):
        aside = put_aside(path, f"{path.stem}{OTHER}{path.suffix}")
        display.say(f"encoder: {path} is not the one that belongs there, now {aside}")
        return None
    return found


def _made(work: Pretraining, shared: Path, display: Display) -> tuple[Params, Origin]:
    """Newly trained weights, kept; or those of another run that trained the very same."""
    waiting, part = ExitStack(), shared.with_suffix(".part")

    def say(line: str) -> None:
        display.say(line)
        waiting.enter_context(display.task("waiting for an encoder", 1))

    make_private(shared.parent)
    with waiting, exclusive_lock(shared, say):
        waiting.close()
        if taken := _taken(shared, work, display):
            return taken
        kept, course = _train(work, part, display)
        _keep(shared, work, kept)
        part.unlink(missing_ok=True)
    found, (name, metric) = work.score(kept).metrics, work.task.headline
    quality = f"{metric.title} {found[name]:.3f} on meta-val with its own decoder"
    trained = "pre-trained" if work.settings.epochs else "not trained (0 epochs)"
    display.say(f"encoder: {trained}, {quality}, kept as {shared}")
    row = {"epochs": work.settings.epochs, "metric": metric.title, "value": found[name]}
    return kept, {**course.row(), **row}


def _taken(shared: Path, work: Pretraining, display: Display) -> tuple[Params, Origin] | None:
    kept = _kept(shared, work, display)
    return None if kept is None else (kept, {"source": str(shared)})


def _keep(path: Path, work: Pretraining, params: Params) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    known = {"model": work.spec.to_dict(), "pretrain": work.settings.model_dump()}
    save_kept(path, params, known | {"key": work.key})


def _kept(path: Path, work: Pretraining, display: Display) -> Params | None:
    """Sound weights of this very pre-training in ``path``, if there are any."""
    if not os.path.exists(path):  # nor where the folder is closed to this user
        return None
    try:
        values, known = load_kept(path)
        if known.get("key") != work.key:
            display.say(f"encoder: {path} is of another pre-training and not used")
            return None
        params = fit_params(work.graph, values, str(path))
    except CompilerError as error:
        display.say(f"encoder: a stored one cannot be used ({error})")
        return None
    display.say(f"encoder: pre-trained earlier on these data, using {path}")
    return params


def _train(work: Pretraining, kept: Path, display: Display) -> tuple[Params, Course]:
    """Trains to the end, from where a killed process left it; ``kept`` holds how far it is.

    Saves about once a minute, and at the end, since the result is not kept yet: the parts'
    lengths make no difference to the result.
    """
    random = initial_params(work.graph, work.settings.seed, work.start)
    begin = Program(work.graph, {**random, **work.given}, "refinenet")
    if not work.given and work.settings.epochs:
        display.say(f"encoder: {work.spec.encoder} begins with random weights; {HOW_TO_BEGIN}")
    epochs, recipe, seed = work.settings.epochs, work.recipe(), work.settings.seed
    epoch, state, course = _state(kept, display)
    begun = epoch * PARTS // max(epochs, 1)
    with display.task("pre-training the encoder", PARTS, begun) as advance:
        progress = CourseProgress(epochs, work.forecast, advance)
        length = 1
        while True:
            part, started = range(epoch, min(epoch + length, epochs)), monotonic()
            done = work.learner.fit_part(begin, work.train, recipe, seed, part, state, progress)
            (program, state), epoch = done, part.stop
            spent = monotonic() - started
            course = Course(course.seconds + spent, course.losses + progress.take_losses())
            make_private(kept.parent)
            save_kept(kept, state, {"epoch": epoch, **course.row()})
            if epoch == epochs:
                return program.params, course
            length = max(1, int(_BETWEEN_SAVES / max(spent / len(part), 1e-9)))
            progress.foretell(epoch / epochs)


def _state(kept: Path, display: Display) -> tuple[int, TrainingState | None, Course]:
    """Epochs done, the learner's state after them, and the course so far."""
    if not kept.exists():
        return 0, None, Course()
    try:
        state, known = load_kept(kept)
        epoch = int(known["epoch"])
        losses = [(int(number), float(loss)) for number, loss in known.get("losses", ())]
        course = Course(float(known.get("seconds", 0)), losses)
    except (CompilerError, KeyError, TypeError, ValueError) as error:
        display.say(f"encoder: its checkpoint is damaged ({error}): training from the beginning")
        return 0, None, Course()
    display.say(f"encoder: going on after epoch {epoch}")
    return epoch, state, course
