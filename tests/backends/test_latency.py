"""Latency is that of the compiled network."""

import sys

import pytest

from auxnas.backends.base import BackendUnavailable
from auxnas.backends.measuring import latency
from auxnas.backends.onnx.build import OnnxExporter
from auxnas.compiler import ModelSpec, lower
from auxnas.genotype import zoo

GRAPH = lower(
    zoo.load_published("arch0").genotype,
    ModelSpec(classes=3, width=0.1, agg_size=8, auxiliary="none"),
)


def test_the_compiled_network_is_what_runs(monkeypatch):
    pytest.importorskip("onnxruntime")
    seen, export = [], OnnxExporter.export

    def spy(self, program, *rest):
        seen.append({node.op for node in program.graph.nodes})
        export(self, program, *rest)

    def timed(runner, inputs):
        assert runner.session.get_inputs()[0].shape == [*inputs["image"].shape]
        seen.append(inputs["image"].shape)
        return 0.25

    monkeypatch.setattr(OnnxExporter, "export", spy)
    monkeypatch.setattr(latency, "latency_of", timed)
    assert latency.compiled_latency(GRAPH, (48, 40), 1) == 0.25
    ops, shape = seen
    assert shape == (1, 3, 48, 40)
    assert "batch_norm" in {node.op for node in GRAPH.nodes}
    assert "batch_norm" not in ops


def test_without_the_runtime_it_says_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "auxnas.backends.runtimes.ort", raising=False)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(BackendUnavailable, match=r"auxnas\[ort\]"):
        latency.compiled_latency(GRAPH, (32, 32))
