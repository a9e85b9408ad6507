from __future__ import annotations

import pickle
from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings

from auxnas.backends.runtimes.reference import ReferenceRunner
from auxnas.compiler import CompilerError, Graph, Program, lower, make_node, parse_graph, verify
from auxnas.compiler.weights import random_params
from auxnas.compiler.wellformed import verify_graph
from tests.strategies import PAPER, TINY, genotypes, program

GRAPH = """
image = input(; channels=3, stride=1)
conv = conv2d(image; bias=0, dilation=1, groups=1, kernel=3, out=4, stride=2) @a.conv
bn = batch_norm(conv) @a.bn
twice = add(bn, bn)
up = resize(twice, image)
return main=up
"""


def test_a_graph_in_which_things_were_looked_up_is_pickled():
    graph = parse_graph(GRAPH)
    assert graph["conv"] in graph.users["image"]
    assert graph.dag.number_of_nodes() == len(graph)
    assert pickle.loads(pickle.dumps(graph)) == graph


@given(genotypes())
def test_text_form_round_trips(genotype):
    graph = lower(genotype, TINY)
    assert parse_graph(str(graph)) == graph


def test_an_operand_may_stand_twice():
    graph = parse_graph(GRAPH)
    assert graph["twice"].inputs == ("bn", "bn")
    assert len(graph.users["bn"]) == 2
    assert graph.dag.number_of_edges() == 5


def test_missing_attributes_take_their_defaults():
    text = "x = input(; channels=2)\ny = conv2d(x; kernel=1, out=2) @w\nreturn y=y"
    assert parse_graph(text)["y"]["stride"] == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = input(channels=3", "line 1"),
        ("x = input(; channels=3)", "no return line"),
        ("x = fourier(; channels=3)\nreturn x=x", "unknown primitive 'fourier'"),
        ("x = input(; colours=3)\nreturn x=x", "has no attribute 'colours'"),
        ("x = input()\nreturn x=x", "without attribute 'channels'"),
        ("x = input(; channels=0)\nreturn x=x", "at least 1"),
    ],
)
def test_text_that_is_no_graph_is_refused(text, message):
    with pytest.raises(CompilerError, match=message):
        parse_graph(text)


@pytest.mark.parametrize(
    ("line", "mutant", "message"),
    [
        ("twice = add(bn, bn)", "bn = add(bn, bn)", "a second node of this name"),
        ("twice = add(bn, bn)", "twice = add(bn, later)", "does not come before"),
        ("twice = add(bn, bn)", "twice = add(bn, image)", "equal shapes"),
        ("up = resize(twice, image)", "up = resize(twice)", "1 inputs"),
        ("@a.bn", "", "no parameter name"),
        ("add(bn, bn)", "add(bn, bn) @odd", "a parameter name"),
        ("@a.bn", "@a.conv", "a.conv.weight: shapes"),
        ("main=up", "main=nowhere", "no node 'nowhere'"),
        ("main=up", "main=up, main=bn", "distinct names"),
        ("groups=1", "groups=3", "a divisor of both"),
        ("kernel=3", "kernel=2", "an odd number"),
        ("up = resize(twice, image)", "up = spread(twice, image)", "one of 1x1"),
    ],
)
def test_every_kind_of_ill_formed_graph_is_found(line, mutant, message):
    verify_graph(parse_graph(GRAPH))
    assert line in GRAPH
    with pytest.raises(CompilerError, match=message):
        verify_graph(parse_graph(GRAPH.replace(line, mutant)))


def test_shapes_that_agree_at_one_size_only_are_found():
    """Strides 2 x 16 and 32 agree on 64 x 96 and part on 37 x 53 only if rounding differs."""
    text = """
    a = input(; channels=1, stride=2)
    b = input(; channels=1, stride=3)
    c = add(a, b)
    return c=c
    """
    with pytest.raises(CompilerError, match=r"c\.inputs"):
        verify_graph(parse_graph(text))


def test_a_program_needs_all_its_parameters():
    graph = parse_graph(GRAPH)
    params = random_params(graph, 0)
    verify(Program(graph, params))
    for name in params:
        rest = {key: value for key, value in params.items() if key != name}
        with pytest.raises(CompilerError, match=f"{name}: missing"):
            verify(Program(graph, rest))
        with pytest.raises(CompilerError, match=f"{name}: shape"):
            verify(Program(graph, params | {name: params[name][None]}))


def test_live_drops_what_no_output_needs_but_keeps_inputs():
    nodes = (make_node("x", "input", channels=1), make_node("y", "input", channels=1))
    spare = make_node("spare", "relu", ["x"])
    graph = Graph((*nodes, spare, make_node("z", "relu", ["x"])), (("z", "z"),))
    assert [node.name for node in graph.live().nodes] == ["x", "y", "z"]
    assert graph.live().live() == graph.live()


def test_substitute_follows_chains():
    graph = parse_graph(GRAPH).substitute({"twice": "bn", "bn": "conv"})
    assert graph["up"].inputs == ("conv", "image")


@given(genotypes())
def test_the_library_graph_says_what_the_nodes_say(genotype):
    graph = lower(genotype, TINY)
    for node in graph.nodes:
        assert set(graph.dag.predecessors(node.name)) == set(node.inputs)
        assert set(graph.values.predecessors(node.name)) == set(node.operands)
        assert graph.dag.nodes[node.name]["node"] is node
    assert nx.is_frozen(graph.dag)
    position = {node.name: place for place, node in enumerate(graph.nodes)}
    assert list(nx.lexicographical_topological_sort(graph.dag, position.get)) == list(position)


IMAGES = np.random.default_rng(0).normal(size=(2, 1, 3, 40, 40))


@settings(max_examples=40)
@given(genotypes())
def test_an_output_depends_on_the_image_exactly_where_another_image_changes_it(genotype):
    network = program(genotype, replace(TINY, auxiliary="none"))
    runner = ReferenceRunner(network)
    one, other = (runner({"image": image})["main"] for image in IMAGES)
    assert network.graph.depends_on_input() == (not np.array_equal(one, other))


def test_a_cell_of_zeros_does_not_depend_on_the_image():
    zero = PAPER.vocabulary.names.index("zero")
    tokens = [zero if token.kind == "operation" else 0 for token in PAPER.layout]
    assert not lower(PAPER.genotype(tokens), TINY).depends_on_input()
