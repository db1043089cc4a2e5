"""The latents of a model and their prior, as the manifest describes them; `app.manifest` is the contract as a whole."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from app.inputs import Contract, Dimension


class DeterministicLatent(Contract):
    """The encoder returns `latents`, (batch, dimension)."""

    kind: Literal["deterministic"] = "deterministic"
    dimension: Dimension


class GaussianLatent(Contract):
    """The encoder returns `mu` and `logvar`, each (batch, dimension): a diagonal Gaussian posterior."""

    kind: Literal["gaussian"] = "gaussian"
    dimension: Dimension
    prior: Literal["standard-normal", "trained"] = "standard-normal"
    """The prior of the bound: N(0, I), or that of `prior.onnx`, trained with the pair or fitted in its place."""


class FittedPrior(Contract):
    """The distribution of the latents that `prior.onnx` makes of standard normal noise."""

    kind: Literal["gmm", "realnvp", "flow-matching"] = "gmm"
    """A mixture of Gaussians, or a flow: RealNVP's couplings, or the steps of flow matching."""
    noise_dimension: Dimension
    """The number of columns of the graph's input."""
    components: tuple[Dimension, ...] = ()
    """
    A mixture's number of Gaussians; of a conditional model, one number for each label. Of RealNVP, the Gaussians that
    it begins at; empty: N(0, I).
    """
    covariance: Literal["full", "diagonal"] | None = None
    """The kind of covariance matrix that each Gaussian of a mixture has."""
    layers: Dimension | None = None
    """A flow's number of couplings, or of steps: the transformations that the noise passes in turn."""
    fitted_on: str
    """The codes that it was fitted on."""
    chosen_by: str
    """The rule that chose the prior, and the codes that it was applied to."""
    log_likelihood: float
    """Nats per code of the validation part."""
    standard_normal_log_likelihood: float | None = None
    """Nats per code under N(0, I) instead; None if the model is not variational."""

    @property
    def summary(self) -> str:
        """The kind and the size, as a noun phrase."""
        if self.kind == "gmm":
            count = " and ".join(map(str, sorted(set(self.components))))
            each = " for each label" if len(self.components) > 1 else ""
            return f"a mixture of {count} Gaussians{each} with {self.covariance} covariance"
        if self.kind == "flow-matching":
            return f"flow matching in {self.layers} steps"
        base = f" over {self.components[0]} Gaussians" if self.components else ""
        return f"RealNVP with {self.layers} couplings{base}"

    def check_labels(self, labels: int) -> None:
        """Raise ValueError unless this can be the prior of a model with so many labels, which may be 0."""
        if self.kind != "gmm" and labels:
            raise ValueError(f"prior.kind: {self.kind!r} takes no labels, and the model has {labels}")
        if self.kind == "gmm" and len(self.components) != max(1, labels):
            count = f"{labels} labels" if labels else "a model without labels"
            raise ValueError(f"prior.components: {len(self.components)} numbers for {count}")

    @model_validator(mode="after")
    def _has_the_members_of_its_kind(self) -> Self:
        is_mixture = self.kind == "gmm"
        if is_mixture and not (self.components and self.covariance):
            raise ValueError("a mixture has components and a covariance")
        if self.kind == "flow-matching" and self.components:
            raise ValueError("components are those of a mixture or of RealNVP, not of 'flow-matching'")
        if not is_mixture and (self.covariance or len(self.components) > 1):
            raise ValueError(f"several Gaussians or a covariance are those of a mixture, not of {self.kind!r}")
        if is_mixture == (self.layers is not None):
            raise ValueError("a flow has layers, and a mixture has none")
        return self


def check_prior(prior: FittedPrior | None, is_trained: bool, labels: int) -> None:
    """Raise ValueError unless a model with so many labels can have this prior, trained with the pair or fitted."""
    if is_trained and (prior is None or prior.kind != "realnvp"):
        raise ValueError("latent.prior: 'trained' needs the member 'prior', of the kind 'realnvp'")
    if prior:
        prior.check_labels(labels)
