"""The Pareto front against its definition."""

from hypothesis import given
from hypothesis import strategies as st

from auxnas.genotype import zoo
from auxnas.search.trials.pareto import COSTS, front
from auxnas.search.trials.records import COMPLETE, FAILED, REUSED, STOPPED, Stage, Trial

GENOTYPE = zoo.load_published("arch0").genotype
few = st.integers(0, 4)
states = st.sampled_from([COMPLETE, COMPLETE, STOPPED, REUSED, FAILED])


@st.composite
def trials(draw):
    rows = draw(st.lists(st.tuples(few, st.none() | few, states), max_size=12))
    return [
        Trial(number, 0, GENOTYPE, "", 0, state, (Stage(reward / 4, {}),), 0.5, latency=latency)
        for number, (reward, latency, state) in enumerate(rows)
    ]


def beats(one, other):
    ours, theirs = (one.latency, -one.stages[-1].reward), (other.latency, -other.stages[-1].reward)
    return ours != theirs and all(a <= b for a, b in zip(ours, theirs, strict=True))


@given(trials())
def test_the_front_is_what_nothing_beats(found):
    known = [t for t in found if t.state in (COMPLETE, STOPPED) and t.latency is not None]
    expected = [t for t in known if not any(beats(other, t) for other in known)]
    kept = front(found, COSTS["latency"])
    assert {t.number for t in kept} == {t.number for t in expected}
    assert kept == sorted(kept, key=lambda t: t.latency)


def test_costs_are_those_of_a_trial():
    trial = Trial(0, 0, GENOTYPE, "", 0, parameters=1, multiply_adds=2, latency=3.5)
    assert {name: cost(trial) for name, cost in COSTS.items()} == {
        "params": 1,
        "madds": 2,
        "latency": 3.5,
    }
