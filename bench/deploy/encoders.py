"""Encoders against timm's and torchvision's own modules, and what each runtime makes of them.

    make .venv-timm/.made && .venv-timm/bin/python bench/deploy/encoders.py --output encoders.json

Numerics: random weights and statistics, the largest difference of a feature map relative to its
largest number, as trained and as compiled. Then the network arch0 on each, compiled for each target
at 128x128 and compared with the float64 reference; TensorRT-RTX's own builder builds without a GPU.
A file that is there is gone on with; ``--turns`` times all encoders in it in turns instead,
which alone compares them.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import click
import numpy as np
import timm
import torch
import torchvision

from auxnas.backends import Request, compile_artefact
from auxnas.backends.base import ExportOptions
from auxnas.backends.compiling.report import to_dict
from auxnas.backends.measuring.machine import instruction_sets, runtime_versions
from auxnas.backends.measuring.timing import side_by_side
from auxnas.backends.onnx.build import build
from auxnas.backends.runtimes.openvino import open_onnx
from auxnas.backends.runtimes.ort import OrtRunner
from auxnas.backends.torch import TorchRunner
from auxnas.compiler import ModelSpec, Program, cost, lower
from auxnas.compiler.builder import Builder
from auxnas.compiler.encoders import find_encoder
from auxnas.compiler.encoders.contract import lower_encoder
from auxnas.compiler.encoders.fitting import fit_encoder
from auxnas.compiler.passes import INFERENCE, run_passes
from auxnas.compiler.weights import random_params
from auxnas.genotype import zoo
from auxnas.genotype.errors import InputError

NAMES = """
mobilenet_v2_torchvision mobilenetv4_conv_small mobilenetv4_conv_medium efficientnet_lite0
repvgg_a0 resnet18 resnet34 resnet50 timm:resnet18d timm:seresnet50 timm:resnext50_32x4d
timm:regnetx_004 timm:regnety_002 timm:mobileone_s0 timm:mobilenetv2_100
timm:mobilenetv3_large_100 timm:mobilenetv4_conv_small timm:efficientnet_b0 timm:mnasnet_100
timm:hardcorenas_a timm:fbnetc_100 timm:lcnet_050 timm:tinynet_e timm:vgg11_bn timm:densenet121
timm:dla34 timm:selecsls42b timm:repvit_m0_9 timm:hgnetv2_b0 timm:ese_vovnet19b_dw timm:gernet_s
timm:spnasnet_100 timm:repghostnet_050 timm:rexnet_100 timm:ghostnet_100 timm:cspresnet50
timm:res2net50_26w_4s timm:convnext_atto timm:hrnet_w18_small timm:tf_efficientnet_lite0
"""
TARGETS = {"onnx": ".onnx", "openvino": ".xml", "rtx": ".rtx"}
SIZE = (128, 128)


def random_network(name: str) -> torch.nn.Module:
    """timm's or torchvision's own, with random weights and statistics."""
    torch.manual_seed(0)
    if name == "mobilenet_v2_torchvision":
        model = torchvision.models.mobilenet_v2()
    else:
        model = timm.create_model(name.removeprefix("timm:"))
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.3, 0.5)
            module.running_var.uniform_(0.5, 1.5)
            module.weight.data.uniform_(0.6, 1.6)
            module.bias.data.uniform_(-0.3, 0.5)
        elif isinstance(module, torch.nn.Conv2d):
            module.weight.data.normal_(0, module.weight[0].numel() ** -0.5)
    return model.eval()


def own_maps(model: torch.nn.Module, image: torch.Tensor) -> list[Any]:
    with torch.no_grad():
        if isinstance(model, torchvision.models.MobileNetV2):
            maps, x = [], image
            for block in model.features[:-1]:
                maps.append(x := block(x))
            return [maps[index].numpy() for index in (3, 6, 13, 17)]
        return [
            each.numpy() for each in model.forward_intermediates(image, intermediates_only=True)
        ]


def differences(name: str) -> dict[str, Any]:
    """Largest relative difference to the module's own maps, and counts of the encoder."""
    encoder, model, builder = find_encoder(name), random_network(name), Builder()
    maps = lower_encoder(encoder, builder)
    graph = builder.graph({f"map{index}": each.node for index, each in enumerate(maps)})
    values = {n: v.numpy() for n, v in model.state_dict().items()}
    program = Program(graph, fit_encoder(encoder, graph, values, name))
    image = torch.randn(2, 3, 128, 160)
    shapes = {(each.channels, -(-128 // each.stride)) for each in maps}
    truth = [each for each in own_maps(model, image) if each.shape[1:3] in shapes]
    compiled, _ = run_passes([p for p in INFERENCE if p.name != "strip-auxiliary"], program)
    found = {}
    for kind, which in (("as trained", program), ("as compiled", compiled)):
        outputs = TorchRunner(which, "cpu")({"image": image.numpy()}).values()
        apart = [
            min(
                float(np.abs(o - expected).max() / np.abs(expected).max())
                for o in outputs
                if o.shape == expected.shape
            )
            for expected in truth
        ]
        found[kind] = max(apart)
    counted = cost(graph, (512, 512))
    return {
        "compared": len(truth),
        "maps": [[each.channels, each.stride] for each in maps],
        "parameters": counted.parameters,
        "multiply_adds_512": counted.multiply_adds,
        "difference": found,
        "nodes": [len(graph.nodes), len(compiled.graph.nodes)],
    }


def compiled(name: str, target: str, folder: Path) -> dict[str, Any]:
    """arch0 on the encoder, for a target: whether it compiles, how exact and how fast it is."""
    request = Request(
        zoo.load_published("arch0").genotype,
        ModelSpec(encoder=name),
        folder / f"network{TARGETS[target]}",
        target=target,
        options=ExportOptions(SIZE),
    )
    try:
        facts = to_dict(compile_artefact(request))
    except (InputError, OSError, RuntimeError) as error:
        return {"refused": str(error)}
    kept = ("max_relative_error", "latency_ms", "latency_spread", "seconds", "bytes", "unchecked")
    return {key: facts[key] for key in kept if facts.get(key) is not None}


def in_turns(names: list[str]) -> dict[str, dict[str, float]]:
    """Milliseconds of arch0 on each encoder at ``SIZE``, by runtime, float32; random weights."""
    models = {}
    for name in names:
        graph = lower(zoo.load_published("arch0").genotype, ModelSpec(encoder=name))
        program = run_passes(INFERENCE, Program(graph, random_params(graph, 0)))[0]
        models[name] = build(program, ExportOptions(SIZE), {})
    feed = {"image": np.zeros((1, 3, *SIZE), np.float32)}
    found: dict[str, dict[str, float]] = {}
    for runtime in ("onnxruntime", "openvino"):
        runners = {
            name: OrtRunner(model.SerializeToString())
            if runtime == "onnxruntime"
            else open_onnx(model, "fp32")
            for name, model in models.items()
        }
        times = side_by_side(runners, feed)
        found[runtime] = {name: round(1e3 * value, 3) for name, value in times.items()}
    return found


@click.command()
@click.option("--output", type=click.Path(path_type=Path), required=True)
@click.option("--names", default=NAMES)
@click.option("--targets", default=" ".join(TARGETS))
@click.option("--turns", is_flag=True)
def main(output: Path, names: str, targets: str, turns: bool) -> None:
    kept = json.loads(output.read_text()) if output.exists() else {"encoders": {}}
    rows = kept["encoders"]
    if turns:
        times = in_turns([name for name, row in rows.items() if "difference" in row])
        kept["milliseconds_in_turns"] = {"instructions": instruction_sets(), **times}
        output.write_text(json.dumps(kept, indent=1) + "\n")
        return
    for name in names.split():
        row = rows.setdefault(name, {})
        try:
            row.update({} if "difference" in row else differences(name))
        except InputError as error:
            row["refused"] = str(error)
        missing = [each for each in targets.split() if each not in row and "refused" not in row]
        for target in missing:
            with tempfile.TemporaryDirectory() as folder:
                row[target] = compiled(name, target, Path(folder))
        known = runtime_versions("timm", "torch", "torchvision", "onnxruntime", "openvino")
        kept |= {"encoders": rows, "versions": known}
        output.write_text(json.dumps(kept, indent=1) + "\n")
        print(name, row.get("refused", row.get("difference")), flush=True)


if __name__ == "__main__":
    main()
