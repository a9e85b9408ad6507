"""Every setting of a search, with the paper's values as defaults where it gives one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from auxnas.compiler.encoders import DEFAULT as DEFAULT_ENCODER
from auxnas.compiler.spec import MOST_CHANNELS, MOST_REPEATS
from auxnas.compiler.tasks import DEFAULT as DEFAULT_TASK
from auxnas.compiler.tasks import IGNORE
from auxnas.search.data.spec import task_on, unscored_classes, with_absolute_path
from auxnas.search.settings.fields import (
    AtLeastTwo,
    ClusterAddress,
    DeviceName,
    Duration,
    ExecutorName,
    LabelMap,
    LearnerName,
    Names,
    Natural,
    Positive,
    Range,
    Rate,
    SearcherName,
    SettingsSection,
    Share,
    Size,
    Source,
    Threads,
)
from auxnas.search.settings.stages import FeatureSettings, PretrainSettings, StageSettings

HARMLESS = (
    *("trials", "budget", "workers", "trial_timeout", "keep", "tensorboard"),
    *("search.executor", "search.retries"),
    *("cluster.address", "cluster.cpus", "cluster.gpus", "cluster.mixed"),
    *("data.source", "train.data", "encoder_weights", "teacher"),
)
"""Settings that may change when a run is continued; of data, encoder and teacher the content
is compared, not the place."""


class PhotometricSettings(SettingsSection):
    """Random changes of colour and sharpness where images are trained on (paper: none)."""

    brightness: Share = 0.0
    """Colours are multiplied by 1 - this to 1 + this."""
    contrast: Share = 0.0
    """Distances from the image's mean grey are multiplied by 1 - this to 1 + this."""
    saturation: Share = 0.0
    """Distances from a pixel's own grey are multiplied by 1 - this to 1 + this."""
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Most turns of the hue, either way; 0.5 is any hue."""
    blur: Annotated[float, Field(ge=0, le=100)] = 0.0
    """Largest deviation of the Gaussian that an image is blurred with, pixels."""
    jpeg: Share = 0.0
    """Share of the quality that JPEG may lose: at 0.7 images are compressed at 30 to 100."""


class DataSettings(SettingsSection):
    """Images, and their preparation for training."""

    source: Source = "synthetic"
    """``synthetic``, ``synthetic:COUNT``, ``folder:DIR``, or another format and its place
    (``nassearch settings`` lists them), or ``python:package.module:attribute`` of your own."""
    depth_scale: Annotated[float, Field(gt=0)] | None = None
    """Units a metre of stored depth, as 5000 or 256; none given: 1000 of whole numbers, 1 of real
    ones."""
    map: LabelMap | None = None
    """Other numbers for label values: an offset as ``-1`` (what is below 0 is not labelled), or
    ``0=none,1-150=0-149,*=3``; none given: as they are stored."""
    classes: Annotated[int, Field(ge=2, le=IGNORE)] | None = None
    """Number of classes; none given: the data says so itself."""
    size: Size = (256, 256)
    """(height, width) that images are brought to (the paper gives none for the search)."""
    fit: Literal["stretch", "pad"] = "stretch"
    """How images are brought to ``size``: stretched, whatever their proportions, or shrunk where
    they are larger and filled up with the encoder's mean, which is not labelled; ``crop`` is then
    cut out of the image alone (paper: out of images as they are)."""
    crop: Size | None = None
    """(height, width) of what is trained on, cut out at random; none given: as ``size``."""
    meta_train: Annotated[float, Field(gt=0, lt=1)] = 0.9
    """Share of the training images that architectures are trained on (paper: 90 %)."""
    scale: Range = (0.5, 2.0)
    """Range of random magnification where images are trained on (paper: 0.5 to 2)."""
    mirror: Share = 0.5
    """Probability of mirroring an image that is trained on (paper: random)."""
    photometric: PhotometricSettings = PhotometricSettings()
    """Random changes of colour and sharpness."""


class TaskSettings(SettingsSection):
    """Task of the networks: what their output means."""

    name: str = DEFAULT_TASK
    """Name of the task, or ``package.module:Class`` of one of your own (paper: segmentation);
    behind it may be options: ``depth,max=80,crop=garg``."""
    ignore: Names | None = None
    """Class or classes that count in no score; none given: background for voc, else nothing."""


class LossSettings(SettingsSection):
    """Loss of segmentation, wherever it is trained; other tasks have their own."""

    balance: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Weighs classes in the cross entropy by 1 / effective number of samples, (1 - balance ^ n) /
    (1 - balance), where n is a class's pixels over those of an image: 0.9 evens out all but classes
    of less than ten images' size; 0 for none (paper)."""
    hard: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Pixels whose class has this probability or more do not count in the cross entropy; 1: all do
    (paper)."""
    kept: Share = 0.1
    """Share of a batch's labelled pixels that counts whatever ``hard`` says, the worst ones."""
    dice: Rate = 0.0
    """Weight of the Dice loss, which is added (paper: none)."""
    lovasz: Rate = 0.0
    """Weight of the Lovasz loss, which is added (paper: none); on a processor its sorting takes
    time."""


