"""The networks that are compared, as torch modules and as files that runtimes open."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from peer_tables import ALL_OURS, FOUND, INT8, front_genotypes
from peer_training import fit, measure, recipe_of
from rivals import exported, slimmed
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from auxnas.backends import Report, Request, compile_artefact
from auxnas.backends.base import ExportOptions
from auxnas.backends.int8 import Int8Options, Photographs
from auxnas.backends.int8.photographs import HELD_OUT, MOST
from auxnas.backends.runtimes.ort import OrtRunner
from auxnas.backends.torch import build_module
from auxnas.backends.torch.functions import grow
from auxnas.backends.torch.module import module_params
from auxnas.backends.weights import Weights
from auxnas.compiler import MAIN, Program
from auxnas.compiler.architecture import Architecture
from auxnas.compiler.interface import Interface
from auxnas.search.networks.sources import find_source
from auxnas.search.settings.search import SCRATCH
from auxnas.search.training.context import TrainingContext
from auxnas.search.training.run import start_program

MOMENTUM = 0.1
"""Of batch norm's statistics, as in ours: with torchvision's own for LR-ASPP, 0.01, they are those
of weights long gone where a training has some hundred steps."""


@dataclass(frozen=True)
class Peer:
    """Another library's network.

    Attributes:
        title: in words.
        make: the network with so many classes, its first weights from torch's generator.
        encoder: what the names of its encoder's parameters begin with; of one all from
            scratch that calls no part of it an encoder, nothing does.
        pretrained: whether its encoder takes torchvision's weights of MobileNet-v2.
    """

    title: str
    make: Callable[[int], nn.Module]
    encoder: str
    pretrained: bool


class Unpacked(nn.Module):
    """A network whose output is its logits alone."""

    def __init__(self, network: nn.Module, name: str = "") -> None:
        super().__init__()
        self.network, self.name = network, name

    def forward(self, image: Tensor) -> Tensor:
        """The logits."""
        output = self.network(image)
        return output[self.name] if self.name else output


class FullSize(nn.Module):
    """A network whose logits have the image's size, as those of most peers have."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        """The logits, grown."""
        return grow(self.network(image), (image.shape[2], image.shape[3]))


def from_smp(name: str) -> Peer:
    def make(classes: int) -> nn.Module:
        import segmentation_models_pytorch

        kind = getattr(segmentation_models_pytorch, name)
        return Unpacked(kind("mobilenet_v2", encoder_weights=None, classes=classes))

    return Peer(f"{name} (smp)", make, "network.encoder.", pretrained=True)


def lraspp(classes: int) -> nn.Module:
    from torchvision.models.segmentation import lraspp_mobilenet_v3_large

    network = lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=classes)
    return Unpacked(network, "out")


def yolo(classes: int) -> nn.Module:
    """Without its head for training alone: nobody has auxiliary outputs here."""
    os.environ["YOLO_OFFLINE"] = "true"
    from ultralytics.nn.tasks import SemanticSegmentationModel

    network = SemanticSegmentationModel("yolo26n-sem.yaml", nc=classes, verbose=False)
    network.model[-1].aux_head = None
    return Unpacked(network)


PEERS: Mapping[str, Peer] = {
    **{name.lower(): from_smp(name) for name in ("FPN", "Unet", "DeepLabV3Plus", "Segformer")},
    "lraspp": Peer("LR-ASPP (torchvision)", lraspp, "network.backbone.", pretrained=False),
    "yolo26n-sem": Peer("YOLO26n-sem (ultralytics)", yolo, "-", pretrained=False),
}


def architecture_of(name: str) -> Architecture:
    """A network of ours or a hand-made one; for another's, which has its own, any."""
    if name in ALL_OURS:
        name = name.partition("-")[0]
    if name in FOUND:
        name = str(front_genotypes()[FOUND.index(name)])
    return find_source("arch0" if name in PEERS else name).architecture


def module_of(name: str, context: TrainingContext) -> tuple[nn.Module, str]:
    """The network before training, and what its encoder's parameters begin with."""
    if name not in PEERS:
        return Unpacked(build_module(main_program(context)), MAIN), "network.encoder."
    peer, path = PEERS[name], context.settings.encoder_weights
    torch.manual_seed(context.seed)
    module = peer.make(context.data.task.outputs)
    if peer.pretrained and path != SCRATCH:
        values = {n: v.float() for n, v in load_file(str(path)).items() if "classifier" not in n}
        module.get_submodule(peer.encoder.rstrip(".")).load_state_dict(values)
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = MOMENTUM
    return module, peer.encoder


def main_program(context: TrainingContext) -> Program:
    """A network of ours before training, without auxiliary outputs."""
    program = start_program(context)
    return Program(program.graph.select([MAIN]), program.params, program.name)


