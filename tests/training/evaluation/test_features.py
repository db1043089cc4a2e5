"""Features are fixed: they depend on the training samples, and on no model."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluation.features import PCA_COMPONENTS, pca_features, random_features

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.random((600, 1, 12, 12), np.float32)
ROWS = RANDOM.random((600, 20), np.float32)


@pytest.mark.parametrize(("samples", "size"), [(IMAGES, PCA_COMPONENTS), (ROWS, 20)])
def test_principal_components_keep_distances_within_their_plane(
    samples: np.ndarray[tuple[int, ...], np.dtype[np.float32]], size: int
) -> None:
    features = pca_features(samples)(samples)
    assert features.shape == (600, size)
    flat = samples.reshape(600, -1)
    distances = np.linalg.norm(features[:50] - features[50:100], axis=1)
    assert (distances <= np.linalg.norm(flat[:50] - flat[50:100], axis=1) + 1e-4).all()
    np.testing.assert_allclose(features.mean(axis=0), 0, atol=1e-4)


@pytest.mark.parametrize(("samples", "size"), [(IMAGES, 128), (ROWS, 64), (IMAGES.reshape(600, 1, 2, 6, 12), 64)])
def test_random_features_are_the_same_each_time_and_tell_samples_apart(
    samples: np.ndarray[tuple[int, ...], np.dtype[np.float32]], size: int
) -> None:
    first, second = random_features(samples)(samples), random_features(samples)(samples)
    assert first.shape == (600, size)
    np.testing.assert_array_equal(first, second)
    assert len(np.unique(first.round(5), axis=0)) == 600
    assert np.isfinite(random_features(np.zeros_like(samples))(samples)).all()


def test_random_features_do_not_depend_on_the_scale_of_the_samples() -> None:
    np.testing.assert_allclose(
        random_features(1000 * IMAGES + 7)(1000 * IMAGES + 7), random_features(IMAGES)(IMAGES), rtol=1e-2, atol=1e-2
    )


def test_the_weights_are_the_same_on_every_machine() -> None:
    """The training part has mean 0 and variance 1; the sum is that of the first computation."""
    train = np.tile(np.array([-1, 1], np.float32), (2, 1, 8, 4)).reshape(2, 1, 8, 8)
    features = random_features(train)(np.ones((1, 1, 8, 8), np.float32))
    assert features.sum() == pytest.approx(57.1987, rel=1e-4)
