"""The nearest neighbours of the training rows, which a latent space is to keep together."""

from __future__ import annotations

import logging

import numpy as np
from sklearn.neighbors import NearestNeighbors

from training.choices.spectrum import preprocessed, principal_axes
from training.config import AutoencoderObjective, Config
from training.data.dataset import DataSet
from training.data.storage import Integers
from training.errors import InvalidConfiguration
from training.fitting.ranks import world
from training.preprocessing import Preprocessor

log = logging.getLogger(__name__)

NEIGHBOURS = 15
COMPONENTS = 50
"""Principal components in which distances are taken: fewer numbers to compare, and less noise in them."""


def keeps_neighbours(config: Config) -> bool:
    """Return whether training has a loss of neighbours."""
    return isinstance(config.objective, AutoencoderObjective) and config.objective.neighbours > 0


def nearest_neighbours(preprocessing: Preprocessor, config: Config, data: DataSet) -> Integers | None:
    """
    Return the rows that are nearest to each training row, or None if the configuration needs none. Shape: (N, k).

    There are NEIGHBOURS of them, or fewer if there are not that many other rows. Raises InvalidConfiguration if there
    are several processes, which would have to share pairs of rows, or fewer than two rows.
    """
    if not keeps_neighbours(config):
        return None
    if world() > 1:
        raise InvalidConfiguration("objective.neighbours: several processes cannot share pairs of rows; start one")
    if len(data.train) < 2:
        raise InvalidConfiguration("objective.neighbours: a single training row has no neighbour")
    axes = principal_axes([data.train], preprocessing, COMPONENTS, config.augmentation)
    parts = [(x - axes.mean) @ axes.components.T for x in preprocessed(data.train, preprocessing)]
    points = np.concatenate([part.numpy() for part in parts])
    log.info("finding the neighbours of %d rows", len(points))
    count = min(NEIGHBOURS, len(points) - 1)
    found = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(points).kneighbors(return_distance=False)
    return np.asarray(found, np.int64)
