"""A user's encoder, searched, trained and compiled by the real commands."""

from __future__ import annotations

import json
import re

import pytest
from safetensors import safe_open

from auxnas.compiler import ModelSpec, lower, lower_refinenet
from auxnas.compiler.builder import Builder
from auxnas.compiler.encoders import find_encoder
from auxnas.compiler.encoders.contract import lower_encoder
from auxnas.compiler.encoders.fitting import fit_encoder
from auxnas.compiler.weights import initial_params
from auxnas.genotype import zoo
from auxnas.genotype.errors import InputError
from auxnas.nascompile.cli import main as nascompile
from auxnas.nassearch.cli import main as nassearch
from tests.compiler.test_encoders import EncoderContract

WORDS = ["--data", "synthetic:12", "--size", "32x32", "--classes", 12, "--preset", "demo"]
TINY = [
    "--learner",
    "null",
    "--trials",
    2,
    "--set",
    "latency.measure=false",
    "--set",
    "pretrain.epochs=1",
]
TINY += ["--set", "stage1.epochs=1", "--set", "model.width=0.5", "--set", "model.agg_size=4"]
OWN = "encoder:Plain"


@pytest.mark.usefixtures("user")
class TestPlain(EncoderContract):
    name = OWN


FAULTS = """
from dataclasses import replace
from encoder import Plain

class Changed(Plain):
    def maps(self, found): return found
    def lower(self, builder, image): return self.maps(super().lower(builder, image))

class Nothing(Changed):
    def maps(self, found): return None
class Empty(Changed):
    def maps(self, found): return ()
class Names(Changed):
    def maps(self, found): return [each.node for each in found]
class Unknown(Changed):
    def maps(self, found): return [replace(each, node="nope") for each in found]
class Channels(Changed):
    def maps(self, found): return [replace(each, channels=each.channels + 8) for each in found]
class Stride(Changed):
    def maps(self, found): return [replace(each, stride=3) for each in found]
class NoStride(Changed):
    def maps(self, found): return [replace(each, stride=None) for each in found]
class Coarse(Changed):
    def maps(self, found): return found[::-1]
class Prefix(Plain):
    def lower(self, builder, image):
        builder.conv_bn("body", image, 8)
        return super().lower(builder, image)
class Twice(Plain):
    def lower(self, builder, image):
        super().lower(builder, image)
        return super().lower(builder, image)
class Loose(Plain):
    def lower(self, builder, image):
        builder.add("encoder.loose", "relu", "nope")
        return super().lower(builder, image)

class Tapped(Plain):
    def taps(self, count): return self.tapped
class Negative(Tapped): tapped = (0, 1, 2, -1)
class Large(Tapped): tapped = (0, 1, 2, 9)
class Few(Tapped): tapped = (4,)
class Same(Tapped): tapped = (0, 1, 1, 2)
class Falling(Tapped): tapped = (4, 3, 2, 1)
class Letters(Tapped): tapped = "0123"
class NoTaps(Tapped): tapped = None

class Bare:
    name, normalisation = "bare", Plain.normalisation
    def __init__(self, width): pass
class Normalised(Plain):
    normalisation = (0.5, 0.5)
class Widthless(Plain):
    def __init__(self): pass
number = 3
class Unpublished(Plain):
    def from_published(self, values, place): return None
class Texts(Plain):
    def from_published(self, values, place): return dict.fromkeys(values, "1")
"""
LOWERED = {
    "Nothing": "lower gives None, expected a tuple of one or more FeatureMap",
    "Empty": "lower gives (), expected a tuple",
    "Names": "lower gives ['encoder.1.relu', ",
    "Unknown": "output map0: no node 'nope'",
    "Channels": "map 0 (encoder.1.relu) of 24 channels at stride 2, expected 16 channels",
    "Stride": "map 0 (encoder.1.relu) of 16 channels at stride 3, expected 16 channels at stride 2",
    "NoStride": "map 0 (encoder.1.relu) of 16 channels at stride None, expected 16 channels",
    "Coarse": "maps at strides 32, 16, 8, 4, 2, expected the finest first",
    "Prefix": "parameters are named 'body.conv', expected names that begin with 'encoder.'",
    "Twice": "encoder.1.conv: a second node of this name",
    "Loose": "encoder.loose: reads 'nope', which does not come before it",
}
TAPPED = {
    "Negative": "(0, 1, 2, -1)",
    "Large": "(0, 1, 2, 9)",
    "Few": "(4,)",
    "Same": "(0, 1, 1, 2)",
    "Falling": "(4, 3, 2, 1)",
    "Letters": "'0123'",
    "NoTaps": "None",
}
FOUND = {
    "Bare": "faults:Bare makes a Bare without lower, taps, from_published, expected one with name",
    "Normalised": "faults:Normalised: normalisation (0.5, 0.5), expected a Normalisation of auxnas",
    "Widthless": "faults:Widthless: too many positional arguments, expected a class or function of",
    "number": "faults:number is 3, expected a class or function of (width)",
}


