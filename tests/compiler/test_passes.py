"""Every pass: one example written out, and the laws over generated genotypes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import example as example_of
from hypothesis import given, settings
from hypothesis import strategies as st

from auxnas.backends.compiling.verification import noise_inputs
from auxnas.backends.runtimes.reference import ReferenceRunner
from auxnas.compiler import (
    CompilerError,
    Program,
    cost,
    infer_shapes,
    make_node,
    parse_graph,
    verify,
)
from auxnas.compiler.interface import Interface, with_interface
from auxnas.compiler.passes import (
    INFERENCE,
    BorrowSize,
    FoldBatchNorm,
    MergeBranches,
    SinkSpread,
    branches,
    run_passes,
)
from auxnas.compiler.rewriting import Replacement, rewrite
from auxnas.compiler.tasks import Segmentation
from auxnas.compiler.weights import random_params
from auxnas.genotype import parse
from tests.strategies import POINTS, SPACES, genotypes, program

SIZE = (37, 29)
HEAD = "image = input(; channels=3)\n"

EXAMPLES = {
    "strip-auxiliary": (
        """a = relu(image)
           spare = conv2d(image; kernel=1, out=2) @spare
           b = relu6(a)
           return main=a, aux0=b""",
        "a = relu(image)\nreturn main=a",
    ),
    "borrow-size": (
        """a = conv2d(image; kernel=3, out=2, stride=2) @a
           r = relu(a)
           b = conv2d(image; kernel=5, out=2, stride=2) @b
           c = relu(b)
           d = global_mean(r)
           e = spread(d, c)
           f = conv2d(e; kernel=3, out=2) @f
           g = resize(f, image)
           return main=g""",
        """a = conv2d(image; kernel=3, out=2, stride=2) @a
           r = relu(a)
           d = global_mean(r)
           e = spread(d, r)
           f = conv2d(e; kernel=3, out=2) @f
           g = resize(f, image)
           return main=g""",
    ),
    "remove-identity": (
        """a = identity(image)
           b = add(a)
           c = resize(b, image)
           d = add(c, image, b)
           return main=d""",
        "d = add(image, image, image)\nreturn main=d",
    ),
    "fold-batch-norm": (
        """a = conv2d(image; kernel=3, out=6, groups=3) @p.conv
           b = batch_norm(a) @p.bn
           c = conv2d(b; kernel=1, out=2, bias=1) @q.conv
           d = batch_norm(c) @q.bn
           e = conv2d(d; kernel=1, out=2) @r.conv
           f = batch_norm(e) @r.bn
           g = add(e, f)
           return main=g""",
        """a = conv2d(image; kernel=3, out=6, groups=3, bias=1) @p.conv.folded
           c = conv2d(a; kernel=1, out=2, bias=1) @q.conv.folded
           e = conv2d(c; kernel=1, out=2) @r.conv
           f = batch_norm(e) @r.bn
           g = add(e, f)
           return main=g""",
    ),
    "merge-branches": (
        """a = conv2d(image; kernel=3, out=3, bias=1) @a
           b = conv2d(image; kernel=1, out=3) @b
           c = batch_norm(image) @c
           d = conv2d(image; kernel=3, out=3, dilation=2) @d
           e = add(b, a, c, d, image)
           f = conv2d(image; kernel=5, out=6, groups=3, stride=2) @f
           g = conv2d(image; kernel=5, out=6, groups=3, stride=2) @g
           h = add(f, g)
           return main=e, other=h""",
        """d = conv2d(image; kernel=3, out=3, dilation=2) @d
           a.merged = conv2d(image; kernel=3, out=3, bias=1) @a.merged
           e = add(a.merged, d, image)
           f.merged = conv2d(image; kernel=5, out=6, groups=3, stride=2, bias=1) @f.merged
           h = add(f.merged)
           return main=e, other=h""",
    ),
    "fold-constant": (
        """a = zero(image)
           b = conv2d(a; kernel=3, out=4, bias=1) @p.conv
           c = relu(image)
           d = add(a, c, a)
           e = conv2d(d; kernel=1, out=4) @q.conv
           f = add(b, e)
           return main=f""",
        """b.point = vector(; channels=4) @b.point
           b = spread(b.point, image)
           c = relu(image)
           d = add(c)
           e = conv2d(d; kernel=1, out=4) @q.conv
           f = add(b, e)
           return main=f""",
    ),
    "sink-spread": (
        """m = global_mean(image)
           s = spread(m, image)
           a = conv2d(s; kernel=1, out=3) @p.conv
           b = relu(a)
           c = conv2d(s; kernel=3, out=3) @q.conv
           d = add(b, c, s)
           e = global_mean(s)
           f = spread(e, d)
           g = add(d, f)
           return main=g""",
        """m = global_mean(image)
           s = spread(m, image)
           a = conv2d(m; kernel=1, out=3) @p.conv
           b = relu(a)
           c = conv2d(s; kernel=3, out=3) @q.conv
           d.points = add(b, m)
           d.spread = spread(d.points, image)
           d = add(c, d.spread)
           f = spread(m, d)
           g = add(d, f)
           return main=g""",
    ),
    "remove-relu": (
        """a = relu(image)
           b = relu6(image)
           c = add(a, b)
           d = concat(c, a)
           e = relu(d)
           f = relu(e)
           g = add(f, d)
           return main=g""",
        """a = relu(image)
           b = relu6(image)
           c = add(a, b)
           d = concat(c, a)
           g = add(d, d)
           return main=g""",
    ),
    "split-conv": (
        """a = conv2d(image; kernel=1, out=2, stride=2) @a
           b = resize(a, image)
           c = concat(b, image)
           d = conv2d(c; kernel=1, out=2, bias=1) @d
           return main=d""",
        """a = conv2d(image; kernel=1, out=2, stride=2) @a
           b = resize(a, image)
           d.part0 = conv2d(b; kernel=1, out=2) @d.part0
           d.part1 = conv2d(image; kernel=1, out=2, bias=1) @d.part1
           d = add(d.part0, d.part1)
           return main=d""",
    ),
    "lower-conv": (
        """a = conv2d(image; kernel=1, out=2, stride=2) @a
           b = resize(a, image)
           c = conv2d(b; kernel=1, out=2, bias=1) @c
           return main=c""",
        """a = conv2d(image; kernel=1, out=2, stride=2) @a
           c.low = conv2d(a; kernel=1, out=2, bias=1) @c
           c = resize(c.low, image)
           return main=c""",
    ),
    "merge-resize": (
        """a = conv2d(image; kernel=1, out=3, stride=2) @a
           b = relu(a)
           c = resize(a, image)
           d = resize(b, image)
           e = add(c, image, d)
           return main=e""",
        """a = conv2d(image; kernel=1, out=3, stride=2) @a
           b = relu(a)
           c.sum = add(a, b)
           c.of_sum = resize(c.sum, image)
           e = add(image, c.of_sum)
           return main=e""",
    ),
    "flatten-sum": (
        """a = relu(image)
           b = add(a, image)
           c = add(b, b)
           d = add(a, image)
           e = add(c, d, a)
           return main=e""",
        """a = relu(image)
           b = add(a, image)
           e = add(b, b, a, image, a)
           return main=e""",
    ),
    "broadcast-sum": (
        """m = global_mean(image)
           s = spread(m, image)
           a = add(s, image)
           return main=a""",
        """m = global_mean(image)
           a = add(m, image)
           return main=a""",
    ),
}


def example(text: str) -> Program:
    graph = parse_graph(HEAD + text)
    return Program(graph, random_params(graph, 1))


@pytest.mark.parametrize("each", INFERENCE, ids=lambda p: p.name)
def test_example(each):
    before, expected = EXAMPLES[each.name]
    assert str(each(example(before)).graph) == str(parse_graph(HEAD + expected))


def outputs(which: Program, names=None):
    """In float64, as are the parameters."""
    params = {name: value.astype(np.float64) for name, value in which.params.items()}
    one, other = noise_inputs(which, SIZE, 3), noise_inputs(which, SIZE, 4)
    both = {name: np.concatenate([one[name], other[name]]) for name in one}
    return ReferenceRunner(replace(which, params=params))(both)


def check_laws(each, before: Program) -> None:
    """What every pass must keep; raises AssertionError where one does not hold."""
    before = replace(before, params={k: v.astype(np.float64) for k, v in before.params.items()})
    text, values = str(before.graph), {k: v.copy() for k, v in before.params.items()}
    after = each(before)
    assert str(before.graph) == text
    assert before.params.keys() == values.keys()
    assert all(np.array_equal(before.params[k], v) for k, v in values.items())
    verify(after)
    kept = dict(after.graph.outputs)
    assert kept.keys() <= dict(before.graph.outputs).keys()
    assert after.graph.outputs[0][0] == before.graph.outputs[0][0]
    shapes = infer_shapes(before.graph, SIZE), infer_shapes(after.graph, SIZE)
    expected, found = outputs(before), outputs(after)
    for name, node in kept.items():
        assert found[name].dtype == expected[name].dtype
        assert found[name].shape == expected[name].shape
        assert shapes[1][node] == shapes[0][dict(before.graph.outputs)[name]]
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-9, atol=1e-9)
    assert each(after).graph == after.graph
    costs = [cost(p.graph, SIZE) for p in (before, after)]
    assert costs[1].multiply_adds <= costs[0].multiply_adds
    assert costs[1].parameters <= costs[0].parameters


@st.composite
def networks(draw):
    """Networks of any space, with weights that may make whole maps constant, and any ends."""
    described = program(draw(genotypes(*SPACES, POINTS)), dead=draw(st.booleans()))
    return with_interface(
        described, Interface(draw(st.sampled_from([*Segmentation.heads])), draw(st.booleans()))
    )


@pytest.mark.parametrize("each", INFERENCE, ids=lambda p: p.name)
@settings(max_examples=10)
@given(network=networks())
def test_laws(each, network):
    check_laws(each, network)


@settings(max_examples=40)
@given(network=networks())
def test_laws_of_the_whole_pipeline(network):
    check_laws(lambda p: run_passes(INFERENCE, p)[0], network)


@settings(max_examples=20)
@given(network=networks(), order=st.permutations(INFERENCE), count=st.integers(1, len(INFERENCE)))
def test_any_passes_in_any_order_keep_the_result(network, order, count):
    check_laws(lambda p: run_passes(order[:count], p)[0], network)


@pytest.mark.parametrize(
    "text",
    [
        """m = global_mean(image)
           v = vector(; channels=2) @v
           r = relu(v)
           s = spread(r, m)
           return main=s""",
        """m = global_mean(image)
           v = vector(; channels=3) @v
           r = relu(v)
           u = vector(; channels=3) @u
           s = spread(r, u)
           t = concat(s, r)
           return main=t, other=m""",
    ],
    ids=["lends", "loses"],
)
def test_no_constant_lends_its_size_or_loses_its_own(text):
    """It is there once, not once for each image of a batch."""
    check_laws(BorrowSize(), example(text))
    assert str(BorrowSize()(example(text)).graph) == str(example(text).graph)


@pytest.mark.parametrize("each", [SinkSpread(), BorrowSize()], ids=lambda p: p.name)
@pytest.mark.parametrize(
    "text",
    [
        """m = global_mean(image)
           a = vector(; channels=3) @a
           b = vector(; channels=3) @b
           s = spread(a, m)
           u = resize(b, m)
           t = add(s, u)
           return main=t""",
        """m = global_mean(image)
           v = vector(; channels=3) @v
           u = resize(v, image)
           c = relu(image)
           s = spread(m, c)
           t = add(s, u)
           return main=t""",
        """m = global_mean(image)
           v = vector(; channels=3) @v
           w = vector(; channels=3) @w
           s = spread(v, w)
           u = spread(w, m)
           t = add(s, u)
           return main=t""",
    ],
)
def test_a_constant_brought_to_a_size_still_is_one_for_all_images(each, text):
    check_laws(each, example(text))


GATES = [
    """c = conv2d(image; kernel=3, out=4) @c
       b = batch_norm(c) @b
       m = global_mean(b)
       s = conv2d(m; kernel=1, out=4, bias=1) @s
       g = hard_sigmoid(s)
       x = mul(b, g)
       d = conv2d(x; kernel=1, out=3) @d
       n = batch_norm(d) @n
       r = relu(n)
       return main=r""",
    """c = conv2d(image; kernel=3, out=3) @c
       a = relu(c)
       z = zero(image)
       m = global_mean(z)
       g = sigmoid(m)
       s = spread(g, a)
       x = mul(s, a)
       y = mul(a, m)
       t = add(x, y, s)
       r = relu(t)
       return main=r""",
    """v = vector(; channels=3) @v
       g = silu(v)
       x = mul(g, image)
       m = mul(g, v)
       s = spread(m, image)
       y = mul(s, s)
       r = relu(y)
       t = add(x, r)
       return main=t""",
]
"""A squeeze-and-excitation; gates of what is constant; products of constants and spread maps."""


@pytest.mark.parametrize("text", GATES)
def test_products_keep_the_laws_of_every_pass(text):
    for each in INFERENCE:
        check_laws(each, example(text))
    check_laws(lambda p: run_passes(INFERENCE, p)[0], example(text))


@dataclass(frozen=True)
class ScalesThroughGates(FoldBatchNorm):
    """A batch norm's scale would go through a product into what is in front, its shift not."""

    def __call__(self, program):
        graph = program.graph
        if "n" not in graph.by_name:
            return super().__call__(program)
        return replace(program, graph=graph.substitute({"n": "d"}).live())


