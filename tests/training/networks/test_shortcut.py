"""The shortcut is PCA, or the best linear variational autoencoder, and the layers correct it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from app.inputs import VectorInput
from app.manifest import Preprocessing
from tests.helpers.training_networks import CONV, DENSE, build, image_input
from training.config import NetworkConfig
from training.exporting.graphs import rounded_to_half, write_graphs
from training.networks.base import Network
from training.networks.shortcut import UNIT_MARGIN, CorrectingStack, PrincipalAxes, Shortcut, guides, last_weights
from training.networks.user_units import DecoderGraph, EncoderGraph
from training.preprocessing import Preprocessor

LAYERS = pytest.mark.parametrize("layers", [CONV, DENSE], ids=["conv", "dense"])


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Make the random samples of each test its own."""
    torch.manual_seed(0)


def axes_of(*variances: float, size: int = 64, residual: float = 0.01, mean: float = 0.5) -> PrincipalAxes:
    """Return random orthonormal axes with these variances."""
    generator = torch.Generator().manual_seed(0)
    components = torch.linalg.qr(torch.randn(size, size, generator=generator))[0][: len(variances)]
    return PrincipalAxes(
        mean=torch.full((size,), mean),
        components=components,
        variances=torch.tensor(variances),
        residual=torch.full((size,), residual),
    )


def projected(x: Tensor, axes: PrincipalAxes) -> Tensor:
    """Return the nearest points of the plane through the mean along the axes."""
    centred = x.flatten(1) - axes.mean
    return (axes.mean + centred @ axes.components.T @ axes.components).view_as(x)


def placed(network: Network, axes: PrincipalAxes) -> CorrectingStack:
    """Put the shortcut at the axes, set the corrections to zero, and return the stack."""
    assert isinstance(network.stack, CorrectingStack)
    network.stack.shortcut.place(axes)
    network.stack.begin()
    return network.stack


def weights_by_name(stack: CorrectingStack) -> dict[str, Tensor]:
    """Return a copy of all trained weights."""
    return {name: weight.detach().clone() for name, weight in stack.named_parameters()}


def test_latents_are_coordinates_along_the_axes_over_their_mean_deviation() -> None:
    """Variances of 9 and 1 have the mean 5."""
    shortcut = Shortcut((3,), latent_dim=2, head_dim=2, tail_dim=2)
    mean, components = torch.tensor([1.0, 2.0, 3.0]), torch.eye(3)[:2]
    shortcut.place(PrincipalAxes(mean, components, torch.tensor([9.0, 1.0]), torch.zeros(3)))
    latents = shortcut.down(torch.tensor([[1 + math.sqrt(5), 2.0, 7.0]]))
    torch.testing.assert_close(latents, torch.tensor([[1.0, 0.0]]))
    torch.testing.assert_close(shortcut.up(latents), torch.tensor([[1 + math.sqrt(5), 2.0, 3.0]]))
    torch.testing.assert_close(shortcut.head_scale, torch.tensor([3.0, 1.0]) / math.sqrt(5))
    torch.testing.assert_close(shortcut.tail_scale, math.sqrt(5) / torch.tensor([3.0, 1.0]))


def test_latents_of_an_autoencoder_keep_distances_up_to_one_factor() -> None:
    axes = axes_of(4.0, 2.0, 0.1)
    shortcut = Shortcut((64,), 3, 3, 3)
    shortcut.place(axes)
    points = axes.mean + torch.randn(20, 3) @ axes.components
    distances, between = torch.pdist(points), torch.pdist(shortcut.down(points))
    torch.testing.assert_close(between, distances / math.sqrt((4 + 2 + 0.1) / 3), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("shape", "is_trained"), [((64,), True), ((1, 8, 8), False)])
