"""A configuration asks for a mixture or for a flow."""

from __future__ import annotations

import numpy as np
import pytest

from tests.helpers.mixtures import clusters
from training.config import PriorConfig
from training.errors import InvalidConfiguration
from training.priors import kinds
from training.priors.codes import Codes
from training.priors.flows.fit import Flow
from training.priors.kinds import base_components, check_kind, choose_prior, most_rows
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
    [({}, 60_000), ({"kind": "realnvp"}, 60_000), ({"kind": "flow-matching", "rows": 70}, 70), ({"rows": 70}, 70)],
)
def test_the_rows_are_stated_or_60_000(options: dict[str, object], rows: int) -> None:
    assert most_rows(config(**options)) == rows


def circle(seed: int) -> Codes:
    """Return codes on a circle, with a little noise."""
    random = np.random.default_rng(seed)
    angles = random.uniform(0, 2 * np.pi, 1500)
    return Codes(np.stack([np.cos(angles), np.sin(angles)], axis=1) + 0.02 * random.normal(size=(1500, 2)))


CIRCLE = circle(0), circle(1)


def test_many_codes_get_more_gaussians_than_a_part_of_them_chose(monkeypatch: pytest.MonkeyPatch) -> None:
    """A circle is never a mixture of Gaussians: more codes support more of them."""
    monkeypatch.setattr(kinds, "TRIAL_ROWS", 60)
    trial = choose_prior(CIRCLE[0].choose(60, seed=0), CIRCLE[1], 0, config(), seed=0)
    grown = choose_prior(*CIRCLE, 0, config(), seed=0)
    assert (trial.rows, grown.rows) == (60, 1500)
    assert grown.mixture.components[0] in {2 * trial.mixture.components[0], 4 * trial.mixture.components[0]}
    assert grown.mixture.covariance == trial.mixture.covariance
    assert grown.log_likelihood > trial.log_likelihood
    assert grown.rule == f"{trial.rule}, of 60 codes; then of all codes"


def test_a_stated_number_of_gaussians_does_not_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "TRIAL_ROWS", 60)
    three = choose_prior(*CIRCLE, 0, config(components=3), seed=0)
    assert (three.rows, three.mixture.components) == (1500, (3,))
    assert choose_prior(*CIRCLE, 0, config(kind="normal"), seed=0).mixture.components == (1,)


def test_the_choice_of_a_part_stays_if_all_codes_are_no_better(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "TRIAL_ROWS", 350)
    random = np.random.default_rng(1)
    normal = Codes(random.standard_normal((400, 3))), Codes(random.standard_normal((200, 3)))
    choice = choose_prior(*normal, 0, config(), seed=0)
    assert (choice.rows, choice.mixture.components) == (350, (1,))


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


@pytest.mark.parametrize(("rows", "components"), [(50, 1), (900, 2), (20_000, 50), (57_000, 128)])
def test_a_flow_has_a_gaussian_for_400_codes(rows: int, components: int) -> None:
    assert base_components(PriorConfig(kind="realnvp"), rows) == components
    assert base_components(PriorConfig(kind="realnvp", components=7), rows) == 7