def test_the_laws_find_a_norm_lost_behind_a_gate():
    with pytest.raises(AssertionError):
        check_laws(ScalesThroughGates(), example(GATES[0]))


REPVGG = """c = conv2d(image; kernel=3, out=4, stride=2) @c
    r = relu(c)
    a = conv2d(r; kernel=3, out=4, groups=GROUPS) @a
    an = batch_norm(a) @an
    b = conv2d(r; kernel=1, out=4, groups=GROUPS) @b
    bn = batch_norm(b) @bn
    i = batch_norm(r) @i
    s = add(bn, an, i)
    t = relu(s)
    return main=t"""


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_the_branches_of_a_block_become_one_convolution(groups):
    before = example(REPVGG.replace("GROUPS", str(groups)))
    after = run_passes(INFERENCE, before)[0]
    assert [node.op for node in after.graph.nodes] == ["input", *["conv2d", "relu"] * 2]
    check_laws(lambda p: run_passes(INFERENCE, p)[0], before)


@pytest.mark.parametrize(
    "text",
    [
        """a = conv2d(image; kernel=3, out=3) @a
           b = conv2d(image; kernel=1, out=3) @b
           s = add(a, b)
           return main=s, other=b""",
        """a = conv2d(image; kernel=3, out=3, stride=2) @a
           r = conv2d(image; kernel=1, out=3, stride=2) @r
           b = batch_norm(r) @b
           c = batch_norm(image) @c
           m = global_mean(c)
           s = add(a, b, m)
           return main=s""",
        """a = conv2d(image; kernel=1, out=6) @a
           b = batch_norm(image) @b
           c = concat(b, b)
           s = add(a, c, a)
           return main=s""",
    ],
    ids=["read", "stride", "channels"],
)
def test_branches_that_do_not_fit_stay(text):
    before = example(text)
    assert MergeBranches()(before) is before


