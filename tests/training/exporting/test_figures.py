"""Images are tiled in order, with lines between them, and files are as small as their colours allow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from app.arrays import Array
from training.exporting.figures import save, tile


def saved(path: Path, pixels: Array, colours: int | None) -> Image.Image:
    """Draw pixels, one for each dot of the figure, and read the file. Shape: (H, W, 3)."""
    height, width = pixels.shape[:2]
    figure = Figure(figsize=(width / 150, height / 150))
    figure.figimage(pixels)
    save(figure, path, colours)
    return Image.open(path)


@pytest.mark.parametrize("colours", [None, 256])
def test_a_grey_figure_loses_nothing_in_one_channel(tmp_path: Path, colours: int | None) -> None:
    greys = np.repeat(np.random.default_rng(0).integers(0, 256, (30, 60, 1), np.uint8), 3, axis=2)
    picture = saved(tmp_path / "grey.png", greys, colours)
    assert picture.mode == "L"
    np.testing.assert_array_equal(np.asarray(picture), greys[:, :, 0])


def test_only_a_chart_has_few_colours(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (60, 60, 3), np.uint8)
    whole = saved(tmp_path / "picture.png", pixels, None)
    np.testing.assert_array_equal(np.asarray(whole), pixels)
    chart = saved(tmp_path / "chart.png", pixels, 256)
    assert len(chart.convert("RGB").getcolors() or []) <= 256
    assert (tmp_path / "chart.png").stat().st_size < (tmp_path / "picture.png").stat().st_size / 2


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
