"""scikit-learn's bundled 8x8 digits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from training.data.source import Source


def read_digits() -> Source:
    """Grey levels 0 to 16; every fifth row is the test set."""
    from sklearn.datasets import load_digits  # the import takes a second that other data need not pay

    bunch = load_digits()
    tested = np.arange(len(bunch.images)) % 5 == 4
    train, test = (
        Source("digits", bunch.images[rows].astype(np.float32), bunch.target[rows], value_range=(0, 16))
        for rows in (~tested, tested)
    )
    return replace(train, test=test)
