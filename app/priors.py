"""Priors that were fitted to latents, as the manifest describes them; `app.manifest` is the contract as a whole."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from app.inputs import Contract, Dimension


class FittedPrior(Contract):
    """The distribution of the latents that `prior.onnx` makes of standard normal noise."""

    kind: Literal["gmm"] = "gmm"
    """A mixture of Gaussians."""
    noise_dimension: Dimension
    """The number of columns of the graph's input."""
    components: Annotated[tuple[Dimension, ...], Field(min_length=1)]
    """The number of Gaussians; of a conditional model, one number for each label."""
    covariance: Literal["full", "diagonal"]
    """The kind of each Gaussian's covariance matrix."""
    fitted_on: str
    """The codes that it was fitted on."""
    chosen_by: str
    """The rule that chose the components and the covariance, and the codes that it was applied to."""
    log_likelihood: float
    """Nats per code of the validation part."""
    standard_normal_log_likelihood: float | None = None
    """Nats per code under N(0, I) instead; None if the model is not variational."""
