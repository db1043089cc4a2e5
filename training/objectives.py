"""Loss terms: each summed over a sample's features, one number a sample, in nats. Averaging is the trainer's."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own convention


def bernoulli_nll(logits: Tensor, target: Tensor) -> Tensor:
    """
    -log p(target) under Bernoulli(sigmoid(logits)), in nats per sample; for grey targets, the cross-entropy.

    Shapes: (B, *shape) and (B, *shape) -> (B,)
    A target between 0 and 1 costs at least its own entropy: the floor is not zero.
    """
    return F.binary_cross_entropy_with_logits(logits, target, reduction="none").flatten(1).sum(1)


def squared_error(output: Tensor, target: Tensor) -> Tensor:
    """
    Half the squared distance: -log N(target; output, I) without its constant, in nats per sample.

    Shapes: (B, *shape) and (B, *shape) -> (B,)
    """
    return 0.5 * (output - target).square().flatten(1).sum(1)


def kl_to_standard_normal(mu: Tensor, logvar: Tensor) -> Tensor:
    """
    KL(N(mu, diag(exp(logvar))) || N(0, I)), in nats per sample.

    Shapes: (B, D) and (B, D) -> (B,)
    Source: Kingma & Welling, "Auto-Encoding Variational Bayes", appendix B, arXiv:1312.6114
    """
    return -0.5 * (1 + logvar - mu.square() - logvar.exp()).sum(1)


def reparameterise(mu: Tensor, logvar: Tensor, generator: torch.Generator | None) -> Tensor:
    """
    A draw from N(mu, diag(exp(logvar))) that gradients pass through.

    Shapes: (B, D) and (B, D) -> (B, D)
    Source: Kingma & Welling, section 2.4
    """
    noise = torch.randn(mu.shape, generator=generator, device=mu.device, dtype=mu.dtype)
    return mu + (0.5 * logvar).exp() * noise