def test_training_changes_the_shortcut_of_vectors_only(shape: tuple[int, ...], is_trained: bool) -> None:
    shortcut = Shortcut(shape, 3, 3, 3)
    shortcut.place(axes_of(4.0, 2.0, 0.1))
    names = {name for name, weight in shortcut.named_parameters() if weight.requires_grad}
    assert names == ({"down_weight", "down_bias", "up_weight", "up_bias"} if is_trained else set())
    assert {"down_weight", "down_bias", "up_weight", "up_bias"} <= shortcut.state_dict().keys()


def test_both_maps_are_zero_until_they_are_placed() -> None:
    shortcut = Shortcut((1, 4, 4), latent_dim=2, head_dim=4, tail_dim=5)
    assert not shortcut.down(torch.rand(3, 1, 4, 4)).any()
    assert not shortcut.up(torch.rand(3, 5)).any()
    assert shortcut.up(torch.rand(3, 5)).shape == (3, 1, 4, 4)


@pytest.mark.parametrize("head_dim", [5, 10], ids=["autoencoder", "variational"])
def test_latents_without_an_axis_are_zero_and_change_nothing(head_dim: int) -> None:
    axes = axes_of(2.0, 1.0)
    shortcut = Shortcut((64,), 5, head_dim, 5)
    shortcut.place(axes)
    x = torch.rand(6, 64)
    head = shortcut.down(x)
    assert head[:, :2].all()
    assert not head[:, 2:5].any()
    assert not head[:, 7:].any()  # the logvar of these latents, if there is one
    z = torch.randn(6, 5)
    torch.testing.assert_close(shortcut.up(z), shortcut.up(torch.cat([z[:, :2], torch.zeros(6, 3)], dim=1)))
    assert shortcut.tail_scale[2:].tolist() == [1.0] * 3


def test_axes_beyond_the_number_of_latents_are_left_out() -> None:
    axes = axes_of(3.0, 2.0, 1.0)
    shortcut = Shortcut((64,), 2, 2, 2)
    shortcut.place(axes)
    first = PrincipalAxes(axes.mean, axes.components[:2], axes.variances[:2], axes.residual)
    x = torch.rand(6, 64)
    torch.testing.assert_close(shortcut.up(shortcut.down(x)), projected(x, first))


@pytest.mark.parametrize("head_dim", [1, 2], ids=["autoencoder", "variational"])
@pytest.mark.parametrize("variances", [(0.0,), ()], ids=["no variance", "no axis"])
def test_data_without_variance_give_finite_maps(variances: tuple[float, ...], head_dim: int) -> None:
    shortcut = Shortcut((64,), 1, head_dim, 1)
    shortcut.place(axes_of(*variances, residual=0.0))
    assert all(buffer.isfinite().all() for buffer in shortcut.buffers())
    torch.testing.assert_close(shortcut.up(shortcut.down(torch.full((1, 64), 0.5))), torch.full((1, 64), 0.5))


def test_the_noise_is_the_mean_variance_of_the_directions_without_an_axis() -> None:
    """Four numbers, two axes: a residual of 0 + 0 + 1 + 2 is shared by two directions."""
    axes = PrincipalAxes(torch.zeros(4), torch.eye(4)[:2], torch.tensor([5.0, 0.5]), torch.tensor([0.0, 0.0, 1.0, 2.0]))
    assert axes.noise == pytest.approx(1.5)
    torch.testing.assert_close(axes.error_of_draws(), torch.tensor([1.5, 0.5, 1.0, 2.0]))


def test_the_variational_head_is_the_posterior_of_the_linear_model() -> None:
    """For x = W z + mean + noise, z | x is a Gaussian with precision W'W / noise + I. Inverted by NumPy."""
    axes = axes_of(6.0, 3.0, 0.9, residual=0.5 * 61 / 64)  # noise 0.5
    shortcut = Shortcut((64,), 3, 6, 3)
    shortcut.place(axes)
    x = torch.randn(8, 64)
    w = shortcut.up_weight.detach().double().numpy()
    covariance = np.linalg.inv(w.T @ w / 0.5 + np.eye(3))
    mean = (x.double().numpy() - 0.5) @ w @ covariance / 0.5
    head = shortcut.down(x).detach().numpy()
    np.testing.assert_allclose(head[:, :3], mean, atol=1e-5)
    np.testing.assert_allclose(np.exp(head[:, 3:]), np.tile(np.diag(covariance), (8, 1)), rtol=1e-5)


