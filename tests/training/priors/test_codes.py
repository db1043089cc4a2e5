"""Codes are the latents of a part of the data; those of a variational model are drawn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.training_evaluation import tiny_images, tiny_model, tiny_subject
from training.errors import DataError
from training.evaluation.subject import Subject
from training.priors.codes import draw_codes


def test_codes_of_a_deterministic_model_are_its_latents(tmp_path: Path) -> None:
    data = tiny_images()
    codes = draw_codes(Subject.of(tiny_model(tmp_path), data), data.train, 100, seed=0)
    sums = data.train.samples.reshape(-1, 2, 2).sum(axis=2)  # encode([a, b, c, d]) = [a + b, c + d]
    np.testing.assert_allclose(codes.latents, sums, rtol=1e-6)
    assert codes.labels is None
    assert len(codes) == 20


def test_codes_of_a_variational_model_are_draws_from_its_posteriors(tmp_path: Path) -> None:
    data = tiny_images(rows=8_000)
    subject = Subject.of(tiny_model(tmp_path, "variational-autoencoder"), data)
    codes = draw_codes(subject, data.train, 4_000, seed=0)
    noise = codes.latents - data.train.samples.reshape(-1, 2, 2).sum(axis=2)
    np.testing.assert_allclose(noise.std(axis=0), 0.5, atol=0.02)
    np.testing.assert_array_equal(codes.latents, draw_codes(subject, data.train, 4_000, seed=0).latents)
    assert (codes.latents != draw_codes(subject, data.train, 4_000, seed=1).latents).all()


def test_the_seed_chooses_rows_if_there_are_too_many(tmp_path: Path) -> None:
    data = tiny_images(rows=200)
    subject = Subject.of(tiny_model(tmp_path), data)
    few, all_rows = (draw_codes(subject, data.train, rows, seed=3).latents for rows in (30, 100))
    assert few.shape == (30, 2)
    assert {tuple(row) for row in few} < {tuple(row) for row in all_rows}


def test_labels_are_those_of_the_manifest(tmp_path: Path) -> None:
    subject = tiny_subject(tmp_path, ("low", "high"))  # the data's classes are in reverse
    codes = draw_codes(subject, subject.data.train, 100, seed=0)
    assert codes.labels is not None
    assert codes.labels.tolist() == [1, 0, 1, 0, 1, 0, 1, 0, 1]
    assert len(codes.under(0)) == 4


def test_a_conditional_model_needs_labels(tmp_path: Path) -> None:
    subject = tiny_subject(tmp_path, ("low", "high"))
    with pytest.raises(DataError, match="needs the labels of all parts"):
        draw_codes(subject, replace(subject.data.train, labels=None), 100, seed=0)
