"""Layers go with the size of the samples."""

from __future__ import annotations

import pytest

from training.choices.layers import MAX_UNITS, MIN_UNITS, conv_layers, dense_widths


@pytest.mark.parametrize(
    ("height", "width", "depth"),
    [(8, 8, 2), (12, 12, 2), (13, 13, 3), (28, 28, 3), (64, 64, 4), (128, 128, 5), (256, 256, 6), (256, 31, 5)],
)
def test_large_images_are_halved_more_often(height: int, width: int, depth: int) -> None:
    """256 x 31 pixels are as many as 89 x 89."""
    widths, blocks = conv_layers(height, width)
    assert len(widths) == len(blocks) == depth


def test_the_innermost_map_of_any_image_has_2_to_5_pixels_a_side() -> None:
    innermost = set()
    for pixels in range(8, 257):
        side = pixels
        for _ in conv_layers(pixels, pixels)[0]:
            side = (side + 1) // 2
        innermost.add(side)
    assert innermost == {2, 3, 4, 5}


@pytest.mark.parametrize(
    ("size", "widths"),
    [(1, (MIN_UNITS, 32)), (16, (64, 32)), (30, (120, 60)), (128, (512, 256)), (10_000, (MAX_UNITS, 256))],
)
def test_dense_layers_are_wider_for_longer_vectors_within_limits(size: int, widths: tuple[int, int]) -> None:
    assert dense_widths(size) == widths
