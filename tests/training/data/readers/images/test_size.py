"""Tests of the size that all images are resized to."""

from __future__ import annotations

import pytest

from training.data.readers.images.decode import Size
from training.data.readers.images.size import choose_size


@pytest.mark.parametrize(
    ("sizes", "size"),
    [
        ([(100, 100)] * 3, (100, 100)),
        ([(300, 300)] * 3, (64, 64)),
        ([(1125, 2000)], (32, 64)),  # 36 is halfway between 32 and 40, which is rounded to the even multiple
        ([(4000, 3000), (3000, 4000), (3000, 4000)], (48, 64)),
        ([(20, 30), (24, 30)], (24, 32)),  # no larger than the images, except to a multiple of 8
        ([(4, 4)], (8, 8)),
        ([(5000, 10)], (64, 8)),
    ],
)
def test_images_keep_their_size_or_get_a_default(sizes: list[Size], size: Size) -> None:
    assert choose_size(sizes, None).size == size


def test_a_configured_size_is_taken() -> None:
    chosen = choose_size([(100, 50), (300, 200)], (48, 32))
    assert (chosen.size, chosen.resizes) == ((48, 32), True)
    assert chosen.note == "48x32 (height x width), from 100x50 to 300x200"


def test_a_default_is_said() -> None:
    assert choose_size([(300, 300)], None).note == (
        "64x64 (height x width), resized from 300x300; --image-size H W chooses another size"
    )
    assert choose_size([(64, 64)], None).note == ""