@pytest.mark.parametrize("mutation", ["corner", "mean"])
def test_the_laws_find_branches_merged_wrongly(mutation, monkeypatch):
    right = branches._as_kernel

    def wrong(branch, depth, channels, params):
        kernel, bias = right(branch, depth, channels, params)
        if mutation == "mean" and branch.op == "batch_norm":
            return kernel, params[f"{branch.param}.bias"]
        if mutation == "corner" and kernel.shape[-1] == 1:
            return np.pad(kernel, ((0, 0), (0, 0), (0, 2), (0, 2))), bias
        return kernel, bias

    monkeypatch.setattr(branches, "_as_kernel", wrong)
    with pytest.raises(AssertionError):
        check_laws(MergeBranches(), example(EXAMPLES["merge-branches"][0]))


ONCE_BROKEN = [
    "[[[0,3],[4,4],[5,3]],[10,[1,1,10,10],[3,1,6,6],[2,1,0,10]]]",
    "[[[3,3],[3,2],[3,0]],[10,[0,0,10,10],[0,0,4,4],[1,1,1,10]]]",
]
POINTS_ALONE = [
    "[[[0,0],[0,0],[0,0]],[10,[0,1,10,0],[0,0,0,0],[0,4,4,4]]]",
    "[[[0,0],[0,0],[0,0]],[10,[1,0,0,4],[0,1,4,2],[1,0,0,4]]]",
]
"""Sums of 1x1 maps and a spread one: at one pixel in the first, at every pixel in the second."""


