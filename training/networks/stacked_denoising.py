"""
The stacked denoising autoencoder.

Vincent et al., "Stacked Denoising Autoencoders: Learning Useful Representations in a Deep Network with a Local
Denoising Criterion", JMLR 11 (2010).
Differences: layers may be convolutional; the noise on a layer's input is Gaussian, relative to that input's standard
deviation; after the pretraining the whole stack, decoder included, is fine-tuned to denoise, and to classify only
where a weight for the labels is given.
"""

from __future__ import annotations

import torch
from torch import Tensor

from training.fitting.corruption import relative_noise
from training.fitting.draws import Draws
from training.networks.autoencoder import Autoencoder
from training.networks.base import Example
from training.networks.classifier import Classifier
from training.networks.likelihoods import Likelihood
from training.networks.objectives import squared_error
from training.networks.stacks import Stack


class StackedDenoisingAutoencoder(Autoencoder):
    """
    An autoencoder whose layers can be pretrained one by one.

    Layer k learns to restore its own clean input h: up_k(down_k(corrupt(h))) ~ h. Afterwards the autoencoder's loss
    fine-tunes the whole stack with noisy x and clean targets.
    """

    def __init__(self, stack: Stack, likelihood: Likelihood) -> None:
        super().__init__(stack, likelihood)
        self.classifier: Classifier | None = None
        """Fine-tunes the stack with labels, too; part of the training, and not of the exported graphs."""

    @property
    def criterion(self) -> str:
        """Return `loss` where labels belong to it, otherwise the autoencoder's criterion."""
        return "loss" if self.classifier else super().criterion

    def terms(self, z: Tensor, example: Example) -> dict[str, Tensor]:
        """Return the autoencoder's terms, and the weighted cross-entropy of the labels if there is a classifier."""
        terms = super().terms(z, example)
        if self.classifier is None:
            return terms
        labelled = self.classifier.loss(z, example.labels)
        return terms | {"loss": terms["loss"] + self.classifier.weight * labelled["cross_entropy"], **labelled}

    def layer_loss(self, depth: int, x: Tensor, noisy_x: Tensor, noise_std: float, draws: Draws) -> dict[str, Tensor]:
        """
        Return the denoising loss of one layer in nats per sample. The layers outside it are fixed and get clean input.

        The outermost layer restores the samples (negative log-likelihood), the others their input (squared error).
        """
        layer = self.stack.layer(depth)
        if depth == 0:
            return {"loss": self.likelihood.nll(layer.up(layer.down(noisy_x)).float(), x).mean()}
        with torch.no_grad():
            clean = self.stack.down(x, depth)
            noisy = relative_noise(clean, noise_std, draws)
        return {"loss": squared_error(layer.up(layer.down(noisy)).float(), clean.float()).mean()}
