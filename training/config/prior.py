"""The section of the prior: the distribution of the latents that new samples are generated from."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from training.config.sections import Auto, Positive, Section


class PriorConfig(Section):
    """The distribution of the latents that new samples are generated from."""

    kind: Literal["auto", "gmm", "flow-matching", "realnvp", "normal", "none"] = "auto"
    """
    `gmm`: a mixture of Gaussians. `flow-matching`, `realnvp`: a network. `normal`: N(0, I) for a variational model, one
    fitted Gaussian for others. `none`: no prior. `auto`: gmm, unless N(0, I) is as good for a variational model.
    """
    components: Positive | Auto = "auto"
    """
    The number of Gaussians of a mixture, or under a `realnvp` in place of N(0, I). `auto`: of a mixture, the one of 1,
    2, 4 to 64 under which the validation part is likeliest; under a flow, one for 400 rows, at most 128.
    """
    covariance: Literal["full", "diagonal"] | Auto = "auto"
    """The kind of the Gaussians' covariance matrices. `auto`: the one under which the validation part is likeliest."""
    joint: bool = False
    """
    If true, a variational model's `realnvp` is trained with its network, as the prior of the bound, over N(0, I). If
    `components` are given, one over so many Gaussians takes its place afterwards. Otherwise, a prior is fitted after
    the training.
    """
    couplings: Positive = 10
    """The affine couplings of a `realnvp`."""
    steps: Positive | Auto = "auto"
    """Steps of a flow's training after the network's. `auto`: 1 500 to 6 000, by the number of rows."""
    rows: Annotated[int, Field(ge=2)] | Auto = "auto"
    """Training rows that it is fitted to, chosen by the seed. `auto`: 60 000, or 20 000 in a quick training."""

    @model_validator(mode="after")
    def _joint_is_a_flow(self) -> Self:
        if self.joint and self.kind != "realnvp":
            raise ValueError("joint: only kind: realnvp is trained with the network")
        return self
