"""Which width multiplier an encoder's weights are of."""

import pytest

from auxnas.compiler import ModelSpec, graph_weights, lower
from auxnas.compiler.encoder import EncoderWidthError, check_width
from auxnas.genotype import zoo

WIDTHS = (1.0, 0.75, 0.5, 0.35, 0.25, 0.05, 1.4, 4.0)


def shapes(width: float) -> dict[str, tuple[int, ...]]:
    graph = lower(zoo.load("arch0").genotype, ModelSpec(width=width))
    return {name: weight.shape for name, weight in graph_weights(graph).items()}


@pytest.mark.parametrize("width", WIDTHS)
def test_the_width_that_fits_is_named(width):
    for other in WIDTHS:
        if other == width:
            check_width(shapes(width), shapes(other), "w")
            continue
        with pytest.raises(EncoderWidthError) as caught:
            check_width(shapes(width), shapes(other), "w")
        assert shapes(caught.value.width).items() == shapes(width).items()


def test_what_is_no_encoder_of_any_width_is_not_judged():
    wanted = shapes(0.5)
    for change in (
        {"encoder.layer1.conv.weight": (33, 3, 3, 3)},
        {"encoder.layer1.conv.weight": ()},
    ):
        check_width({**shapes(1.0), **change}, wanted, "w")
    check_width({}, wanted, "w")
