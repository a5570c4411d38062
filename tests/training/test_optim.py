import pytest
import torch
from torch import nn
from torch.nn import LayerNorm, Linear

from shapegen4d_core.training.average import Average
from shapegen4d_core.training.optim import Muon, Optimizer, orthogonalised, schedule, split_parameters


@pytest.mark.parametrize("shape", [(3, 16, 48), (3, 48, 16), (2, 24, 40)])
def test_orthogonalised_has_singular_values_about_one(shape):
    made = orthogonalised(torch.randn(shape, generator=torch.Generator().manual_seed(0)))
    low, high = torch.linalg.svdvals(made).aminmax()
    assert made.shape == shape and low > 0.4 and high < 1.3


def test_muon_agrees_with_torchs_own_up_to_bfloat16():
    torch.manual_seed(0)
    start, gradient = torch.randn(32, 64), torch.randn(32, 64)
    mine, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    ours = Muon([mine], lr=0.02)
    reference = torch.optim.Muon([theirs], lr=0.02, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
    for _ in range(3):
        mine.grad, theirs.grad = gradient.clone(), gradient.clone()
        ours.step()
        reference.step()
    moved, expected = mine.detach() - start, theirs.detach() - start
    cosine = torch.nn.functional.cosine_similarity(moved.flatten(), expected.flatten(), dim=0)
    assert cosine > 0.99
    assert float(moved.norm() / expected.norm()) == pytest.approx(1.0, abs=0.05)


def test_every_trainable_parameter_has_exactly_one_optimiser():
    module = nn.ModuleDict({"proj_in": Linear(3, 4), "inner": Linear(4, 4), "norm": LayerNorm(4)})
    module["norm"].bias.requires_grad_(False)
    hidden, rest = split_parameters(module)
    assert [tuple(p.shape) for p in hidden] == [(4, 4)]
    assert len(hidden) + len(rest) == sum(p.requires_grad for p in module.parameters())


def test_optimizer_reduces_a_regression_and_reports_the_norm():
    torch.manual_seed(0)
    module = nn.Sequential(Linear(8, 8), nn.Tanh(), Linear(8, 8))
    x, y = torch.randn(64, 8), torch.randn(64, 8)
    optimizer, losses = Optimizer(module, 0.02), []
    for _ in range(40):
        loss = (module(x) - y).square().mean()
        loss.backward()
        assert optimizer.step(1.0) > 0
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]
    assert all(p.grad is None for p in module.parameters())


def test_schedule_warms_up_holds_and_decays():
    assert schedule(0.0) < 0.1 and schedule(0.1) == 1.0 and schedule(0.39) == 1.0
    assert schedule(0.7) == pytest.approx(0.02 + 0.98 * 0.5)
    assert schedule(1.0) == pytest.approx(0.02)


def test_average_follows_and_forgets_the_start():
    module = Linear(2, 2)
    average = Average(module, 0.9)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.fill_(5.0)
    for _ in range(100):
        average.update(module)
    assert torch.allclose(average.values["weight"], torch.full((2, 2), 5.0), atol=1e-3)


def test_applied_averages_leave_the_own_weights_as_they_were():
    module = Linear(2, 2)
    average = Average(module, 0.9)
    with torch.no_grad():
        module.weight.add_(1.0)
    own = module.weight.detach().clone()
    with average.applied(module) as shown:
        assert torch.equal(shown.weight, average.values["weight"]) and not shown.training
    assert torch.equal(module.weight, own) and module.training