@pytest.mark.parametrize("text", ONCE_BROKEN)
def test_a_sum_may_get_spread_terms_twice(text):
    check_laws(lambda p: run_passes(INFERENCE, p)[0], program(parse(text).genotype))


def test_convolutions_that_share_weights_fold_each_its_own_norm():
    text = """a = conv2d(image; kernel=3, out=3) @w
              b = batch_norm(a) @n
              c = conv2d(b; kernel=3, out=3) @w
              d = batch_norm(c) @m
              return main=d"""
    before = example(text)
    exact = replace(before, params={k: v.astype(np.float64) for k, v in before.params.items()})
    after = FoldBatchNorm()(exact)
    assert {node.op for node in after.graph.nodes} == {"input", "conv2d"}
    np.testing.assert_allclose(outputs(after)["main"], outputs(before)["main"], rtol=1e-9)


def test_labels_of_a_constant_keep_type_and_batch():
    text = """z = zero(image)
              c = conv2d(z; kernel=3, out=4, bias=1) @c
              m = global_mean(c)
              l = argmax(m)
              return main=l"""
    before = example(text)
    after = run_passes(INFERENCE, before)[0]
    assert outputs(after)["main"].dtype == outputs(before)["main"].dtype == np.uint8
    check_laws(lambda p: run_passes(INFERENCE, p)[0], before)