@pytest.fixture
def faults(user, monkeypatch):
    (user / "faults.py").write_text(FAULTS)
    monkeypatch.syspath_prepend(str(user))
    find_encoder.cache_clear()
    yield lambda name: ModelSpec(agg_size=4, encoder=f"faults:{name}")
    find_encoder.cache_clear()


def told(message):
    return pytest.raises(InputError, match=f"^{re.escape(message)}")


@pytest.mark.parametrize(("name", "message"), LOWERED.items())
def test_a_graph_that_is_not_as_it_says_is_told_by_every_decoder(faults, name, message):
    genotype = zoo.load_published("arch0").genotype
    with told(f"encoder faults:{name}: {message}"):
        lower(genotype, faults(name))
    with told(f"encoder faults:{name}: {message}"):
        lower_refinenet(faults(name))
    assert lower(genotype, faults("Changed")).outputs


@pytest.mark.parametrize(("name", "found"), TAPPED.items())
def test_taps_that_are_not_as_it_says_are_told(faults, name, found):
    message = f"taps(4) gives {found}, expected 4 rising numbers from 0 to 4, of its maps"
    with told(f"encoder faults:{name}: {message}"):
        lower(zoo.load_published("arch0").genotype, faults(name))


@pytest.mark.parametrize(("name", "message"), FOUND.items())
def test_what_is_no_encoder_is_told(faults, name, message):
    with told(f"encoder: {message}"):
        faults(name).find_encoder()


@pytest.mark.parametrize(("name", "found"), [("Unpublished", "None"), ("Texts", "{'encoder.1.")])
def test_published_weights_that_are_no_arrays_are_told(faults, name, found):
    encoder, builder = faults(name).find_encoder(), Builder()
    graph = builder.graph({"main": lower_encoder(encoder, builder)[-1].node})
    with told(f"encoder faults:{name}: from_published gives {found}"):
        fit_encoder(encoder, graph, initial_params(graph, 0), "f")


def test_it_is_one_line_of_the_command(faults, command):
    found = command(nascompile, "arch0", "--encoder", "faults:Prefix", "--dry-run", fails=True)
    assert found.exit_code == 2
    message = "parameters are named 'body.conv', expected names that begin with 'encoder.'"
    assert found.stderr == f"error: encoder faults:Prefix: {message}\n"


def test_it_is_searched_and_compiled(user, command):
    run = [*WORDS, *TINY, "--encoder", OWN, "--out", "run"]
    command(nassearch, "run", *run)
    with safe_open("run/best.safetensors", "numpy") as file:
        known = {name: json.loads(text) for name, text in file.metadata().items()}
        names = set(file.keys())
    assert known["model"]["encoder"] == OWN
    assert known["normalisation"] == {"mean": [0.5] * 3, "deviation": [0.25] * 3}
    assert "encoder.5.conv.weight" in names
    command(nassearch, "resume", "run", "--trials", 3)
    files = ["run/best.json", "--weights", "run/best.safetensors"]
    made = command(nascompile, *files, "--encoder", OWN, "--output", "a.onnx", "--json")
    assert json.loads(made.stdout)["model"]["encoder"] == OWN
