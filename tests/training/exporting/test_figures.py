"""Images are tiled in order, with lines between them."""

from __future__ import annotations

import numpy as np

from training.exporting.figures import tile


def test_images_are_tiled_row_by_row_with_white_lines() -> None:
    samples = np.stack([np.full((1, 2, 2), value, np.float32) for value in (0.0, 0.25, 0.5)])
    canvas = tile(samples, columns=2)
    assert canvas.shape == (5, 5, 1)
    assert canvas[:, :, 0].tolist() == [
        [0, 0, 1, 0.25, 0.25],
        [0, 0, 1, 0.25, 0.25],
        [1, 1, 1, 1, 1],
        [0.5, 0.5, 1, 1, 1],
        [0.5, 0.5, 1, 1, 1],
    ]
