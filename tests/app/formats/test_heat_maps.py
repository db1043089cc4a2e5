"""Heat maps: grey images, and a colour that follows the logarithm of the attributions."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from app.formats.heat_maps import FIRST_COLOUR, FULL_COLOUR, colour, grey, heat_of, write_heat_maps
from app.inputs import ImageInput, ValueRange
from tests.helpers.arrays import array

GREY = ImageInput(shape=(1, 1, 3), value_range=ValueRange(low=-1, high=1))
DEEP = ImageInput(
    shape=(1, 1, 3), value_range=ValueRange(low=100, high=3900), levels=ValueRange(low=0, high=65535), bits=16
)


def luminance(pixel: Sequence[float]) -> float:
    """Return the lightness of a colour, from 0 to 255."""
    return float(np.dot(pixel, (0.299, 0.587, 0.114)))


@pytest.mark.parametrize(
    ("attribution", "heat", "degree"),
    [(0, 100, 0), (4, 100, 0), (20, 100, 0.5), (100, 100, 1), (1e30, 100, 1), (0.2, 1, 0.5), (-1, 100, 0)],
)
def test_the_logarithm_counts_between_a_25th_and_the_full_heat(attribution: float, heat: float, degree: float) -> None:
    assert heat_of(array([[[[attribution]]]]), heat).item() == pytest.approx(degree)


def test_the_hottest_channel_counts() -> None:
    assert heat_of(array([[[[0, 100]], [[100, 0]], [[20, 4]]]]), 100).tolist() == [[[1, 1]]]


def test_samples_become_grey() -> None:
    assert grey(array([[[[-1, 0, 5]]]]), GREY).tolist() == [[[0, 0.5, 1]]]
    assert grey(array([[[[0, 65535, 131070]]]]), DEEP).tolist() == [[[0, 1, 1]]]
    rgb = ImageInput(shape=(3, 1, 1), value_range=ValueRange(low=0, high=1))
    np.testing.assert_allclose(grey(array([[[[1]], [[0]], [[0]]]]), rgb), [[[0.299]]], rtol=1e-6)


def test_colours_differ_from_grey_and_from_each_other_in_lightness() -> None:
    """Compare the colours at both ends on black, grey and white: none has the lightness of what it lies on."""
    assert luminance(FIRST_COLOUR) - luminance(FULL_COLOUR) > 100
    for lightness in (0.0, 0.5, 1.0):
        plain, full = (
            colour(np.full((1, 1, 1), lightness, np.float32), np.full((1, 1, 1), degree, np.float32)).ravel().tolist()
            for degree in (0.0, 1.0)
        )
        assert len(set(plain)) == 1
        assert full[0] - max(full[1:]) > 150
        assert abs(luminance(full) - luminance(plain)) > 15


def test_a_heat_map_has_the_size_of_its_sample_and_several_are_a_grid() -> None:
    samples, attributions = array([[[[-1, 0, 1]]]]), array([[[[0, 0, 100]]]])
    pixels = np.asarray(Image.open(io.BytesIO(write_heat_maps(samples, attributions, GREY, 100))))
    assert pixels.shape == (1, 3, 3)
    assert pixels[0, :2].tolist() == [[0, 0, 0], [100, 100, 100]]
    assert pixels[0, 2].tolist() == [224, 20, 48]
    many = write_heat_maps(samples.repeat(4, 0), attributions.repeat(4, 0), GREY, 100, columns=3, scale=2)
    picture = Image.open(io.BytesIO(many))
    assert (picture.size, picture.mode) == ((18, 4), "RGB")
    deep = Image.open(io.BytesIO(write_heat_maps(samples, attributions, DEEP, 100)))
    assert deep.mode == "RGB"
