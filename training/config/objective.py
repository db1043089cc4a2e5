"""The objective of a configuration: one section for each family of models."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from training.config.sections import Auto, NoiseKind, NonNegative, Positive, Section

Binarisation = Literal["none", "threshold", "dynamic"]
LikelihoodName = Literal["auto", "bernoulli", "gaussian"]
"""
The distribution of the samples given the latents: `bernoulli` for values in [0, 1], `gaussian` with a learned variance
for tables and photographs. `auto` is bernoulli for images whose values crowd at both ends, else gaussian.
"""


class AutoencoderObjective(Section):
    """Reconstruct the input."""

    family: Literal["autoencoder"]
    likelihood: LikelihoodName = "auto"
    sparsity: NonNegative = 0.0
    """Weight of the L1 norm of the latents, in nats per unit, for a sparse autoencoder."""
    neighbours: NonNegative = 0.0
    """Weight of the loss that keeps neighbouring rows neighbours in the latent space, for planes to look at."""


class DenoisingObjective(Section):
    """Restore the clean input from a noisy one, after each layer of the stack was pretrained by itself."""

    family: Literal["denoising-autoencoder"]
    likelihood: LikelihoodName = "auto"
    noise: NoiseKind = "gaussian"
    amount: NonNegative | tuple[NonNegative, NonNegative]
    """
    Gaussian noise: its standard deviation, in units of the value range; without a value range, in the units after
    preprocessing. Other noise: the share of numbers that are replaced. Two numbers: each sample's amount is drawn from
    this interval.
    """
    pretraining_epochs: Annotated[int, Field(ge=0)]
    """Epochs per layer. 0: no pretraining."""
    pretraining_noise_std: NonNegative = 0.3
    """Gaussian noise on the input of an inner layer, in units of that input's own standard deviation."""

    label_weight: NonNegative = 0.0
    """
    Weight of the cross-entropy of the labels, by a softmax layer on the latents, in the fine-tuning of the stack. With
    0, labels are not used.
    """

    denoiser: bool = True
    """If true, a further network is trained to remove the noise, around the bottleneck; the task denoise uses it."""
    denoiser_widths: Annotated[tuple[Positive, ...], Field(min_length=1)] = (16, 32, 64)
    """Images: the denoiser's channels at each resolution, from that of the images inwards; each halves their size."""
    denoiser_steps: Positive | Auto = "auto"
    """Steps of the denoiser's training, of 2 to 64 images each. `auto`: 4 000 to 30 000, by the number of rows."""

    @model_validator(mode="after")
    def _amount_is_an_interval(self) -> Self:
        low, high = self.interval
        if low > high:
            raise ValueError("amount: the first number must not exceed the second")
        if self.noise != "gaussian" and high > 1:
            raise ValueError(f"amount: {self.noise} noise replaces a share of the numbers, at most 1")
        return self

    @property
    def interval(self) -> tuple[float, float]:
        """The least and the largest amount of noise, equal if the amount is fixed."""
        return self.amount if isinstance(self.amount, tuple) else (self.amount, self.amount)


class VariationalObjective(Section):
    """Maximise the evidence lower bound."""

    family: Literal["variational-autoencoder"]
    likelihood: LikelihoodName = "auto"
    beta: NonNegative = 1.0
    """Weight of the KL term. 1 gives the bound itself, since both terms are in nats per sample."""
    warmup_epochs: Annotated[int, Field(ge=0)] = 0
    """Epochs over which the weight of the KL term rises from 0 to beta."""
    free_bits: NonNegative = 0.0
    """Nats per latent dimension, as a mean over the batch, below which the KL is not reduced further."""
    importance_samples: Positive = 1
    """Samples of the posterior in the importance-weighted bound. 1 gives the evidence lower bound."""
    binarisation: Binarisation = "none"
    """
    Bernoulli only. `dynamic` replaces each value by 0 or 1 anew in each step, with the value as the probability of 1;
    `threshold` rounds it.
    """
    conditional: bool = False
    """If true, the label is an input of the decoder, and the data must have labels."""

    @model_validator(mode="after")
    def _options_that_fit(self) -> Self:
        if self.importance_samples > 1 and self.free_bits:
            raise ValueError("free_bits have no meaning in a bound with several importance_samples")
        if self.binarisation != "none" and self.likelihood == "gaussian":
            raise ValueError("binarisation belongs to the Bernoulli likelihood")
        return self


Objective = AutoencoderObjective | DenoisingObjective | VariationalObjective


def option_of_labels(objective: Objective) -> str | None:
    """Return the name of the option that makes an objective need labels, or None."""
    if isinstance(objective, VariationalObjective):
        return "conditional" if objective.conditional else None
    return "label_weight" if isinstance(objective, DenoisingObjective) and objective.label_weight else None


def check_joint_prior(objective: Objective) -> None:
    """Raise ValueError unless a prior can be trained together with a network on this objective."""
    if not isinstance(objective, VariationalObjective):
        raise ValueError("prior.joint: only a variational autoencoder has a bound that a prior is part of")
    if objective.conditional or objective.free_bits or objective.importance_samples > 1:
        raise ValueError("prior.joint excludes conditional, free_bits and several importance_samples")
