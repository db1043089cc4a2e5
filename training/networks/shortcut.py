"""
Stacks beside a linear shortcut: principal axes, which the layers correct.

    head    shortcut(x) + correction(x)
    output  shortcut(tail) + correction(tail, shortcut(tail))

The corrections begin at zero. So training begins at PCA, or at the best linear variational autoencoder, and can only
improve on it. The shortcut of images is fixed; that of vectors, which has few weights, is trained, too. The decoder's
layers also see the shortcut's output, through convolutions that are added at every size: restoring an image from its
linear reconstruction needs fewer samples than drawing it anew.

Sources: the variational start is the maximum-likelihood solution of Tipping & Bishop, "Probabilistic Principal
Component Analysis", which is the optimum of a linear variational autoencoder: Lucas et al., "Don't Blame the ELBO!",
arXiv:1911.02469. Added features at every size: Ronneberger et al., "U-Net", arXiv:1505.04597, with sums in place of
concatenations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from training.networks.stacks import Layer, Stack

UNIT_MARGIN = 0.02
"""Distance from 0 and 1 at which the shortcut's output is clipped before it becomes the logit of a Bernoulli."""
MAX_DEVIATION = 5.0
"""
Standard deviations up to which the layers tell numbers of vectors apart. Training shows them too few outliers to
correct, and the shortcut is linear at any distance.
"""
MIN_NOISE = 1e-12
"""Least variance of the noise, of data that the axes reconstruct exactly."""


@dataclass(frozen=True)
class PrincipalAxes:
    """
    The principal axes of the preprocessed samples; N axes, F numbers a sample.

        mean        (F,)
        components  (N, F)  orthonormal rows; N may be less than there are latents
        variances   (N,)    of the samples along the axes, in descending order
        residual    (F,)    mean squared error of the linear reconstruction, over held-out rows
    """

    mean: Tensor
    components: Tensor
    variances: Tensor
    residual: Tensor

    @property
    def noise(self) -> float:
        """The mean of the variances along the directions without an axis: the noise of the linear variational model."""
        directions = max(1, len(self.mean) - len(self.components))
        return max(float(self.residual.double().sum()) / directions, MIN_NOISE)

    def error_of_draws(self) -> Tensor:
        """Return the mean squared error of each number, reconstructed by that model from a draw of z. Shape: (F,)."""
        along_axes = self.variances.double().clamp(max=self.noise)
        return (self.residual.double() + along_axes @ self.components.double().square()).float()


class Shortcut(nn.Module):
    """
    The linear maps from samples to the head and from latents to the output: fixed for images, trained for vectors.

        down   (B, *input_shape) -> (B, head_dim)   head_dim is twice latent_dim in a variational network
        up     (B, tail_dim) -> (B, *input_shape)   the first latent_dim numbers of the tail are latents

    Until `place` is called, both maps give zeros.
    """

    down_weight: Tensor
    down_bias: Tensor
    up_weight: Tensor
    up_bias: Tensor
    head_scale: Tensor
    """The size of the latents, by which the layers' correction is multiplied. Shape: (head_dim,)."""
    tail_scale: Tensor
    """The factors that give the layers latents of variance 1. Shape: (tail_dim,)."""

    def __init__(self, input_shape: tuple[int, ...], latent_dim: int, head_dim: int, tail_dim: int) -> None:
        super().__init__()
        self.input_shape, self.latent_dim = input_shape, latent_dim
        self.is_variational = head_dim == 2 * latent_dim
        size = math.prod(input_shape)
        shapes = {"down_weight": (head_dim, size), "down_bias": (head_dim,)}
        shapes |= {"up_weight": (size, latent_dim), "up_bias": (size,)}
        for name, shape in shapes.items():
            if len(input_shape) == 1:
                self.register_parameter(name, nn.Parameter(torch.zeros(shape)))
            else:
                self.register_buffer(name, torch.zeros(shape))
        self.register_buffer("head_scale", torch.ones(head_dim))
        self.register_buffer("tail_scale", torch.ones(tail_dim))

    def down(self, x: Tensor) -> Tensor:
        """Project samples onto the axes."""
        return exact_linear(x.flatten(1), self.down_weight, self.down_bias)

    def up(self, tail: Tensor) -> Tensor:
        """Map latents back to samples."""
        flat = exact_linear(tail[:, : self.latent_dim], self.up_weight, self.up_bias)
        return flat.view(-1, *self.input_shape)

    @torch.no_grad()
    def place(self, axes: PrincipalAxes) -> None:
        """Put the maps at the axes. Latents without an axis stay zero, until the layers use them."""
        count = min(len(axes.components), self.latent_dim)
        components, variances = axes.components[:count].double(), axes.variances[:count].double()
        if self.is_variational:
            noise = axes.noise
            signal = (variances - noise).clamp(min=0)
            down, up, size = signal.sqrt() / variances.clamp(min=1e-30), signal.sqrt(), torch.ones_like(signal)
            logvar = (noise / variances.clamp(min=noise)).log()
            self.down_bias[self.latent_dim : self.latent_dim + count] = logvar.float()
        else:
            spread = float(variances.mean().sqrt()) if count else 0.0
            spread = spread if spread > 0 else 1.0
            down, up = torch.full_like(variances, 1 / spread), torch.full_like(variances, spread)
            size = variances.sqrt() / spread
        weight = down[:, None] * components
        self.down_weight[:count] = weight.float()
        self.down_bias[:count] = -(weight @ axes.mean.double()).float()
        self.up_weight[:, :count] = (up[:, None] * components).T.float()
        self.up_bias.copy_(axes.mean)
        size = size.clamp(min=1e-3)  # of an axis without variance
        self.head_scale[:count] = size.float()
        self.tail_scale[:count] = (1 / size).float()


