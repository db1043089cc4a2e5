"""Stacks keep shapes, run layer by layer, and start as simple maps."""

from __future__ import annotations

import pytest
import torch

from app.inputs import VectorInput
from tests.helpers.training_networks import CONV, DENSE, build
from training.config import NetworkConfig
from training.errors import InvalidConfiguration
from training.networks.stacks import Crop, ResidualBlock, conv_layer, conv_stack, dense_stack, normalise


def test_a_residual_block_starts_as_the_identity() -> None:
    x = torch.randn(2, 3, 4, 5)
    assert torch.equal(ResidualBlock(3, "none")(x), x)


@pytest.mark.parametrize(("channels", "groups"), [(3, 1), (9, 1), (16, 4), (18, 2), (24, 2), (32, 8), (48, 4), (96, 8)])
def test_groups_have_at_least_4_channels_and_the_same_number(channels: int, groups: int) -> None:
    module = normalise(channels, "group")
    assert isinstance(module, torch.nn.GroupNorm)
    assert module.num_groups == groups
    assert channels % groups == 0
    assert groups == 1 or channels // groups >= 4


@pytest.mark.parametrize("normalisation", ["group", "none"])
def test_feature_maps_are_normalised_only_if_the_configuration_says_so(normalisation: str) -> None:
    layers = CONV.model_copy(update={"normalisation": normalisation})
    norms = [module for module in build("ae", layers).modules() if isinstance(module, torch.nn.GroupNorm)]
    assert bool(norms) == (normalisation == "group")


def test_normalised_samples_do_not_depend_on_the_others_of_their_batch() -> None:
    stack = build("ae", CONV.model_copy(update={"normalisation": "group"})).stack
    x = torch.rand(5, 1, 8, 8)
    torch.testing.assert_close(stack.down(x)[:1], stack.down(x[:1]))
    assert (stack.down(x, 1) >= -0.28).all()  # normalised before the activation, as without


def test_a_normalised_layer_ignores_the_scale_of_its_input() -> None:
    layer = conv_layer((2, 8, 8), 8, 0, outermost=False, norm="group")
    torch.nn.init.zeros_(torch.as_tensor(layer.down[0].bias))  # type: ignore[index]
    x = torch.rand(3, 2, 8, 8)
    torch.testing.assert_close(layer.down(100 * x), layer.down(x), rtol=1e-2, atol=1e-2)


def test_a_crop_drops_the_last_row_and_column() -> None:
    x = torch.arange(12.0).view(1, 1, 3, 4)
    assert Crop(2, 3)(x).flatten().tolist() == [0, 1, 2, 4, 5, 6]


def test_conv_layers_halve_the_size_and_round_up() -> None:
    stack = conv_stack(CONV, (3, 9, 14), head_dim=10, tail_dim=7)
    x = torch.rand(2, 3, 9, 14)
    assert [tuple(stack.down(x, depth).shape) for depth in range(4)] == [
        (2, 3, 9, 14),
        (2, 4, 5, 7),
        (2, 6, 3, 4),
        (2, 10),
    ]
    assert stack.up(torch.rand(2, 7)).shape == x.shape


def test_dense_layers_have_the_configured_widths() -> None:
    stack = dense_stack(DENSE, (1, 4, 4), head_dim=10, tail_dim=7)
    x = torch.rand(2, 1, 4, 4)
    assert [tuple(stack.down(x, depth).shape)[1:] for depth in range(4)] == [(1, 4, 4), (12,), (9,), (10,)]
    assert len(stack) == 3
    assert torch.equal(stack.down(x), stack.layer(2).down(stack.layer(1).down(stack.layer(0).down(x))))
    assert stack.up(torch.rand(2, 7)).shape == x.shape


@pytest.mark.parametrize("layers", [CONV, DENSE], ids=["conv", "dense"])
def test_only_inner_layers_end_in_an_activation(layers: NetworkConfig) -> None:
    """SiLU is never below -0.28, but the outermost output may be."""
    network = build("ae", layers)
    bias = torch.as_tensor([p for p in network.stack.layer(0).up.parameters() if p.ndim == 1][-1])
    torch.nn.init.constant_(bias, -9)
    assert network.stack.up(torch.zeros(1, 5)).max() < -1
    inner = network.stack.layer(1)
    assert inner.up(100 * torch.randn_like(inner.down(network.stack.down(torch.rand(4, 1, 8, 8), 1)))).min() > -0.28


def test_convolutions_of_a_table_are_refused() -> None:
    with pytest.raises(InvalidConfiguration, match="for images; vectors want --set network"):
        build("ae", CONV, VectorInput(shape=(30,)))
