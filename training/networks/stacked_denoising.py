"""
The stacked denoising autoencoder.

Vincent et al., "Stacked Denoising Autoencoders: Learning Useful Representations in a Deep Network with a Local
Denoising Criterion", JMLR 11 (2010).
Differences: each layer may be convolutional; noise on a code is Gaussian, relative to the code's own spread; after the
pretraining the whole stack, decoder included, is fine-tuned to denoise, not to classify.
"""

from __future__ import annotations

import torch
from torch import Tensor

from training.fitting.corruption import relative_noise
from training.fitting.draws import Draws
from training.networks.autoencoder import Autoencoder
from training.networks.objectives import squared_error


class StackedDenoisingAutoencoder(Autoencoder):
    """
    A stack whose layer k, before the whole is fine-tuned, learns to restore the clean code h below it:
    up_k(down_k(corrupt(h))) ~ h. Fine-tuned with noisy x and clean target, by the autoencoder's own loss.
    """

    def layer_loss(self, depth: int, x: Tensor, noisy_x: Tensor, noise_std: float, draws: Draws) -> dict[str, Tensor]:
        """
        The denoising loss of one layer in nats per sample; the layers below it are fixed and see clean input.

        The outermost layer restores the samples themselves (their likelihood), the others a code (squared error).
        """
        layer = self.stack.layer(depth)
        if depth == 0:
            return {"loss": self.likelihood.nll(layer.up(layer.down(noisy_x)).float(), x).mean()}
        with torch.no_grad():
            clean = self.stack.down(x, depth)
            noisy = relative_noise(clean, noise_std, draws)
        return {"loss": squared_error(layer.up(layer.down(noisy)).float(), clean.float()).mean()}
