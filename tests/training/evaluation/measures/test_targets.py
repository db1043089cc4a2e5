"""Targets are the preprocessed test samples, or zeros and ones drawn from them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from tests.helpers import tiny
from tests.helpers.linear import write_linear
from tests.helpers.training_evaluation import IMAGES, tiny_subject
from training.data.dataset import DataSet, Split
from training.errors import InvalidConfiguration
from training.evaluation.measures.targets import Targets
from training.evaluation.subject import Subject


@pytest.fixture
def images(tmp_path: Path) -> Subject:
    """Return the tiny variational model with images that it does not clip."""
    return tiny_subject(tmp_path)


def test_targets_are_the_samples_by_default(images: Subject) -> None:
    targets = Targets(images, "none")
    assert (targets.take(2, 5) == IMAGES[2:5]).all()
    assert targets.describe() == "grey values"
    assert list(targets.spans()) == [(0, 9)]


def test_binarised_targets_do_not_depend_on_the_chunk(images: Subject) -> None:
    rounded = Targets(images, "threshold").take(0, 9)
    assert (rounded == (IMAGES >= 0.5)).all()
    targets = Targets(images, "dynamic").take(0, 9)
    assert set(np.unique(targets)) == {0, 1}
    assert (Targets(images, "dynamic").take(4, 6) == targets[4:6]).all()
    assert Targets(images, "dynamic").describe() == "values drawn once as 0 or 1, seed 0"


def test_another_seed_draws_other_targets(tmp_path: Path, images: Subject) -> None:
    other = tiny_subject(tmp_path / "other", seed=1)
    assert (Targets(images, "dynamic").take(0, 9) != Targets(other, "dynamic").take(0, 9)).any()


def test_targets_are_drawn_with_their_value_as_probability(images: Subject) -> None:
    split = Split(np.full((4000, 1, 2, 2), 0.3, np.float32), None, 1.0)
    subject = Subject.of(images.model, DataSet("grey", tiny.IMAGE, (), split, split, split))
    share = Targets(subject, "dynamic").take(0, 4000).mean()
    assert share == pytest.approx(0.3, abs=4 * math.sqrt(0.3 * 0.7 / 16_000))


def test_the_encoder_gets_the_binarised_sample(images: Subject) -> None:
    targets = Targets(images, "dynamic").take(0, 9).reshape(9, 4)
    expected = np.stack([targets[:, 0] + targets[:, 1], targets[:, 2] + targets[:, 3]], axis=1)
    assert Targets(images, "dynamic").posterior().mu == pytest.approx(expected)


def test_a_gaussian_likelihood_refuses_binarised_targets(tmp_path: Path) -> None:
    linear = write_linear(tmp_path)
    with pytest.raises(InvalidConfiguration, match="belongs to the Bernoulli likelihood"):
        Targets(Subject.of(linear.model, linear.data), "dynamic")
