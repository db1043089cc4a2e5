"""The ranks of calibration rows along a latent."""

from __future__ import annotations

import numpy as np

from app.engine.drift.ranks import MAX_LATENT_EDGES
from training.scorers.latents import latent_ranks


def test_bins_have_equal_shares_of_the_rows() -> None:
    latents = np.random.default_rng(0).normal(size=(1600, 2)).astype(np.float32)
    for ranks, column in zip(latent_ranks(latents), latents.T, strict=True):
        assert len(ranks.edges) == MAX_LATENT_EDGES
        assert ranks.ranks == tuple(range(100, 1600, 100))
        assert [int((column <= np.float32(edge)).sum()) for edge in ranks.edges] == list(ranks.ranks)


def test_equal_numbers_share_an_edge() -> None:
    column = np.repeat(np.array([0, 1, 2], np.float32), [70, 20, 10])
    ranks, constant = latent_ranks(np.stack([column, np.full(100, 3, np.float32)], axis=1))
    assert (ranks.edges, ranks.ranks) == ((0.0, 1.0, 2.0), (70, 90, 100))
    assert (constant.edges, constant.ranks) == ((3.0,), (100,))


def test_few_rows_have_an_edge_each() -> None:
    (ranks,) = latent_ranks(np.array([[2], [0], [1]], np.float32))
    assert (ranks.edges, ranks.ranks) == ((0.0, 1.0, 2.0), (1, 2, 3))
