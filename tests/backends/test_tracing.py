"""Networks of torch as graphs of ours, without timm: small modules and what they must become."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from auxnas.backends.timm import encoder as kept
from auxnas.backends.timm import tracing
from auxnas.backends.timm.encoder import make_timm_encoder
from auxnas.backends.timm.tracing import trace_network
from auxnas.backends.torch import TorchRunner
from auxnas.compiler import CompilerError, ModelSpec, Program, lower, parse_graph
from auxnas.compiler.builder import Builder
from auxnas.compiler.encoders import IMAGENET, find_encoder
from auxnas.compiler.encoders.contract import lower_encoder
from auxnas.compiler.encoders.fitting import fit_encoder
from auxnas.genotype import SearchSpace
from auxnas.genotype.plugins import PluginError, may_run


class Small(nn.Module):
    """A stem, a squeeze-and-excitation that works in place, a shortcut of means, a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8, eps=1e-3))
        self.mix = nn.Conv2d(8, 8, 3, 2, 1, groups=2)
        self.reduce, self.expand = nn.Conv2d(8, 4, 1), nn.Conv2d(4, 8, 1)
        self.head = nn.Linear(8, 2)

    def forward(self, image):
        first = F.hardswish(self.stem(image), inplace=True)
        x = F.silu(self.mix(first))
        x = F.dropout(x, 0.5, self.training)
        gate = F.relu(self.reduce(x.mean((2, 3), keepdim=True)))
        x = x * self.expand(gate).sigmoid()
        short = F.avg_pool2d(first, 2, 2, ceil_mode=True, count_include_pad=False)
        x += short
        return [first, torch.cat([F.max_pool2d(x, 3, 2, 1), F.gelu(F.max_pool2d(x, 2))], 1)]


def traced(module: nn.Module):
    return trace_network("small", module, [*module.state_dict()], IMAGENET)


@pytest.fixture
def small(tmp_path, monkeypatch):
    """The network as an earlier command left it in the cache; there is no timm."""
    monkeypatch.setenv("AUXNAS_CACHE", str(tmp_path))
    monkeypatch.setattr(kept, "_installed", lambda: "")
    find_encoder.cache_clear()
    network = traced(Small())
    (tmp_path / "timm").mkdir()
    text = json.dumps({"format": kept.FORMAT, **vars(network)})
    (tmp_path / "timm" / "small-1.0.0.json").write_text(text)
    yield find_encoder("timm:small")
    find_encoder.cache_clear()


def test_a_kept_network_is_an_encoder(small):
    builder = Builder()
    maps = lower_encoder(small, builder)
    assert [(each.channels, each.stride) for each in maps] == [(8, 2), (16, 8)]
    assert small.taps(1) == (1,)
    assert small.taps(2) == (0, 1)
    with pytest.raises(CompilerError, match=r"encoder_outputs: 3, expected 1..2, which timm:small"):
        small.taps(3)
    graph = builder.graph({"out": maps[-1].node})
    assert parse_graph(str(graph)) == graph
    assert "encoder.stem.0 = conv2d(image" in str(graph)
    assert "encoder.stem.1 = batch_norm(encoder.stem.0) @encoder.stem.1" in str(graph)


def test_its_weights_give_its_own_outputs(small):
    torch.manual_seed(0)
    module = Small()
    module.train()(torch.randn(4, 3, 32, 32))
    module.eval()
    builder = Builder()
    maps = lower_encoder(small, builder)
    graph = builder.graph({f"map{n}": each.node for n, each in enumerate(maps)})
    values = {name: value.numpy() for name, value in module.state_dict().items()}
    params = fit_encoder(small, graph, values, "f")
    assert fit_encoder(small, graph, params, "f").keys() == params.keys()
    image = torch.randn(2, 3, 48, 64)
    found = TorchRunner(Program(graph, params), "cpu")({"image": image.numpy()})
    with torch.no_grad():
        truth = module(image)
    np.testing.assert_allclose(found["map0"], truth[0].numpy(), atol=1e-5)
    name = "stem.1.running_var"
    stale = {**params, f"encoder.{name}": values[name]}
    wrong = TorchRunner(Program(graph, stale), "cpu")({"image": image.numpy()})
    assert np.abs(wrong["map0"] - truth[0].numpy()).max() > 1e-4


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("stem.0.weight", "f: encoder.stem.0.weight: missing"),
        ("other.weight", "f: encoder.other.weight: unexpected"),
    ],
)
def test_a_file_that_does_not_fit_is_named(small, name, message):
    values = {n: v.numpy() for n, v in Small().state_dict().items()}
    given = values.pop(name, np.zeros(1))
    values |= {name: given} if name.startswith("other") else {}
    graph = lower(
        SearchSpace(encoder_outputs=2).genotype([0] * 19), ModelSpec(encoder="timm:small")
    )
    with pytest.raises(CompilerError, match=message):
        fit_encoder(small, graph, values, "f")


