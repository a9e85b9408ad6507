"""Specs, nodes, graphs and ends: what is constructed is valid, nonsense is one CompilerError."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auxnas.compiler import (
    PRIMITIVES,
    CompilerError,
    Graph,
    ModelSpec,
    Node,
    Program,
    lower,
    make_node,
    parse_graph,
)
from auxnas.compiler.errors import check_choice, check_integer, check_number, check_type
from auxnas.compiler.interface import Interface
from auxnas.compiler.spec import MOST_CHANNELS
from tests.strategies import PAPER

X = make_node("x", "input", channels=3)
NONSENSE = [
    (lambda: ModelSpec(classes=0), "classes: 0, expected an integer from 1 to 65536"),
    (lambda: ModelSpec(classes=10**12), "classes: 1000000000000, expected an integer from 1 to"),
    (lambda: ModelSpec(agg_size=-4), "agg_size: -4, expected an integer from 1 to 65536"),
    (lambda: ModelSpec(agg_size=10**5000), "agg_size: an integer of 16610 bits, expected"),
    (lambda: ModelSpec(sep_repeats=1000), "sep_repeats: 1000, expected an integer from 1 to 100"),
    (lambda: ModelSpec(width=float("nan")), "width: nan, expected a number from 0.05 to 4"),
    (lambda: ModelSpec(width=True), "width: True, expected a number from 0.05 to 4"),
    (lambda: ModelSpec(width="1"), "width: '1', expected a number from 0.05 to 4"),
    (lambda: ModelSpec(auxiliary="both"), "auxiliary: 'both', expected one of none, classifier"),
    (lambda: ModelSpec(auxiliary=["none"]), r"auxiliary: \['none'\], expected one of none"),
    (lambda: Node("", "relu", ("x",)), "node.name: '', expected letters, digits"),
    (lambda: Node("a b", "relu", ("x",)), "node.name: 'a b', expected letters, digits"),
    (lambda: Node("y", "foo", ("x",)), "y: unknown primitive 'foo', expected one of input"),
    (lambda: Node("y", ["relu"], ("x",)), r"y: unknown primitive \['relu'\], expected one of"),
    (lambda: Node("y", "relu", "x"), "y.inputs: 'x', expected a tuple of names"),
    (lambda: Node("y", "relu", (3,)), r"y.inputs: \(3,\), expected a tuple of names"),
    (lambda: Node("y", "relu", ("x",), {"a": 1}), r"y.attrs: .*, expected \(name, integer\)"),
    (lambda: Node("y", "relu", ("x",), (("a", 1.5),)), r"y.attrs: .*, expected \(name, integer"),
    (lambda: Node("y", "relu", ("x",), (), 3), "y.param: 3, expected letters, digits"),
    (lambda: Graph([X], (("main", "x"),)), r"graph.nodes: \[.*, expected a tuple of Nodes"),
    (lambda: Graph(("x",), ()), r"graph.nodes: \('x',\), expected a tuple of Nodes"),
    (lambda: Graph((X,), ("main",)), r"graph.outputs: .*, expected \(name, node's name\) pairs"),
    (lambda: Graph((X,), {"main": "x"}), "graph.outputs: .*, expected"),
    (lambda: Program("x", {}), "program.graph: 'x', expected a Graph"),
    (lambda: Program(Graph((X,), ()), None), "program.params: None, expected a Mapping"),
    (lambda: Interface(head="foo"), "head: 'foo', expected one of logits, probabilities, labels"),
    (lambda: Interface(format=None), "format: None, expected one of nchw-float, nhwc-uint8"),
    (lambda: Interface(resize="no"), "resize: 'no', expected a bool"),
    (lambda: Interface(mean=0.5), "mean: 0.5, expected 3 numbers"),
    (lambda: Interface(deviation=(1, 1)), r"deviation: \(1, 1\), expected 3 numbers"),
    (lambda: Interface(deviation=(1, 0, 1)), r"deviation\[1\]: 0, expected a number from 1e-06"),
    (lambda: parse_graph("x = input(; channels)\nreturn y=x"), "line 1: 'channels', expected name"),
    (lambda: parse_graph("x = input(; channels=a)\nreturn y=x"), "line 1: 'channels=a', expected"),
    (lambda: parse_graph("x = input(; channels=3)\nreturn x"), "line 2: 'x', expected name=value"),
]


@pytest.mark.parametrize(("make", "message"), NONSENSE, ids=[message for _, message in NONSENSE])
def test_nonsense_is_refused_at_once(make, message):
    with pytest.raises(CompilerError, match=f"^{message}") as caught:
        make()
    assert "\n" not in str(caught.value)


VALUES = (
    st.integers(-3, 120)
    | st.integers()
    | st.floats()
    | st.booleans()
    | st.none()
    | st.text(max_size=3)
    | st.sampled_from(["none", "cell", MOST_CHANNELS, MOST_CHANNELS + 1])
)


@given(VALUES, VALUES, VALUES, VALUES, VALUES)
def test_a_spec_that_is_made_survives_plain_data(classes, agg_size, repeats, auxiliary, width):
    try:
        spec = ModelSpec(classes, agg_size, repeats, auxiliary, width)
    except CompilerError:
        return
    assert ModelSpec.from_dict(spec.to_dict()) == spec


@pytest.mark.parametrize("field", ["classes", "agg_size", "sep_repeats", "width"])
@given(value=VALUES)
def test_a_field_is_in_its_range_or_refused(field, value):
    kinds = (int, float) if field == "width" else (int,)
    least, most = {"width": (0.05, 4), "sep_repeats": (1, 100)}.get(field, (1, MOST_CHANNELS))
    fits = type(value) in kinds and least <= value <= most
    try:
        ModelSpec(**{field: value})
    except CompilerError:
        assert not fits
    else:
        assert fits


TEXTS = st.text("ab.= ;@(),\n", max_size=4)


@given(
    TEXTS,
    st.sampled_from([*PRIMITIVES]) | TEXTS,
    st.lists(TEXTS, max_size=2).map(tuple),
    st.lists(st.tuples(st.sampled_from(["kernel", "out"]) | TEXTS, VALUES), max_size=2).map(tuple),
    st.none() | TEXTS,
)
def test_a_node_that_is_made_is_one_line_that_names_it(name, op, inputs, attrs, param):
    try:
        node = Node(name, op, inputs, attrs, param)
    except CompilerError:
        return
    line = str(node)
    assert "\n" not in line
    assert line.startswith(f"{node.name} = {node.op}(")


@given(st.integers(0, 10), st.sampled_from(["name", "op", "inputs", "attrs", "param"]), VALUES)
def test_a_node_of_a_network_with_one_field_exchanged_is_a_node_or_refused(place, field, value):
    node = lower(PAPER.unrank(0), ModelSpec(width=0.05)).nodes[place]
    try:
        other = replace(node, **{field: value})
    except CompilerError:
        return
    assert type(getattr(other, field)) in (str, tuple, type(None))


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (lambda v: check_integer("p", v), [0, 1, 10**30], [-1, True, 1.0, "1", None]),
        (lambda v: check_integer("p", v, 2, 3), [2, 3], [1, 4]),
        (lambda v: check_number("p", v), [0, 0.0, 1e308], [-1e-9, True, "1", None, 10**400]),
        (lambda v: check_number("p", v), [5], [float("inf"), float("nan"), float("-inf")]),
        (lambda v: check_number("p", v, 0, 1), [0, 0.5, 1], [1.0001, -0.1]),
        (lambda v: check_number("p", v, 0, 1, below=True), [0, 0.999], [1, 1.0]),
        (lambda v: check_choice("p", v, ("a", "b")), ["a"], ["c", "", None, ["a"], 1]),
        (lambda v: check_type("p", v, int), [3], ["3", None]),
    ],
)
def test_the_checks_accept_what_fits_and_name_what_does_not(check, good, bad):
    for value in good:
        check(value)
    for value in bad:
        with pytest.raises(CompilerError, match=r"^p: .*, expected"):
            check(value)
