"""The oracle against definitions written out pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest

from auxnas.backends.runtimes.reference import ReferenceRunner
from auxnas.compiler import PRIMITIVES, CompilerError, Program, parse_graph
from auxnas.compiler.weights import random_params

RNG = np.random.default_rng(0)


def run(text: str, x: np.ndarray):
    graph = parse_graph(f"x = input(; channels={x.shape[1]})\n{text}\nreturn y=y")
    program = Program(graph, random_params(graph, 0))
    return ReferenceRunner(program)({"x": x})["y"], program.params


def test_every_primitive_has_a_function():
    assert [name for name, record in PRIMITIVES.items() if record.compute is None] == ["input"]


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("dilation", [1, 3])
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_convolution_is_its_definition(stride, dilation, groups):
    x = RNG.normal(size=(2, 4, 7, 5))
    attrs = f"kernel=3, out=4, stride={stride}, dilation={dilation}, groups={groups}, bias=1"
    y, params = run(f"y = conv2d(x; {attrs}) @p", x)
    weight, bias = params["p.weight"].astype(float), params["p.bias"].astype(float)
    inner = 4 // groups
    for n, o, i, j in np.ndindex(*y.shape):
        total = bias[o]
        for c, a, b in np.ndindex(inner, 3, 3):
            row, column = i * stride + (a - 1) * dilation, j * stride + (b - 1) * dilation
            if 0 <= row < 7 and 0 <= column < 5:
                total += weight[o, c, a, b] * x[n, o // (4 // groups) * inner + c, row, column]
        assert y[n, o, i, j] == pytest.approx(total, abs=1e-12)


@pytest.mark.parametrize(("kernel", "stride"), [(4, 2), (3, 1), (5, 3), (2, 2)])
def test_transposed_convolution_is_its_definition(kernel, stride):
    """What the gradient of a convolution gives: the taps of all pixels that reach one."""
    x = RNG.normal(size=(2, 3, 4, 2))
    y, params = run(f"y = deconv2d(x; kernel={kernel}, out=2, stride={stride}, bias=1) @p", x)
    weight, bias = params["p.weight"].astype(float), params["p.bias"].astype(float)
    assert (weight.shape, y.shape) == ((3, 2, kernel, kernel), (2, 2, 4 * stride, 2 * stride))
    margin = (kernel - stride) // 2
    expected = np.broadcast_to(bias[:, None, None], y.shape).copy()
    for n, c, i, j, o, a, b in np.ndindex(2, 3, 4, 2, 2, kernel, kernel):
        row, column = i * stride + a - margin, j * stride + b - margin
        if 0 <= row < y.shape[2] and 0 <= column < y.shape[3]:
            expected[n, o, row, column] += weight[c, o, a, b] * x[n, c, i, j]
    np.testing.assert_allclose(y, expected, atol=1e-12)


@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (1, 2)])
def test_a_kernel_that_cannot_be_centred_is_refused(kernel, stride):
    with pytest.raises(CompilerError, match=f"y.kernel: {kernel}, expected stride 2 and an even"):
        run(f"y = deconv2d(x; kernel={kernel}, out=2, stride={stride}) @p", np.zeros((1, 3, 2, 2)))


def test_batch_norm_is_its_definition():
    x = RNG.normal(size=(1, 3, 2, 2))
    y, p = run("y = batch_norm(x) @p", x)
    p = {key: value.astype(float)[:, None, None] for key, value in p.items()}
    expected = (x - p["p.running_mean"]) / np.sqrt(p["p.running_var"] + 1e-5) * p["p.weight"]
    np.testing.assert_allclose(y, expected + p["p.bias"], rtol=1e-12)


def test_labels_are_bytes_or_refused():
    x = np.zeros((1, 256, 1, 2))
    x[0, [255, 3], 0, [0, 1]] = 1
    assert run("y = argmax(x)", x)[0].tolist() == [[[[255, 3]]]]
    with pytest.raises(CompilerError, match="y: labels of 257 channels, expected at most 256"):
        run("y = argmax(x)", np.zeros((1, 257, 1, 2)))


@pytest.mark.parametrize(
    ("op", "width", "expected"),
    [
        ("resize", 8, [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3]),
        ("resize_corners", 7, [0, 0.5, 1, 1.5, 2, 2.5, 3]),
        ("resize_corners", 1, [0]),
    ],
)
def test_resize_is_bilinear(op, width, expected):
    x = np.arange(4.0).reshape(1, 1, 1, 4)
    graph = parse_graph(
        f"x = input(; channels=1)\nlike = input(; channels=1)\ny = {op}(x, like)\nreturn y=y"
    )
    like = np.zeros((1, 1, 1, width))
    y = ReferenceRunner(Program(graph, {}))({"x": x, "like": like})["y"]
    np.testing.assert_allclose(y[0, 0, 0], expected)


def test_max_pool_ignores_the_padding():
    x = -1 - RNG.random((1, 2, 4, 4))
    y, _ = run("y = max_pool(x; kernel=3)", x)
    assert y.shape == x.shape
    assert y[0, 0, 0, 0] == x[0, 0, :2, :2].max()
    assert y[0, 1, 2, 2] == x[0, 1, 1:, 1:].max()
