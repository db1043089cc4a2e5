"""A denoiser starts as the identity, takes samples of any size, and learns from all levels of noise alike."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.stats import norm

from training.networks.denoiser import (
    ERROR_FLOOR,
    MARGIN,
    best_variance_nll,
    build_denoiser,
    clip_values,
    inner_cross_entropy,
)

SHAPES = [(1, 8, 8), (3, 9, 14), (4, 33, 8), (2, 1, 5), (1, 128, 31), (7,), (784,)]


@pytest.mark.parametrize("shape", SHAPES)
def test_an_untrained_denoiser_returns_its_input(shape: tuple[int, ...]) -> None:
    x = 5 * torch.randn(3, *shape)
    assert torch.equal(build_denoiser(shape, (4, 6, 8))(x, torch.randn_like(x)), x)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_weight_takes_part(shape: tuple[int, ...]) -> None:
    denoiser, x = build_denoiser(shape, (4, 6, 8)), torch.rand(3, *shape)
    for weight in denoiser.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    denoiser.loss(x, torch.rand_like(x), torch.zeros_like(x))["loss"].backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in denoiser.parameters())


def test_only_the_linear_part_extrapolates_to_outliers() -> None:
    denoiser = build_denoiser((5,), ())
    for name, weight in denoiser.named_parameters():
        (torch.nn.init.zeros_ if "linear" in name else torch.nn.init.normal_)(weight)
    near, far, inside = (denoiser.noise(*torch.full((2, 1, 5), value)) for value in (3.0, 300.0, 2.0))
    assert torch.equal(near, far)
    assert not torch.equal(near, inside)


def test_details_go_around_the_bottleneck() -> None:
    """With the way through the lower resolutions cut, the predicted noise of each pixel still follows the input."""
    denoiser, x = build_denoiser((1, 20, 20), (4, 6)), torch.rand(2, 1, 20, 20)
    for name, weight in denoiser.named_parameters():
        (torch.nn.init.zeros_ if "enlarge" in name else torch.nn.init.normal_)(weight)
    first, second = denoiser.noise(x, torch.zeros_like(x))
    assert (first != second).all()


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 20, 20), (7,)])
def test_the_reconstruction_of_the_stack_has_its_say(shape: tuple[int, ...]) -> None:
    denoiser, x, guides = build_denoiser(shape, (4, 6)), torch.rand(1, *shape), torch.rand(2, 1, *shape)
    for weight in denoiser.parameters():
        torch.nn.init.normal_(weight)
    assert (denoiser.noise(x, guides[0]) != denoiser.noise(x, guides[1])).all()


def test_the_loss_is_the_density_at_the_variance_that_fits_best() -> None:
    target = torch.randn(2, 3, 4)
    output = target + torch.tensor([0.5, 2.0]).view(2, 1, 1) * torch.randn(2, 3, 4)
    for row, nats in enumerate(best_variance_nll(output, target).tolist()):
        errors = (output - target)[row].double().numpy()
        variance = (errors**2).mean()
        densities = {scale: -norm(0, (scale * variance) ** 0.5).logpdf(errors).sum() for scale in (0.9, 1.0, 1.1)}
        assert nats == pytest.approx(densities[1.0], abs=2 * ERROR_FLOOR / variance * errors.size)
        assert densities[1.0] < min(densities[0.9], densities[1.1])


def test_halving_an_error_gains_as_much_at_every_level() -> None:
    target = torch.zeros(3, 10)
    levels = torch.tensor([[0.1], [1.0], [10.0]])
    gains = best_variance_nll(levels.expand(3, 10), target) - best_variance_nll(levels.expand(3, 10) / 2, target)
    assert gains[1:].tolist() == pytest.approx([10 * math.log(2)] * 2, rel=1e-3)
    assert gains[0].item() == pytest.approx(10 * math.log(2), rel=0.03)  # the floor begins to show


def test_a_denoiser_of_vectors_contains_the_linear_one() -> None:
    denoiser, x = build_denoiser((5,), ()), torch.randn(8, 5)
    matrix = torch.randn(5, 5)
    with torch.no_grad():
        dict(denoiser.named_parameters())["predictor.linear.weight"][:, :5].copy_(torch.eye(5) - matrix)
    torch.testing.assert_close(denoiser(x, torch.randn(8, 5)), x @ matrix.T)


def test_an_output_beyond_the_bounds_counts_as_one_at_them_and_finds_back() -> None:
    x, target = torch.tensor([[-3.0, -3.0, 0.5, 7.0]], requires_grad=True), torch.tensor([[0.0, 0.2, 0.5, 1.0]])
    clipped = clip_values(x, torch.tensor(0.0), torch.tensor(1.0))
    torch.testing.assert_close(clipped, torch.tensor([[0.0, 0.0, 0.5, 1.0]]), rtol=0, atol=1e-6)
    (clipped - target).square().sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [pytest.approx([0.0, -0.4, 0.0, 0.0], abs=1e-5)]


def test_the_loss_of_a_denoiser_sees_clipped_outputs() -> None:
    denoiser, ends = build_denoiser((3,), ()), (torch.zeros(3), torch.ones(3))
    beyond, clean = torch.tensor([[-9.0, 0.5, 2.0]]), torch.tensor([[0.0, 0.5, 1.0]])
    inside, free = (denoiser.loss(beyond, clean, clean, bounds)["loss"] for bounds in (ends, None))
    assert inside.item() == pytest.approx(denoiser.loss(clean, clean, clean)["loss"].item(), abs=1e-4)
    assert free > inside + 1


def test_the_cross_entropy_is_that_of_grey_numbers_and_bounded_at_the_ends() -> None:
    grey, target = torch.tensor([[0.3, 0.6]]), torch.tensor([[0.2, 0.9]])
    by_hand = -0.2 * math.log(0.3) - 0.8 * math.log(0.7) - 0.9 * math.log(0.6) - 0.1 * math.log(0.4)
    assert inner_cross_entropy(grey, target).item() == pytest.approx(by_hand, rel=1e-5)
    black = torch.zeros(2, 1, requires_grad=True)
    right, wrong = inner_cross_entropy(black, torch.tensor([[0.0], [1.0]]))
    assert wrong.item() == pytest.approx(-math.log(MARGIN), rel=0.01)
    (right + wrong).backward()
    assert black.grad is not None
    assert black.grad[0] == pytest.approx(0.0, abs=1e-4)
    assert black.grad[1] < -1


def test_crowded_samples_add_the_cross_entropy() -> None:
    denoiser, x, clean = build_denoiser((1, 8, 8), (4, 6)), torch.rand(2, 1, 8, 8), torch.rand(2, 1, 8, 8).round()
    ends = torch.zeros(1, 8, 8), torch.ones(1, 8, 8)
    with_it, without = (denoiser.loss(x, x, clean, ends, crowded)["loss"].item() for crowded in (True, False))
    assert with_it - without == pytest.approx(inner_cross_entropy(x, clean).mean().item(), rel=1e-4)
