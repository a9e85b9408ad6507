"""The inverse Huber loss against a vector computed by independent code."""

import pytest
import torch

from auxnas.backends.torch.depth import AuthorsInverseHuber, InverseHuber
from auxnas.backends.torch.optimisers import ParameterGroup, _make, set_rates
from auxnas.compiler.tasks.depth import Depth
from auxnas.search.settings.resolving import resolve as resolve_settings
from auxnas.search.settings.training import TrainingSettings, preset_layers
from auxnas.search.training.training import phase_recipe, phases

PREDICTED = [[1.5, 2, 3, -1], [4, 0.5, 2.2, 6]]
TRUTH = [[1, 2.1, 0, 2], [2, 0.5, 2, 0]]


def loss_and_gradient(loss, predicted=PREDICTED, truth=TRUTH):
    output = torch.tensor(predicted, dtype=torch.float64)[None, None].requires_grad_()
    found = loss(output, torch.tensor(truth, dtype=torch.float64)[None])
    (gradient,) = torch.autograd.grad(found, output)
    return found.item(), gradient[0, 0].tolist()


@pytest.mark.parametrize(
    ("loss", "expected", "gradient"),
    [
        (
            InverseHuber(),
            1.86875,
            [[0.208333, -0.166667, 0, 0], [0.833333, 0, 0.166667, 0]],
        ),
        (AuthorsInverseHuber(), 1.4015625, [[0.15625, -0.125, 0, 0], [0.321484, 0, 0.125, 0]]),
    ],
)
def test_the_vector(loss, expected, gradient):
    found, slopes = loss_and_gradient(loss)
    assert found == pytest.approx(expected)
    for row, wanted in zip(slopes, gradient, strict=True):
        assert row == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("loss", [InverseHuber(), AuthorsInverseHuber()])
@pytest.mark.parametrize("truth", [[[0, 0]], [[1, 2]]])
def test_no_valid_pixel_and_no_error_cost_nothing(loss, truth):
    """Without the guards both are NaN."""
    found, slopes = loss_and_gradient(loss, [[1, 2]], truth)
    assert found == pytest.approx(0, abs=1e-9)
    assert slopes == [[0, 0]]


def test_the_poly_schedule_of_300_of_400_epochs():
    """The paper's rates for depth: encoder 1e-3, decoder 7e-3."""
    settings = resolve_settings(*preset_layers("paper-depth"), kind=TrainingSettings).train
    (phase,) = phases(settings)
    recipe = phase_recipe(settings, phase, Depth())
    assert recipe.clip_norm == 0, "section 7.3 names no limit"
    param = torch.nn.Parameter(torch.zeros(1))
    for optimiser, rate in zip(recipe.optimisers, (1e-3, 7e-3), strict=True):
        assert (optimiser.kind, optimiser.momentum) == ("sgd", 0.9)
        group = ParameterGroup(optimiser, [param], _make(optimiser, [param]))
        for epoch, factor in ((0, 1), (100, 0.77189), (299, 0.289758)):
            set_rates([group], recipe, epoch / settings.epochs)
            (options,) = group.optimiser.param_groups
            assert options["lr"].item() == pytest.approx(rate * factor, rel=1e-4)


def test_targets_shrink_to_the_pixels_at_the_centres():
    targets = torch.tensor([[[1.0, 2.0, 3.0, 0.0]]])
    assert InverseHuber().at(targets, (1, 2)).tolist() == [[[2.0, 0.0]]]
