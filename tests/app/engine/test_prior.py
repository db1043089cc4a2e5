"""Priors: latents made of standard normal noise, by a graph or as they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.engine.autoencoder import Autoencoder
from app.engine.prior import MAX_RUN_ROWS
from app.engine.repository import load_version
from app.errors import InvalidParameter, NotFinite
from tests.helpers import tiny
from tests.helpers.arrays import array
from tests.helpers.tiny import LABELS


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Autoencoder:
    """Load a deterministic model of images with a prior."""
    return load_version(tiny.write_version(tmp_path_factory.mktemp("models"), prior=True), "tiny", 1)


@pytest.fixture(scope="module")
def conditional(tmp_path_factory: pytest.TempPathFactory) -> Autoencoder:
    """Load a conditional model of tables with a prior, which adds the label's index to the latents."""
    folder = tiny.write_version(tmp_path_factory.mktemp("models"), kind=tiny.TABLE, labels=LABELS, prior=True)
    return load_version(folder, "tiny", 1)


def test_latents_are_made_of_noise_row_by_row(model: Autoencoder) -> None:
    assert model.prior.run(array([[7, 0, 0], [8, 4, -2]])).tolist() == [[1, 1], [2, 0.5]]
    noise = model.prior.noise(2 * MAX_RUN_ROWS + 3, seed=4)
    np.testing.assert_allclose(model.prior.run(noise), 1 + noise[:, 1:] / 4, rtol=1e-6)


def test_more_noise_leaves_the_first_rows_as_they_were_and_the_temperature_scales_it(model: Autoencoder) -> None:
    assert model.prior.noise(5, seed=1).shape == (5, 3)
    np.testing.assert_array_equal(model.prior.noise(500, seed=1)[:5], model.prior.noise(5, seed=1))
    np.testing.assert_array_equal(model.prior.noise(5, seed=1, temperature=2), 2 * model.prior.noise(5, seed=1))
    assert not np.array_equal(model.prior.noise(5, seed=2), model.prior.noise(5, seed=1))


def test_a_deterministic_model_generates_decoded_draws(model: Autoencoder) -> None:
    samples = model.generate(300, seed=3)
    np.testing.assert_array_equal(samples, model.decode(model.prior.run(model.prior.noise(300, seed=3))))
    np.testing.assert_allclose(model.generate(2, seed=3), samples[:2], atol=1e-6)
    assert model.generate(1, seed=3, temperature=0).ravel().tolist() == [0.5] * 4


def test_a_variational_model_draws_from_its_prior_graph(tmp_path: Path) -> None:
    folder = tiny.write_version(tmp_path, family="variational-autoencoder", prior=True)
    assert load_version(folder, "tiny", 1).generate(1, seed=3, temperature=0).ravel().tolist() == [0.5] * 4


def test_a_conditional_prior_takes_the_label(conditional: Autoencoder) -> None:
    low, high = (conditional.generate(4, seed=3, label=label) for label in ("low", "high"))
    np.testing.assert_allclose(high, low + 2 / 2 + 2 / 4, rtol=1e-6)  # the prior adds 2, the decoder two quarters
    with pytest.raises(InvalidParameter, match="conditional"):
        conditional.generate(4, seed=3)


def test_latents_that_are_not_finite_are_refused(model: Autoencoder) -> None:
    with pytest.raises(NotFinite, match="infinite latents"):
        model.prior.run(array([[0, np.inf, 0]]))