class ModelSettings(SettingsSection):
    """Network around a genotype."""

    encoder: str = DEFAULT_ENCODER
    """Name of the encoder, or ``package.module:Class`` of one of your own (paper: MobileNet-v2)."""
    width: Annotated[float, Field(ge=0.05, le=4)] = 1.0
    """Width multiplier of the encoder (paper: 1)."""
    agg_size: Annotated[int, Field(ge=1, le=MOST_CHANNELS)] = 48
    """Channels of the decoder (paper: 48 in search)."""
    sep_repeats: Annotated[int, Field(ge=1, le=MOST_REPEATS)] = 1
    """Repetitions of a separable convolution (paper: 1 in search)."""
    auxiliary: Literal["none", "classifier", "cell"] = "cell"
    """Auxiliary heads on the blocks' outputs (paper: cell)."""


class ControllerSettings(SettingsSection):
    """The recurrent policy of ``ppo`` and ``reinforce``, and how it learns."""

    layers: Positive = 2
    """Layers of the LSTM (paper: 2)."""
    hidden: Positive = 100
    """Units a layer (paper: 100)."""
    spread: Rate = 0.1
    """Its first weights are uniform in -spread .. spread (paper: uniform)."""
    update_every: Positive = 4
    """Sequences at least that an update learns from (paper: none given)."""
    rate: Rate = 1e-4
    """Adam's learning rate (paper: 1e-4)."""
    max_grad_norm: Rate = 2.0
    """Largest norm of its gradient; 0 for no limit (paper: none given)."""
    baseline_decay: Annotated[float, Field(ge=0, lt=1)] = 0.95
    """Decay of the average reward that advantages are counted from (paper: none given)."""
    ent_coef: Rate = 0.0
    """Weight of the entropy bonus (paper: none)."""
    norm_adv: bool = False
    """Whether advantages are brought to mean 0 and deviation 1 in each update (paper: no)."""
    clip_coef: Annotated[float, Field(gt=0)] = 0.1
    """PPO: how far a choice's probability ratio may go from 1 (paper: none given)."""
    update_epochs: Positive = 4
    """PPO: passes over an update's sequences (paper: none given)."""
    minibatches: Positive = 1
    """PPO: parts that each pass is cut into, a step of Adam each (paper: none given)."""

    @field_validator("norm_adv")
    @classmethod
    def _deviates(cls, value: bool, info: ValidationInfo) -> bool:
        if value and info.data.get("update_every") == 1:
            raise ValueError("false, or update_every=2: the advantage of one is its own mean")
        return value


class EvolutionSettings(SettingsSection):
    """Regularised evolution (Real et al., 2019; not in the paper)."""

    population: AtLeastTwo = 100
    """Members of the population (Real et al.: 100)."""
    sample: Positive = 25
    """Members drawn, with replacement, of which the best is the parent (Real et al.: 25)."""


class PredictorSettings(SettingsSection):
    """The Gaussian process of predictor (after Ru et al., 2021; not in the paper)."""

    initial: Positive = 10
    """Architectures drawn at random before it predicts."""
    candidates: Annotated[int, Field(ge=4)] = 400
    """Architectures that it judges for each proposal."""
    memory: AtLeastTwo = 400
    """Most trials that it learns from: the best and the latest; time grows with the square."""


class GeneticSettings(SettingsSection):
    """NSGA-II (Deb et al., 2002; not in the paper)."""

    population: AtLeastTwo = 20
    """Members of the population (Deb et al.: 100, for thousands of evaluations)."""
    cost: Literal["params", "madds", "latency"] = "madds"
    """Goal beside the reward, the smaller the better."""


class SpaceSettings(SettingsSection):
    """The architectures that are searched (paper, section 3.1.1)."""

    encoder_outputs: Positive = 4
    """Encoder outputs that the decoder can use (paper: 4)."""
    blocks: Annotated[int, Field(ge=1, le=6)] = 3
    """Pairs of layers that are connected (paper: 3); drawing evenly among more takes too long."""
    branches: Annotated[int, Field(ge=1, le=7)] = 3
    """Pairs of operations of the cell (paper: 3), likewise."""
    operations: Names | None = None
    """Candidate operations by name, of the vocabulary; none given: all of them."""
    vocabulary: str | None = None
    """``package.module:attribute`` of a ``Vocabulary`` of your own, or the name of an installed
    one; none given: the paper's 11 operations."""


