"""A manifest describes mixtures and flows, each by its own members."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from app.priors import FittedPrior, check_prior
from tests.helpers import tiny

FLOW = {
    "kind": "realnvp",
    "noise_dimension": 2,
    "layers": 10,
    "fitted_on": "codes",
    "chosen_by": "hand",
    "log_likelihood": 1.0,
}


@pytest.mark.parametrize(
    ("document", "summary"),
    [
        (tiny.fitted_prior().model_dump(), "a mixture of 1 Gaussians with diagonal covariance"),
        (tiny.fitted_prior(3).model_dump(), "a mixture of 1 Gaussians for each label with diagonal covariance"),
        (FLOW, "RealNVP with 10 couplings"),
        ({**FLOW, "components": (32,)}, "RealNVP with 10 couplings over 32 Gaussians"),
        ({**FLOW, "kind": "flow-matching", "layers": 16}, "flow matching in 16 steps"),
    ],
)
def test_each_kind_has_a_summary(document: dict[str, Any], summary: str) -> None:
    assert FittedPrior.model_validate(document).summary == summary


def test_a_mixture_of_an_older_manifest_is_read() -> None:
    document = tiny.fitted_prior().model_dump(mode="json")
    del document["layers"], document["kind"]
    assert FittedPrior.model_validate(document) == tiny.fitted_prior()


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ({**FLOW, "components": (2, 3)}, "several Gaussians or a covariance are those of a mixture, not of 'realnvp'"),
        ({**FLOW, "covariance": "full"}, "several Gaussians or a covariance are those of a mixture, not of 'realnvp'"),
        ({**FLOW, "kind": "flow-matching", "components": (2,)}, "components are those of a mixture or of RealNVP"),
        ({**FLOW, "layers": None}, "a flow has layers, and a mixture has none"),
        ({**tiny.fitted_prior().model_dump(), "layers": 3}, "a flow has layers, and a mixture has none"),
        ({**tiny.fitted_prior().model_dump(), "components": ()}, "a mixture has components and a covariance"),
        ({**tiny.fitted_prior().model_dump(), "covariance": None}, "a mixture has components and a covariance"),
    ],
)
def test_members_of_the_other_kind_are_refused(document: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        FittedPrior.model_validate(document)


def test_a_prior_that_was_trained_with_the_pair_is_a_realnvp() -> None:
    check_prior(FittedPrior.model_validate(FLOW), True, 0)
    check_prior(None, False, 0)
    for other in (None, tiny.fitted_prior()):
        with pytest.raises(ValueError, match="'trained' needs the member 'prior', of the kind 'realnvp'"):
            check_prior(other, True, 0)


def test_a_flow_takes_no_labels() -> None:
    flow = FittedPrior.model_validate(FLOW)
    flow.check_labels(0)
    with pytest.raises(ValueError, match=r"prior\.kind: 'realnvp' takes no labels, and the model has 2"):
        flow.check_labels(2)
