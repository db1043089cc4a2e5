"""The calibration rows along each latent, which the server compares later rows with."""

from __future__ import annotations

import numpy as np

from app.arrays import Latents
from app.engine.drift.ranks import MAX_LATENT_EDGES, LatentRanks


def latent_ranks(latents: Latents) -> tuple[LatentRanks, ...]:
    """
    Return the edges of bins with about as many calibration rows each, for every latent. Shape: (n, D).

    A latent that has one value for many rows gets fewer edges; one that is constant gets one.
    """
    return tuple(_ranks(column) for column in np.sort(latents.astype(np.float32), axis=0).T)


def _ranks(ascending: Latents) -> LatentRanks:
    rows = len(ascending)
    places = {max(1, round(rows * part / (MAX_LATENT_EDGES + 1))) for part in range(1, MAX_LATENT_EDGES + 1)}
    edges = np.unique(ascending[np.array(sorted(places)) - 1])
    ranks = np.searchsorted(ascending, edges, side="right")
    return LatentRanks(edges=tuple(map(float, edges)), ranks=tuple(map(int, ranks)))
