"""A configuration asks for a mixture or for a flow."""

from __future__ import annotations

import numpy as np
import pytest

from tests.helpers.mixtures import clusters
from training.config import PriorConfig
from training.errors import InvalidConfiguration
from training.priors.codes import Codes
from training.priors.flows.fit import Flow
from training.priors.kinds import check_kind, choose_prior, most_rows
from training.priors.mixture import Mixture

CLUSTERS = Codes(clusters(400)), Codes(clusters(600, seed=1))


def config(**options: object) -> PriorConfig:
    """Return a configuration whose flows have few steps."""
    return PriorConfig.model_validate({"steps": 10, **options})


@pytest.mark.parametrize("kind", ["realnvp", "flow-matching"])
def test_a_flow_is_fitted_if_its_kind_is_stated(kind: str) -> None:
    choice = choose_prior(*CLUSTERS, 0, config(kind=kind), seed=0)
    assert isinstance(choice.prior, Flow)
    assert (choice.prior.kind, choice.rows) == (kind, 400)
    assert choice.rule.startswith("configuration, and its weights by 600 codes of the validation part")
    assert choice.log_likelihood == pytest.approx(choice.prior.log_likelihoods(CLUSTERS[1]).mean())
    assert choice.is_better
    with pytest.raises(AssertionError):
        _ = choice.mixture


def test_a_density_of_a_part_of_the_codes_is_named() -> None:
    """The density of flow matching is computed at 500 codes, which N(0, I) is measured on, too."""
    train, held_out = CLUSTERS
    far = Codes(np.where(np.arange(600)[:, None] < 500, held_out.latents, 1e6))
    choice = choose_prior(train, far, 0, config(kind="flow-matching"), seed=0)
    assert choice.rule.endswith(", of which 500 have the likelihood")
    assert choice.standard_normal > -1000


@pytest.mark.parametrize("kind", ["auto", "gmm", "normal"])
def test_other_kinds_are_mixtures(kind: str) -> None:
    assert isinstance(choose_prior(*CLUSTERS, 0, config(kind=kind), seed=0).prior, Mixture)


@pytest.mark.parametrize(
    ("options", "rows"),
    [({}, 20_000), ({"kind": "realnvp"}, 60_000), ({"kind": "flow-matching", "rows": 70}, 70), ({"rows": 70}, 70)],
)
def test_a_flow_is_fitted_to_more_rows(options: dict[str, object], rows: int) -> None:
    assert most_rows(config(**options)) == rows


@pytest.mark.parametrize(
    ("kind", "labels", "dimension", "complaint"),
    [
        ("realnvp", 3, 2, "a conditional model has a mixture for each label, and realnvp takes no labels"),
        ("flow-matching", 3, 2, "and flow-matching takes no labels"),
        ("realnvp", 0, 1, "realnvp needs at least 2 latents, and the model has 1"),
    ],
)
def test_a_model_that_cannot_have_a_flow_is_refused(kind: str, labels: int, dimension: int, complaint: str) -> None:
    with pytest.raises(InvalidConfiguration, match=f"prior.kind: .*{complaint}"):
        check_kind(config(kind=kind), labels, dimension)


@pytest.mark.parametrize(("kind", "labels", "dimension"), [("gmm", 3, 1), ("auto", 3, 2), ("flow-matching", 0, 1)])
def test_other_models_are_not(kind: str, labels: int, dimension: int) -> None:
    check_kind(config(kind=kind), labels, dimension)