def test_the_variational_decoder_has_the_covariance_of_the_data() -> None:
    """W W' + noise has the data's variance along the axes: that is the condition of maximum likelihood."""
    axes = axes_of(6.0, 3.0, 0.9, residual=0.5 * 61 / 64)
    shortcut = Shortcut((64,), 3, 6, 3)
    shortcut.place(axes)
    covariance = shortcut.up_weight @ shortcut.up_weight.T + 0.5 * torch.eye(64)
    along = (axes.components @ covariance @ axes.components.T).diagonal()
    torch.testing.assert_close(along, axes.variances, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(shortcut.up(torch.zeros(1, 3)), torch.full((1, 64), 0.5))


def test_a_variational_axis_below_the_noise_is_switched_off() -> None:
    """Its posterior is the prior: a mean of 0 and a logvar of 0."""
    axes = axes_of(6.0, 0.4, residual=0.5 * 62 / 64)
    shortcut = Shortcut((64,), 2, 4, 2)
    shortcut.place(axes)
    head = shortcut.down(torch.randn(8, 64))
    assert head[:, 0].all()
    assert not head[:, 1].any()
    torch.testing.assert_close(head[:, 3], torch.zeros(8))
    assert not shortcut.up_weight[:, 1].any()


@LAYERS
def test_an_untrained_autoencoder_projects_onto_the_axes(layers: NetworkConfig) -> None:
    network = build("ae", layers, likelihood="gaussian")
    axes = axes_of(3.0, 2.0, 1.0, 0.5, 0.2)
    placed(network, axes)
    x = torch.rand(6, 1, 8, 8)
    torch.testing.assert_close(network.reconstruct(x), projected(x, axes), rtol=1e-4, atol=1e-5)


@LAYERS
def test_an_untrained_bernoulli_network_gives_the_clipped_projection(layers: NetworkConfig) -> None:
    network = build("ae", layers, likelihood="bernoulli")
    axes = axes_of(3.0, 2.0, 1.0, 0.5, 0.2)
    placed(network, axes)
    x = 4 * torch.randn(6, 1, 8, 8)
    expected = projected(x, axes)
    assert expected.min() < 0
    assert expected.max() > 1
    torch.testing.assert_close(network.reconstruct(x), expected.clamp(UNIT_MARGIN, 1 - UNIT_MARGIN))


@LAYERS
def test_begin_sets_only_the_last_layers_to_zero(layers: NetworkConfig) -> None:
    network = build("vae", layers)
    assert isinstance(network.stack, CorrectingStack)
    before = weights_by_name(network.stack)
    network.stack.begin()
    after = weights_by_name(network.stack)
    zeroed = {name for name, weight in after.items() if before[name].any() and not weight.any()}
    last = {
        "conv": {"layers.2.down.3", "layers.0.up.3"},
        "dense": {"layers.2.down", "layers.0.up.0"},
    }[layers.architecture]
    assert {name.rpartition(".")[0] for name in zeroed} == last
    assert len(zeroed) == 4
    assert all(torch.equal(before[name], after[name]) for name in before if name not in zeroed)


def test_the_last_weights_are_those_of_the_last_dense_or_convolutional_layer() -> None:
    last = torch.nn.ConvTranspose2d(2, 3, 4)
    module = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Sequential(last, torch.nn.GroupNorm(1, 3)))
    assert [id(weight) for weight in last_weights(module)] == [id(last.weight), id(last.bias)]


