"""Loss terms in nats. Most are summed over a sample's features, with one number per sample; the networks average."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own convention


def bernoulli_nll(logits: Tensor, target: Tensor) -> Tensor:
    """
    Return -log p(target) under Bernoulli(sigmoid(logits)), in nats per sample: for grey targets, the cross-entropy.

    A target between 0 and 1 costs at least its own entropy, so the least loss is not zero.
    Shapes: (B, *shape) and (B, *shape) -> (B,)
    """
    return F.binary_cross_entropy_with_logits(logits, target, reduction="none").flatten(1).sum(1)


def gaussian_nll(mean: Tensor, logvar: Tensor, target: Tensor) -> Tensor:
    """
    Return -log N(target; mean, diag(exp(logvar))), in nats per sample, including the constant.

    Shapes: (B, *shape), any that broadcasts to it, and (B, *shape) -> (B,)
    """
    nats = 0.5 * ((target - mean).square() * (-logvar).exp() + logvar + math.log(2 * math.pi))
    return nats.flatten(1).sum(1)


def squared_error(output: Tensor, target: Tensor) -> Tensor:
    """
    Return half the squared distance: -log N(target; output, I) without its constant, in nats per sample.

    Shapes: (B, *shape) and (B, *shape) -> (B,)
    """
    return 0.5 * (output - target).square().flatten(1).sum(1)


def l1_norm(latents: Tensor) -> Tensor:
    """Return the sum of absolute values, per sample. Shapes: (B, D) -> (B,)."""
    return latents.abs().sum(1)


def neighbour_nll(latents: Tensor) -> Tensor:
    """
    Return -log of the probability of each row's neighbour among all other rows of the batch, in nats.

    Rows 2i and 2i + 1 are neighbours, and a row is the likelier the closer its latents are: in proportion to
    1 / (1 + d^2), which leaves room for clusters between close and distant rows. A last row without a neighbour counts
    only as another row.
    Shapes: (B, D) -> (B - B mod 2,)
    Source: Damrich et al., "From t-SNE to UMAP with contrastive learning", InfoNC-t-SNE, arXiv:2206.01816
    """
    paired = len(latents) - len(latents) % 2
    closeness = -torch.cdist(latents, latents).square().log1p()
    others = closeness.masked_fill(torch.eye(len(latents), dtype=torch.bool, device=latents.device), -math.inf)
    rows = torch.arange(paired, device=latents.device)
    return others[:paired].logsumexp(1) - closeness[rows, rows ^ 1]


def kl_by_dimension(mu: Tensor, logvar: Tensor) -> Tensor:
    """
    Return KL(N(mu, exp(logvar)) || N(0, 1)) of each latent dimension, in nats.

    Shapes: (B, D) and (B, D) -> (B, D)
    Source: Kingma & Welling, "Auto-Encoding Variational Bayes", appendix B, arXiv:1312.6114
    """
    return -0.5 * (1 + logvar - mu.square() - logvar.exp())


def kl_to_standard_normal(mu: Tensor, logvar: Tensor) -> Tensor:
    """Return KL(N(mu, diag(exp(logvar))) || N(0, I)), in nats per sample. Shapes: (B, D) and (B, D) -> (B,)."""
    return kl_by_dimension(mu, logvar).sum(1)


def kl_with_free_bits(mu: Tensor, logvar: Tensor, free_bits: float) -> Tensor:
    """
    Return the sum over dimensions of max(free_bits, the dimension's mean KL over the batch), in nats: one number.

    A dimension that costs less than its free bits is not pressed further towards the prior.
    Source: Kingma et al., "Improved Variational Inference with Inverse Autoregressive Flow", equation 15,
    arXiv:1606.04934, with every dimension a group of its own.
    """
    return kl_by_dimension(mu, logvar).mean(0).clamp(min=free_bits).sum()


def reparameterise(mu: Tensor, logvar: Tensor, noise: Tensor) -> Tensor:
    """
    Turn standard normal noise into a sample of N(mu, diag(exp(logvar))) that gradients pass through.

    Shapes: (B, D), (B, D) and (..., B, D) -> (..., B, D)
    Source: Kingma & Welling, section 2.4
    """
    return mu + (0.5 * logvar).exp() * noise


def log_normal(logvar: Tensor, noise: Tensor) -> Tensor:
    """
    Return log N(z; mu, diag(exp(logvar))) for z = mu + exp(logvar/2) * noise, in nats, with its constant.

    Shapes: (B, D) and (..., B, D) -> (..., B)
    """
    return -0.5 * (noise.square() + logvar + math.log(2 * math.pi)).sum(-1)


def log_prior_ratio(z: Tensor, logvar: Tensor, noise: Tensor) -> Tensor:
    """
    Return log N(z; 0, I) - log N(z; mu, diag(exp(logvar))) for z = mu + exp(logvar/2) * noise, in nats.

    The constants cancel, and (z - mu) / exp(logvar/2) is the noise. Shapes: (..., B, D) -> (..., B)
    """
    return 0.5 * (noise.square() + logvar - z.square()).sum(-1)


def importance_weighted_bound(log_weights: Tensor) -> Tensor:
    """
    Return the log of the mean of K importance weights p(x, z) / q(z|x), in nats per sample.

    It is a lower bound on log p(x); with K = 1, the evidence lower bound.
    Shapes: (K, B) -> (B,)
    Source: Burda et al., "Importance Weighted Autoencoders", equation 8, arXiv:1509.00519
    """
    return torch.logsumexp(log_weights, 0) - math.log(len(log_weights))