class LimitSettings(SettingsSection):
    """Limits on a network's cost; genotypes over one are rejected before training."""

    constant: bool = True
    """Whether networks whose output does not depend on the image (a cell of zeros) are rejected
    too (paper: trained like any other)."""

    params: Positive | None = None
    """Most parameters, auxiliary heads left out (not in the paper)."""
    madds: Positive | None = None
    """Most multiply-adds of convolutions at the run's image size (not in the paper)."""
    latency_ms: Annotated[float, Field(gt=0)] | None = None
    """Longest latency of one image, measured for it even where ``latency.measure`` is off (not in
    the paper)."""


class LatencySettings(SettingsSection):
    """Latency of compiled networks, and its weight in the reward."""

    measure: bool = True
    """Whether every genotype's is measured, with onnxruntime where that is installed."""
    device: DeviceName | None = None
    """Machine that it is measured on, ``ssh:USER@HOST`` or ``ssh:USER@HOST:PORT``; none given:
    this one."""
    command: str | None = None
    """Command of the device that measures, the artefact's path behind it; none given:
    ``nasrun bench --json``."""
    target_ms: Annotated[float, Field(gt=0)] | None = None
    """Weights rewards by (latency / target) ^ exponent; none given: not weighted."""
    exponent: Annotated[float, Field(le=0)] = -0.07
    """Exponent of the weight: at -0.07 twice the latency costs 5 % (MnasNet, Tan et al., 2019)."""

    @field_validator("command")
    @classmethod
    def _there(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and (info.data.get("device") is None or not value.strip()):
            raise ValueError("a command of latency.device, and that")
        return value


class SearchSettings(SettingsSection):
    """Choice of genotypes, and of the trials that go on to stage 2."""

    searcher: SearcherName = "ppo"
    """Searcher, which proposes genotypes (paper: ppo)."""
    batch: Positive = 2
    """Genotypes proposed at a time; decisions depend on earlier batches only."""
    lag: Natural = 0
    """Latest trials before a batch that its decisions do not depend on, so that more than a batch
    can be under way: for W at a time W x longest / mean time of a trial keeps all of them busy.
    Learning is slower for it (paper: none)."""
    update_every: Positive | None = 4
    """Trials that the searcher is told of at a time, where there are more: ppo makes an update of
    each such part of a wide batch; none given: of all of them at once (paper: none given)."""
    proceed: Share = 0.9
    """Probability p of going on below the mean stage-1 reward, at trial 0 (paper: 0.9)."""
    proceed_half_life: Annotated[float, Field(gt=0)] = 200.0
    """Trials in which p falls by half: p = proceed x 0.5 ^ (number / half life)."""
    give_up: Share = 0.0
    """Share of the mean stage-1 reward below which, after half of its epochs, a stage 1 ends that
    was not drawn to go on anyway; its reward is what it then has. 0 for none (paper)."""
    reuse: bool = True
    """Whether a genotype isomorphic to an earlier one shares its reward untrained."""
    executor: ExecutorName | None = None
    """Executor, which evaluates the trials; none given: processes where ``workers`` or
    ``trial_timeout`` ask for them, else inline. The results are the same."""
    retries: Natural = 2
    """Times that a trial whose process or machine was lost is begun again, with the same seed,
    before it counts as failed (crash); those that fail by themselves (nan, oom, timeout, invalid)
    are not begun again."""
    controller: ControllerSettings = ControllerSettings()
    """The policy of ppo and reinforce."""
    evolution: EvolutionSettings = EvolutionSettings()
    """The population of evolution."""
    predictor: PredictorSettings = PredictorSettings()
    """The Gaussian process of predictor."""
    nsga2: GeneticSettings = GeneticSettings()
    """The population of nsga2, and its other goal."""

    @property
    def is_of_latency(self) -> bool:
        """Whether latency is the searcher's other goal."""
        name, *words = re.split("[:,]", self.searcher)
        own = getattr(self, name, None)
        return "cost=latency" in words or getattr(own, "cost", None) == "latency"


class ClusterSettings(SettingsSection):
    """Cluster of machines that evaluate trials."""

    address: ClusterAddress | None = None
    """Cluster of Ray that this machine is a node of: ``auto`` or ``HOST:PORT``; none given: this
    machine alone."""
    cpus: Annotated[float, Field(gt=0)] | None = None
    """Processors that a trial gets, or a share of one; none given: as many as ``threads``."""
    gpus: Rate | None = None
    """GPUs that a trial gets, or a share of one; none given: one where the cluster has any."""
    mixed: bool = False
    """Whether machines of other arithmetic than the first one's take part. Their results differ, so
    that the journal depends on which trial ran where."""


SCRATCH, PUBLISHED = "none", "published"
"""``encoder_weights`` that are no file."""


class Settings(SettingsSection):
    """A whole search."""

    seed: Natural = 0
    """Seed that everything random derives from."""
    trials: Positive | None = 1000
    """Number of trials to end; none given: as many as the budget allows."""
    budget: Duration | None = None
    """Time after which no trial is begun any more, over all sessions of the run, pre-training
    included; trials under way then are finished."""
    trial_timeout: Duration | None = None
    """A trial that takes longer fails; needs a worker process, and makes one if there is none."""
    workers: Annotated[int, Field(ge=0, le=65_536)] = 0
    """Worker processes, one trial each at a time, of several GPUs each on its own; 0 trains in the
    process itself."""
    keep: Positive = 3
    """Number of the best trials whose networks are kept."""
    tensorboard: bool = False
    """Whether figures are written for TensorBoard, as ``--log tensorboard`` does."""
    learner: LearnerName = "torch"
    """Framework that trains: torch, or null, which only pretends to."""
    threads: Threads | None = None
    """Processor threads within an operation, in each worker; none given: the cores, shared between
    the workers, as they are when the run begins, which stays so. Networks as small as the demo's
    train faster on one. Sums are rounded otherwise on another number, and training magnifies
    that: rewards differ as under another seed."""
    encoder_weights: str | None = None
    """File with the encoder's weights; ``published``: those that timm or torchvision publish, which
    they fetch; ``none``: random ones; none given: it is pre-trained on the data."""
    teacher: str | None = None
    """File or folder of a trained network that stage 1 learns from (paper: Light-Weight
    RefineNet-152); none given: the network that the encoder was pre-trained in, also where
    ``encoder_weights`` has it, with as many classes."""
    data: DataSettings = DataSettings()
    """Images to search on."""
    task: TaskSettings = TaskSettings()
    """Task of the networks: what their output means."""
    loss: LossSettings = LossSettings()
    """Loss of segmentation."""
    model: ModelSettings = ModelSettings()
    """Network around a genotype."""
    space: SpaceSettings = SpaceSettings()
    """The architectures that are searched."""
    search: SearchSettings = SearchSettings()
    """Choice of genotypes."""
    limits: LimitSettings = LimitSettings()
    """Limits on a network's cost."""
    latency: LatencySettings = LatencySettings()
    """Measurement of latency, and its weight."""
    cluster: ClusterSettings = ClusterSettings()
    """Cluster of machines."""
    features: FeatureSettings = FeatureSettings()
    """The stored encoder outputs."""
    stage1: StageSettings = StageSettings(epochs=5, batch_size=64, polyak=0.9, distillation=0.3)
    """The decoder alone, on stored encoder outputs."""
    stage2: StageSettings = StageSettings(epochs=1, batch_size=32, polyak=0.99, distillation=0.0)
    """Encoder and decoder, end to end."""
    pretrain: PretrainSettings = PretrainSettings()
    """Pre-training of the encoder where no weights are given."""

    @property
    def ignored(self) -> tuple[str, ...]:
        """Classes that count in no score: ``task.ignore``, or what that stands for."""
        if self.task.ignore is not None:
            return self.task.ignore
        return unscored_classes(self.data.source)

    @property
    def task_name(self) -> str:
        """The task with its options: those given, and those that the data stand for."""
        return task_on(self.data.source, self.task.name)

    @field_validator("budget")
    @classmethod
    def _ends(cls, value: float | None, info: ValidationInfo) -> float | None:
        if value is None and info.data.get("trials", 0) is None:
            raise ValueError("a duration like 4h, or a number of trials")
        return value


def with_absolute_paths(settings: Settings) -> Settings:
    """The same, with paths that hold wherever the run is continued from."""
    data = settings.data.model_copy(update={"source": with_absolute_path(settings.data.source)})
    given = {name: getattr(settings, name) for name in ("encoder_weights", "teacher")}
    files = {name: path for name, path in given.items() if path not in (None, SCRATCH, PUBLISHED)}
    where = {name: str(Path(path).absolute()) for name, path in files.items() if path is not None}
    return settings.model_copy(update={"data": data, **where})