def exact_linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return x W^T + b in float32, also where layers multiply in bfloat16, whose rounding would be an error of PCA."""
    if not torch.is_autocast_enabled(x.device.type):
        return nn.functional.linear(x, weight, bias)
    with torch.autocast(x.device.type, enabled=False):
        return nn.functional.linear(x.float(), weight, bias)


class CorrectingStack(Stack):
    """Layers that correct a linear shortcut."""

    def __init__(self, layers: Sequence[Layer], shortcut: Shortcut, guides: Sequence[nn.Module], logits: bool) -> None:
        super().__init__(layers)
        self.shortcut = shortcut
        self.guides = nn.ModuleList(guides)
        """Each maps its input, at first the shortcut's output, to features of the next smaller size."""
        self.logits = logits
        self.is_of_vectors = len(shortcut.input_shape) == 1

    def down(self, x: Tensor, depth: int | None = None) -> Tensor:
        """Return the output of the outermost `depth` layers, by default the corrected head."""
        hidden = super().down(self._seen(x), depth)
        if depth is not None:
            return hidden
        return self.shortcut.down(x) + self.shortcut.head_scale * hidden

    def up(self, tail: Tensor) -> Tensor:
        """Map latents to the corrected output: logits, if the likelihood is a Bernoulli."""
        linear = self.shortcut.up(tail)
        features, views = linear, list[Tensor]()
        for guide in self.guides:
            features = guide(features)
            views.append(features)
        hidden = self.layer(len(self) - 1).up(self._seen(self.shortcut.tail_scale * tail))
        for index in reversed(range(len(self) - 1)):
            if views:
                hidden = hidden + views[index]
            hidden = self.layer(index).up(hidden)
        if self.logits:
            linear = linear.clamp(UNIT_MARGIN, 1 - UNIT_MARGIN).logit()
        output: Tensor = linear + hidden
        return output

    def _seen(self, x: Tensor) -> Tensor:
        """Return numbers as the layers see them: those of vectors, how far from the mean they may lie, are clipped."""
        return x.clamp(-MAX_DEVIATION, MAX_DEVIATION) if self.is_of_vectors else x

    def begin(self) -> None:
        """Set the corrections to zero: the weights of the last layer each way. Layers that were pretrained stay."""
        with torch.no_grad():
            for module in (self.layer(len(self) - 1).down, self.layer(0).up):
                for weight in last_weights(module):
                    weight.zero_()


def last_weights(module: nn.Module) -> list[nn.Parameter]:
    """Return weight and bias of the last dense or convolutional layer within a module."""
    kinds = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
    layers = [layer for layer in module.modules() if isinstance(layer, kinds)]
    return list(layers[-1].parameters())


def guides(input_shape: tuple[int, ...], widths: Sequence[int]) -> list[nn.Module]:
    """Build the convolutions that halve the shortcut's output once for each width; none for vectors."""
    if len(input_shape) != 3:
        return []
    channels = (input_shape[0], *widths)
    return [
        nn.Sequential(nn.SiLU() if index else nn.Identity(), nn.Conv2d(wide, narrow, 3, stride=2, padding=1))
        for index, (wide, narrow) in enumerate(pairwise(channels))
    ]