def module(call, **parts: nn.Module) -> nn.Module:
    class Made(nn.Module):
        def __init__(self):
            super().__init__()
            for name, part in parts.items():
                setattr(self, name, part)

        def forward(self, image):
            return [call(self, image)]

    return Made()


CONV = nn.Conv2d(3, 4, 3, 2, bias=False)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (
            module(lambda self, x: self.conv(F.pad(x, (0, 1, 0, 1))), conv=CONV),
            r"timm:small: pad \(aten.pad\): no primitive",
        ),
        (module(lambda self, x: self.conv(x), conv=CONV), r"conv: conv2d .* padding \[0, 0\] of"),
        (
            module(lambda self, x: self.conv(x), conv=nn.Conv2d(3, 4, 2, 2)),
            r"conv: conv2d \(aten.conv2d\): kernel 2x2",
        ),
        (
            module(lambda self, x: self.conv(x), conv=nn.Conv2d(3, 4, (1, 3), padding=(0, 1))),
            "conv: .*: kernel 1x3",
        ),
        (module(lambda self, x: x * 2.0), "mul.*: other is no feature map"),
        (module(lambda self, x: torch.fft.fft2(x).real), "no primitive"),
        (
            module(lambda self, x: F.conv2d(x, self.conv.weight * 2, padding=1), conv=CONV),
            r"mul \(aten.mul\): self is no feature map",
        ),
        (
            module(lambda self, x: self.conv(self.conv(x)), conv=nn.Conv2d(3, 3, 3, padding=1)),
            "conv is used twice",
        ),
        (module(lambda self, x: F.avg_pool2d(x, 3, 1, 1)), r"avg_pool2d.*: count_include_pad True"),
        (module(lambda self, x: F.gelu(x, approximate="tanh")), "gelu.*: approximate tanh"),
        (module(lambda self, x: x * x.mean(1, keepdim=True)), r"mean.*: axes \[1\]"),
        (module(lambda self, x: x if x.sum() > 0 else -x), "cannot be traced"),
        (
            module(lambda self, x: self.norm(x), norm=nn.BatchNorm2d(3, affine=False)),
            "norm: .*: weights that are computed, or none",
        ),
    ],
)  # fmt: skip
def test_what_no_primitive_stands_for_is_named(made, message):
    with pytest.raises(PluginError, match=message):
        traced(made)


def test_an_import_that_differs_is_refused(monkeypatch):
    """A rule that is wrong is found before anything is trained."""
    wrong = tracing.RULES["hardswish"]
    monkeypatch.setitem(
        tracing.RULES,
        "hardswish",
        lambda at, add: wrong(at, lambda n, op, *i, **a: add(n, "silu", *i)),
    )
    with pytest.raises(PluginError, match="its import differs from it by"):
        traced(Small())


def test_one_width_and_plain_names_alone(small):
    with pytest.raises(CompilerError, match=r"model.width: 0.5, expected 1, the one width"):
        find_encoder("timm:small", 0.5)
    for name in ("hf-hub:timm/small", "../small", "", "a b"):
        with pytest.raises(PluginError, match=r"encoder: timm:.*expected timm: and the name"):
            make_timm_encoder(name, 1.0)


def test_a_file_may_name_a_network_of_timm():
    """No code of a user's own is run for it."""
    assert may_run("timm:resnet18")
    assert not may_run("timmy:resnet18")
    values = ModelSpec(encoder="timm:resnet18").to_dict()
    assert ModelSpec.from_dict(values).encoder == "timm:resnet18"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 0}', '{"format": 1, "other": 2}'])
def test_what_is_kept_and_damaged_is_imported_anew(small, text, tmp_path, monkeypatch):
    (tmp_path / "timm" / "small-1.0.0.json").write_text(text)
    network = replace(small.network, mean=[0.5, 0.5, 0.5])
    monkeypatch.setattr(kept, "_imported", lambda name: network)
    assert make_timm_encoder("small", 1.0).network == network