@LAYERS
def test_the_layers_correct_the_head_in_units_of_the_latents(layers: NetworkConfig) -> None:
    network = build("ae", layers)
    axes = axes_of(9.0, 4.0, 1.0, 0.25, 0.01)
    stack = placed(network, axes)
    x = torch.rand(3, 1, 8, 8)
    before = network.encode(x)
    last_weights(stack.layer(len(stack) - 1).down)[1].data.fill_(1.0)
    deviations = axes.variances.sqrt() / axes.variances.mean().sqrt()
    torch.testing.assert_close(network.encode(x) - before, deviations.expand(3, 5), rtol=1e-4, atol=1e-5)


@LAYERS
def test_the_layers_see_latents_of_variance_1(layers: NetworkConfig) -> None:
    network = build("ae", layers)
    axes = axes_of(9.0, 4.0, 1.0, 0.25, 0.01)
    stack = placed(network, axes)
    tails: list[Tensor] = []
    innermost = stack.layer(len(stack) - 1).up
    innermost.register_forward_pre_hook(lambda module, args: tails.append(args[0]))
    x = axes.mean + (torch.randn(4000, 5) * axes.variances.sqrt()) @ axes.components
    network.reconstruct(x.view(-1, 1, 8, 8))
    torch.testing.assert_close(tails[0].std(0), torch.ones(5), rtol=0.05, atol=0.0)


def test_layers_that_are_trained_one_by_one_do_not_see_the_shortcut() -> None:
    network = build("sdae", DENSE)
    stack = placed(network, axes_of(1.0))
    x = torch.rand(3, 1, 8, 8)
    assert torch.equal(stack.down(x, 1), stack.layer(0).down(x))
    torch.testing.assert_close(stack.down(x), stack.shortcut.down(x))


def test_the_shortcut_is_saved_with_the_weights_and_not_trained() -> None:
    network, other = build("ae"), build("ae")
    stack = placed(network, axes_of(2.0, 1.0))
    assert not any(name.startswith("stack.shortcut") for name, _ in network.named_parameters())
    other.load_state_dict(network.state_dict())
    x = torch.rand(3, 1, 8, 8)
    assert torch.equal(other.encode(x), network.encode(x))
    assert stack.shortcut.down_weight.any()


@LAYERS
def test_a_conditional_decoder_begins_without_a_label_and_can_learn_it(layers: NetworkConfig) -> None:
    network = build("vae", layers, classes=3, conditional=True, likelihood="gaussian")
    axes = axes_of(3.0, 2.0)
    stack = placed(network, axes)
    z = torch.randn(1, 5).expand(3, 5)
    outputs = network.decode(z, torch.arange(3))
    torch.testing.assert_close(outputs, stack.shortcut.up(z))
    for weight in last_weights(stack.layer(0).up):
        torch.nn.init.normal_(weight)
    first, second, third = network.decode(z, torch.arange(3))
    assert not torch.allclose(first, second)
    assert not torch.allclose(second, third)


def test_guides_halve_the_linear_reconstruction_once_for_each_width() -> None:
    features = torch.rand(2, 3, 9, 14)
    shapes = []
    for guide in guides((3, 9, 14), (4, 6, 7)):
        features = guide(features)
        shapes.append(tuple(features.shape))
    assert shapes == [(2, 4, 5, 7), (2, 6, 3, 4), (2, 7, 2, 2)]
    assert guides((12,), (4, 6)) == []


def test_only_guides_after_the_first_are_not_linear() -> None:
    """A chain of convolutions without activations between them would be one convolution."""
    first, second = guides((1, 8, 8), (4, 6))
    a, b, zero = torch.randn(1, 1, 8, 8), torch.randn(1, 1, 8, 8), torch.zeros(1, 1, 8, 8)
    chain = torch.nn.Sequential(first, second)
    torch.testing.assert_close(first(a) + first(b) - first(zero), first(a + b))
    assert not torch.allclose(chain(a) + chain(b) - chain(zero), chain(a + b), atol=1e-3)


