"""timm's own networks as encoders; ``make test-timm`` runs these where timm can be imported."""

from __future__ import annotations

import numpy as np
import pytest

try:
    import timm
except Exception as error:  # torchvision without its operators raises what it likes
    pytest.skip(f"no timm here: {error}", allow_module_level=True)

import torch

from auxnas.backends.torch import TorchRunner
from auxnas.compiler import Program
from auxnas.compiler.builder import Builder
from auxnas.compiler.encoders import Normalisation, find_encoder
from auxnas.compiler.encoders.contract import lower_encoder
from auxnas.compiler.encoders.fitting import fit_encoder
from auxnas.compiler.passes import INFERENCE, run_passes
from auxnas.genotype.plugins import PluginError

OURS = (
    "resnet18",
    "resnet34",
    "resnet50",
    "efficientnet_lite0",
    "mobilenetv4_conv_small",
    "mobilenetv4_conv_medium",
    "repvgg_a0",
)
"""Encoders of ours under timm's names."""
IMPORTED = ("lcnet_050", "mobilenetv3_small_050", "tinynet_e", "resnet10t", "mobileone_s0")
"""Hard-swish and gates, SiLU, poolings in shortcuts, branches side by side."""


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AUXNAS_CACHE", str(tmp_path))
    find_encoder.cache_clear()
    yield
    find_encoder.cache_clear()


def random_network(name: str) -> torch.nn.Module:
    """timm's, with random weights and statistics."""
    torch.manual_seed(0)
    model = timm.create_model(name).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for value, low, high in (
                (module.running_mean, -0.3, 0.5),
                (module.running_var, 0.5, 1.5),
                (module.weight.data, 0.6, 1.6),
                (module.bias.data, -0.3, 0.5),
            ):
                value.uniform_(low, high)
        elif isinstance(module, torch.nn.Conv2d):
            module.weight.data.normal_(0, module.weight[0].numel() ** -0.5)
    return model


@pytest.mark.parametrize("name", [*OURS, *(f"timm:{name}" for name in IMPORTED)])
def test_the_encoder_gives_timm_s_own_maps(name):
    """Those of ours without an import; all as they are trained and as they are compiled."""
    model, encoder, builder = (
        random_network(name.removeprefix("timm:")),
        find_encoder(name),
        Builder(),
    )
    maps = lower_encoder(encoder, builder)
    graph = builder.graph({f"map{index}": each.node for index, each in enumerate(maps)})
    values = {n: v.numpy() for n, v in model.state_dict().items()}
    program = Program(graph, fit_encoder(encoder, graph, values, "f"))
    image = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        truth = [
            each.numpy() for each in model.forward_intermediates(image, intermediates_only=True)
        ]
    rewriting = [each for each in INFERENCE if each.name != "strip-auxiliary"]
    for which in (program, run_passes(rewriting, program)[0]):
        found = TorchRunner(which, "cpu")({"image": image.numpy()}).values()
        compared = 0
        for expected in truth:
            like = [each for each in found if each.shape == expected.shape]
            apart = [np.abs(each - expected).max() / np.abs(expected).max() for each in like]
            assert min(apart, default=0) < 1e-5
            compared += bool(like)
        assert compared >= 4


def test_mean_and_deviation_are_the_network_s():
    half = (0.5, 0.5, 0.5)
    config = timm.get_pretrained_cfg("mobilenetv4_conv_small.e3600_r256_in1k")
    assert config.mean == half
    encoder = find_encoder("timm:mobilenetv4_conv_small.e3600_r256_in1k")
    assert encoder.normalisation == Normalisation(half, half)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tf_efficientnet_lite0", r"conv_stem: pad \(aten.pad\): no primitive"),
        ("vit_tiny_patch16_224", "cannot be traced|gives no feature maps"),
        ("resnet81", "timm has no 'resnet81', expected resnet"),
    ],
)
def test_a_network_that_does_not_fit_is_refused(name, message):
    with pytest.raises(PluginError, match=message) as error:
        find_encoder(f"timm:{name}")
    assert "\n" not in str(error.value)


def test_the_second_time_it_is_read_from_the_cache(tmp_path, monkeypatch):
    first = find_encoder("timm:lcnet_050")
    find_encoder.cache_clear()
    monkeypatch.setattr(timm, "create_model", None)
    assert find_encoder("timm:lcnet_050") == first
    assert [path.name for path in (tmp_path / "timm").iterdir()] == [
        f"lcnet_050-{timm.__version__}.json"
    ]
