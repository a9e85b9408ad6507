"""Networks counted without a graph cost what their graphs cost."""

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auxnas.compiler import CompilerError, ModelSpec, cost, counting, lower
from auxnas.compiler.counting import Count, NetworkCounter
from auxnas.genotype import SearchSpace
from tests.strategies import CUSTOM, FIVE, PAPER, POINTS, SMALL, TINY, genotypes

SIZES = ((64, 96), (37, 53), (1, 1))
SPECS = (TINY, ModelSpec(classes=2, agg_size=3, sep_repeats=1, width=0.1))


@cache
def counter(spec, size, outputs):
    """One for many genotypes, as a run has it."""
    return NetworkCounter(spec, size, outputs)


def check_count(genotype, spec, size):
    graph = lower(genotype, spec)
    whole = cost(graph, size)
    expected = Count(whole.parameters, whole.multiply_adds, not graph.depends_on_input())
    outputs = genotype.space.encoder_outputs
    assert counter(spec, size, outputs).count(genotype) == expected


@settings(max_examples=40)
@given(
    genotypes(PAPER, SMALL, FIVE, CUSTOM, POINTS), st.sampled_from(SPECS), st.sampled_from(SIZES)
)
def test_the_count_is_the_cost_of_the_graph(genotype, spec, size):
    check_count(genotype, spec, size)


def test_networks_of_zeros_are_constant():
    zero = PAPER.vocabulary.names.index("zero")
    tokens = [zero if token.kind == "operation" else 0 for token in PAPER.layout]
    check_count(PAPER.genotype(tokens), TINY, SIZES[0])
    assert counter(TINY, SIZES[0], 4).count(PAPER.genotype(tokens)).constant


class Shapeless(counting.CountingBuilder):
    """Mutant that knows primitives again whatever they are applied to."""

    def add(self, name, op, *inputs, **attrs):
        known = self._maps
        self._maps = dict.fromkeys(known, next(iter(known.values()))) if inputs else known
        super().add(name, op, *inputs, **attrs)
        self._maps = {**known, name: self._maps[name]}
        return name


def test_the_law_finds_a_count_that_forgets_the_operands(monkeypatch):
    monkeypatch.setattr(counting, "CountingBuilder", Shapeless)
    counter.cache_clear()
    with pytest.raises((AssertionError, CompilerError)):
        check_count(PAPER.genotype([0] * len(PAPER.layout)), TINY, SIZES[0])
    counter.cache_clear()


def test_an_encoder_with_too_few_maps_is_refused_as_by_lower():
    many = SearchSpace(encoder_outputs=9)
    genotype = many.genotype([0] * len(many.layout))
    with pytest.raises(CompilerError) as by_lower:
        lower(genotype, TINY)
    with pytest.raises(CompilerError) as by_count:
        counter(TINY, SIZES[0], 9).count(genotype)
    assert str(by_count.value) == str(by_lower.value)