def test_a_zero_that_gives_a_sum_its_size_stays():
    text = """m = global_mean(image)
              z = zero(image)
              a = add(m, z)
              c = conv2d(a; kernel=3, out=3) @c
              return main=c"""
    (fold,) = (each for each in INFERENCE if each.name == "fold-constant")
    check_laws(fold, example(text))


@dataclass(frozen=True)
class ForgetsTheMean(FoldBatchNorm):
    """Right on fresh batch norm, whose mean is 0."""

    def __call__(self, program):
        zeroed = {k: v * 0 if k.endswith("running_mean") else v for k, v in program.params.items()}
        folded = super().__call__(replace(program, params=zeroed))
        return replace(folded, params=zeroed | dict(folded.params) | dict(program.params))


@dataclass(frozen=True)
class LowersLargerKernels:
    """A 3x3 convolution does not commute with a resize."""

    name: str = "lowers"

    def __call__(self, program):
        names = {"decoder.clf.low"}
        if names & program.graph.by_name.keys():
            return program

        def rule(node, seen):
            if node.name != "decoder.clf":
                return None
            like = "decoder.block2.sum"
            down = make_node("down", "resize", (node.inputs[0], "decoder.block0.sum"))
            conv = replace(node, name="decoder.clf.low", inputs=("down",))
            up = make_node(node.name, "resize", (conv.name, like))
            return Replacement((down, conv, up), node.name)

        return replace(program, graph=rewrite(program.graph, rule))


@dataclass(frozen=True)
class Mutates:
    name: str = "mutates"

    def __call__(self, program):
        program.params["encoder.layer1.conv.weight"][:] = 0
        return program


@dataclass(frozen=True)
class DropsABranch:
    name: str = "drops"

    def __call__(self, program):
        node = next(n for n in program.graph.nodes if n.name == "decoder.block0.sum")
        return replace(program, graph=program.graph.substitute({node.name: node.inputs[0]}).live())


@pytest.mark.parametrize(
    "mutant", [ForgetsTheMean(), LowersLargerKernels(), Mutates(), DropsABranch()]
)
def test_laws_find_mutants(mutant):
    from auxnas.genotype import zoo

    with pytest.raises((AssertionError, CompilerError)):
        check_laws(mutant, program(zoo.load_published("arch0").genotype))


@settings(max_examples=40)
@example_of(genotype=parse(POINTS_ALONE[0]).genotype)
@example_of(genotype=parse(POINTS_ALONE[1]).genotype)
@given(genotype=genotypes())
def test_inference_graphs_hold_no_leftovers(genotype):
    graph = run_passes(INFERENCE, program(genotype))[0].graph
    assert [name for name, _ in graph.outputs] == ["main"]
    assert not {n.op for n in graph.nodes} & {"identity", "zero"}
    assert not any(n.op == "batch_norm" and graph[n.inputs[0]].op == "conv2d" for n in graph.nodes)
    for node in graph.nodes:
        spread = [name for name in node.inputs if graph[name].op == "spread"]
        assert node.op != "add" or len(spread) in (0, len(node.inputs))


@dataclass(frozen=True)
class Restless:
    name: str = "restless"

    def __call__(self, program):
        graph = program.graph
        last = graph.nodes[-1]
        renamed = replace(last, name=last.name + "_")
        outputs = tuple((n, renamed.name) for n, _ in graph.outputs)
        return replace(
            program, graph=replace(graph, nodes=(*graph.nodes[:-1], renamed), outputs=outputs)
        )


@dataclass(frozen=True)
class Breaks:
    name: str = "breaks"

    def __call__(self, program):
        return replace(program, graph=replace(program.graph, nodes=program.graph.nodes[1:]))


def test_a_pipeline_that_does_not_end_is_named():
    with pytest.raises(CompilerError, match="restless still change"):
        run_passes([Restless()], example("a = relu(image)\nreturn main=a"))


def test_a_pass_that_breaks_the_graph_is_named_with_those_before_it():
    text = "a = identity(image)\nb = relu(a)\nreturn main=b"
    with pytest.raises(CompilerError, match=r"pass breaks \(after remove-identity\)"):
        run_passes([*INFERENCE[:2], Breaks()], example(text))


def test_disabled_passes_are_left_out_and_unknown_ones_refused():
    text = "a = identity(image)\nb = relu(a)\nreturn main=b"
    kept, changes = run_passes(INFERENCE, example(text), ["remove-identity"])
    assert "a" in kept.graph.by_name
    assert changes == ()
    with pytest.raises(CompilerError, match="no pass 'fold'"):
        run_passes(INFERENCE, example(text), ["fold"])