def test_guides_give_the_decoder_the_linear_reconstruction_at_every_size() -> None:
    """With a decoder that ignores its latents, only the guides tell two samples apart."""
    network = build("ae", CONV, likelihood="gaussian")
    stack = placed(network, axes_of(3.0, 2.0))
    for weight in last_weights(stack.layer(0).up):
        torch.nn.init.normal_(weight)
    for weight in stack.layer(2).up.parameters():
        torch.nn.init.zeros_(weight)
    z = torch.randn(2, 5)

    def differ() -> bool:
        corrections = network.decode(z) - stack.shortcut.up(z)
        return not torch.allclose(corrections[0], corrections[1], atol=1e-5)

    assert differ()
    for weight in last_weights(stack.guides[1]):
        torch.nn.init.zeros_(weight)
    assert differ()  # by the features of 4 x 4 pixels
    for weight in last_weights(stack.guides[0]):
        torch.nn.init.zeros_(weight)
    assert not differ()


def test_exported_graphs_agree_with_torch(tmp_path: Path) -> None:
    network = build("vae", CONV, image_input(3, 9, 8), classes=3, conditional=True)
    stack = placed(network, axes_of(3.0, 2.0, 1.0, size=216))
    for weight in stack.parameters():
        torch.nn.init.normal_(weight, std=0.1)
    record = Preprocessing(log1p=(False,) * 3, low=(None,) * 3, high=(None,) * 3, shift=(0.5,) * 3, scale=(0.3,) * 3)
    preprocessing = Preprocessor(record, 3)
    samples = torch.rand(64, 3, 9, 8).numpy()
    parity = write_graphs(
        EncoderGraph(network, preprocessing), DecoderGraph(network, preprocessing, None), tmp_path, samples
    )
    assert parity.max_abs_difference < 1e-4


def test_the_shortcut_of_an_export_is_stored_in_half_the_space() -> None:
    network = build("ae", NetworkConfig(architecture="dense", latent_dim=8, widths=(4,)), VectorInput(shape=(600,)))
    stack = placed(network, axes_of(*[1.0] * 8, size=600))
    rounded = rounded_to_half(network).stack
    assert isinstance(rounded, CorrectingStack)
    assert torch.equal(rounded.shortcut.up_weight, stack.shortcut.up_weight.half().float())
    assert not torch.equal(rounded.shortcut.up_weight, stack.shortcut.up_weight)
    assert torch.equal(rounded.shortcut.up_bias, stack.shortcut.up_bias)


def test_the_shortcut_is_exact_where_layers_multiply_in_bfloat16() -> None:
    network, axes = build("ae", DENSE, VectorInput(shape=(64,))), axes_of(4.0, 2.0, 1.0)
    stack = placed(network, axes)
    x = axes.mean + torch.randn(5, 3) @ axes.components
    with torch.autocast("cpu", torch.bfloat16):
        restored = stack.up(stack.down(x))
    torch.testing.assert_close(restored, x, rtol=0, atol=1e-4)


def test_layers_do_not_tell_outliers_of_vectors_apart() -> None:
    network = build("ae", DENSE, VectorInput(shape=(64,)))
    assert isinstance(network.stack, CorrectingStack)
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.1)
    near, far, inside = (torch.full((1, 64), value) for value in (5.0, 300.0, 2.0))
    corrections = [network.stack.down(x) - network.stack.shortcut.down(x) for x in (near, far, inside)]
    torch.testing.assert_close(corrections[0], corrections[1])
    assert not torch.allclose(corrections[0], corrections[2])


def test_layers_see_every_number_of_an_image() -> None:
    network = build("ae", CONV)
    assert isinstance(network.stack, CorrectingStack)
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.1)
    near, far = (network.stack.down(torch.full((1, 1, 8, 8), value)) for value in (3.0, 300.0))
    assert not torch.allclose(near, far)
