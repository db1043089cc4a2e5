"""Conversions of units agree with hand calculations."""

from __future__ import annotations

import math

import numpy as np
import pytest

from app.inputs import ImageInput, ValueRange, VectorInput
from app.manifest import BernoulliLikelihood, GaussianLikelihood, Manifest, Preprocessing
from tests.helpers import tiny
from training.evaluation.units import from_x, has_likelihood, in_unit_interval, is_bernoulli, to_unit, to_x

TABLE = Preprocessing(
    log1p=(True, False, False), low=(None, -1.0, None), high=(2.0, 1.0, None), shift=(1, 0, 5), scale=(2, 4, 0.5)
)
"""Preprocessing of three columns: logged and clipped, only clipped, and neither."""


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Return any manifest; each test replaces the members it needs."""
    return Manifest.read(tiny.write_version(tmp_path_factory.mktemp("models")))


def changed(manifest: Manifest, **members: object) -> Manifest:
    """Return the manifest with other members."""
    return manifest.model_copy(update=members)


def table(manifest: Manifest) -> Manifest:
    """Return the manifest with TABLE as its preprocessing."""
    return changed(manifest, input=VectorInput(shape=(3,)), preprocessing=TABLE)


def test_without_a_record_the_value_range_becomes_0_to_1(manifest: Manifest) -> None:
    image = changed(manifest, input=ImageInput(shape=(1, 1, 2), value_range=ValueRange(low=-2, high=6)))
    samples = np.array([[[[-2, 0]]], [[[2, 6]]]], np.float32)
    assert to_x(samples, image).ravel().tolist() == [0, 0.25, 0.5, 1]
    assert to_unit(samples, ValueRange(low=-2, high=6)).ravel().tolist() == [0, 0.25, 0.5, 1]
    assert from_x(to_x(samples, image), image).tolist() == samples.tolist()
    unbounded = changed(manifest, input=VectorInput(shape=(2,)))
    assert to_x(samples[:, 0, 0], unbounded).tolist() == samples[:, 0, 0].tolist()


def test_columns_are_logged_then_clipped_then_scaled(manifest: Manifest) -> None:
    samples = np.array([[math.e - 1, 0.5, 6], [1000, -8, 4]], np.float32)
    assert to_x(samples, table(manifest)) == pytest.approx(np.array([[0, 0.125, 2], [0.5, -0.25, -2]]), abs=1e-6)


def test_a_decoders_output_is_not_clipped(manifest: Manifest) -> None:
    output = np.array([[math.exp(3) - 1, -8, 4]], np.float32)
    assert to_x(output, table(manifest), clipped=False) == pytest.approx(np.array([[1, -2, -2]]), abs=1e-6)
    assert np.isfinite(to_x(np.array([[-1, 0, 0]], np.float32), table(manifest), clipped=False)).all()


def test_from_x_is_the_inverse_of_to_x(manifest: Manifest) -> None:
    samples = np.array([[0.5, -0.5, 6], [3, 1, 4]], np.float32)
    assert from_x(to_x(samples, table(manifest)), table(manifest)) == pytest.approx(samples, rel=1e-6)
    image = changed(
        manifest,
        input=ImageInput(shape=(1, 1, 2), value_range=ValueRange(low=0.1, high=0.7)),
        preprocessing=Preprocessing(log1p=(False,), low=(None,), high=(None,), shift=(0.1,), scale=(0.6,)),
    )
    ends = from_x(np.array([[[[0, 1]]]], np.float32), image)
    assert ends.min() >= np.float32(0.1)
    assert ends.max() <= np.float32(0.7)


def test_the_preprocessing_of_an_image_has_one_number_per_channel(manifest: Manifest) -> None:
    record = Preprocessing(log1p=(False,) * 3, low=(None,) * 3, high=(None,) * 3, shift=(0, 1, 2), scale=(1, 2, 4))
    image = changed(
        manifest, input=ImageInput(shape=(3, 1, 2), value_range=ValueRange(low=0, high=10)), preprocessing=record
    )
    samples = np.full((2, 3, 1, 2), 10, np.float32)
    assert to_x(samples, image)[1].tolist() == [[[10, 10]], [[4.5, 4.5]], [[2, 2]]]


def test_x_lies_in_0_and_1_only_if_the_value_range_is_mapped_there(manifest: Manifest) -> None:
    gaussian = GaussianLikelihood(logvar=(0.0,))
    assert in_unit_interval(manifest)
    assert in_unit_interval(changed(manifest, likelihood=gaussian))
    standardised = Preprocessing(log1p=(False,), low=(None,), high=(None,), shift=(0.5,), scale=(0.3,))
    assert not in_unit_interval(changed(manifest, likelihood=gaussian, preprocessing=standardised))
    assert not in_unit_interval(table(manifest))
    assert in_unit_interval(changed(table(manifest), likelihood=BernoulliLikelihood()))


def test_a_manifest_without_a_likelihood_is_bernoulli_if_it_has_a_value_range(manifest: Manifest) -> None:
    assert manifest.likelihood is None
    assert is_bernoulli(manifest)
    assert has_likelihood(manifest)
    assert not has_likelihood(table(manifest))
    gaussian = changed(manifest, likelihood=GaussianLikelihood(logvar=(0.0,)))
    assert not is_bernoulli(gaussian)
    assert has_likelihood(gaussian)