def counts(module: nn.Module, size: tuple[int, int]) -> dict[str, int]:
    """Parameters and multiply-adds, the same way for everybody."""
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        module.eval()(torch.zeros(1, 3, *size))
    return {
        "parameters": sum(param.numel() for param in module.parameters()),
        "multiply_adds": counter.get_total_flops() // 2,
    }


def trained(
    name: str, context: TrainingContext, split: Any, shipped: Path | None = None
) -> dict[str, Any]:
    """Scores and counts of a network, trained on one part of the images and judged on the other.

    Args:
        name: of the network.
        context: has the recipe.
        split: images to train on, and to judge on.
        shipped: file for the int8 of ours, which is judged, too; None for none.
    """
    data, settings = context.data, context.settings
    module, prefix = module_of(name, context)
    recipe = recipe_of(context, prefix)
    height, width = settings.data.size
    start = "scratch" if settings.encoder_weights == SCRATCH else "imagenet"
    title = f"{name} from {start} at {height}x{width}, seed {settings.seed}"
    examples = data.examples(split.train, settings.data.scale)
    began = time.process_time()
    with context.display.task(title, 1000) as advance:
        fit(
            module,
            examples,
            recipe,
            context.seed,
            lambda step, steps, loss: advance(1000 * step // steps, f"loss {loss:.3f}"),
        )
    seconds = time.process_time() - began
    found = measure(module, data.examples(split.val), data.task, recipe.batch_size)
    context.display.say(
        f"{title}: mIoU {found['miou']:.4f}, {seconds / 60:.1f} minutes of a processor"
    )
    known = {"miou": found["miou"], "iou": found["iou"], "seconds": seconds}
    if shipped is not None and name in ALL_OURS:
        found = in_int8(module, context, split.train, shipped)
        judged = measure(FromFile(shipped), data.examples(split.val), data.task, 1)
        known |= {INT8: {"miou": judged["miou"], "iou": judged["iou"], **found}}
        context.display.say(f"{title}, int8: mIoU {judged['miou']:.4f}")
    return known | counts(module, (height, width))


class FromFile(nn.Module):
    """A file of ours through onnxruntime."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.runner = OrtRunner(path, 1)

    def forward(self, image: Tensor) -> Tensor:
        """The logits."""
        return torch.from_numpy(self.runner({"image": image.numpy()})[MAIN])


def in_int8(module: nn.Module, context: TrainingContext, part: Any, path: Path) -> dict[str, Any]:
    """Writes what nascompile makes of a trained network of ours with ``--precision int8 --force``.

    Its ranges are found on photographs of ``part``; layers stay in float where the usual drop
    wants it. Told are the drop and those layers.
    """
    start = main_program(context)
    # What the output does not need is not in the module, but in the network that is lowered.
    params = {**start.params, **module_params(module.network, start.graph)}
    program = Program(start.graph, params, "trained")
    dataset, indices, most = part.stored.dataset, part.indices, min(MOST, len(part))
    found = [dataset.origin(indices[i * len(indices) // most]) for i in range(most)]
    files = [stored.pairs[place].image for stored, place in found]
    judged = tuple(files[::HELD_OUT])
    photographs = Photographs(tuple(each for each in files if each not in judged), judged)
    path.parent.mkdir(parents=True, exist_ok=True)
    result = ours_compiled(context, program, path, Int8Options(photographs, forced=True)).int8
    return {"drop": result.drop, "layers_in_float": result.to_dict()["layers_in_float"]}


def files_of(name: str, context: TrainingContext, image: Any, folder: Path) -> dict[str, Path]:
    """Files of a network before training, with logits of the image's size, by who made them.

    Those that are in the folder are not made again.
    """
    done = folder / name
    if not done.is_dir():
        with TemporaryDirectory(dir=folder) as temporary:
            _make_files(name, context, image, Path(temporary))
            Path(temporary).rename(done)
            Path(temporary).mkdir()
    return {path.stem: path for path in sorted(done.glob("*.onnx"))}


def _make_files(name: str, context: TrainingContext, image: Any, folder: Path) -> None:
    """What nascompile makes of ours, checked; what torch's exporters and onnxslim do of another."""
    if name not in ALL_OURS:
        module = FullSize(module_of(name, context)[0]).eval()
        for label, dynamo in (("legacy exporter", False), ("exporter", True)):
            slimmed(exported(module, image, dynamo, folder / f"{label}.onnx"))
        return
    ours_compiled(context, main_program(context), folder / "nascompile.onnx")


def ours_compiled(
    context: TrainingContext, program: Program, path: Path, int8: Int8Options | None = None
) -> Report:
    """Writes what nascompile makes of a network of ours, with logits of the image's size."""
    size, precision = tuple(context.settings.data.size), "fp32" if int8 is None else "int8"
    request = Request(
        context.network.architecture,
        context.network.shipped().spec,
        path,
        weights=Weights(program.params, program.name),
        interface=Interface(resize=True),
        options=ExportOptions(size, precision=precision),
        int8=int8,
    )
    return compile_artefact(request)
