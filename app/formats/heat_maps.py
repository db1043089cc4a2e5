"""
Heat maps as PNG files: images in grey, with a colour where a number is stranger than those of the calibration rows.

Attributions are squared errors in units of their variance. So the colours have a scale that does not depend on the
image: none up to a 25th of `heat`, the full colour from `heat` on, and in between the logarithm counts. With the
default of 100, a pixel begins to be coloured at two standard deviations, and has the full colour at ten.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from app.arrays import Array, Samples
from app.formats.pictures import write_grid
from app.inputs import ImageInput

RANGE = 25.0
"""The full colour's attribution over that of the first trace of colour."""
FIRST_COLOUR, FULL_COLOUR = (255, 205, 60), (225, 10, 40)
"""Yellow and red, which differ in lightness, too: on black, on white, and for people who cannot tell red from green."""
LEAST_OPACITY, MOST_OPACITY = 0.25, 0.95
GREY_LEVELS = 200.0
"""The level of white: a little less than in the image, so that colours stand out."""
LUMINANCE = (0.299, 0.587, 0.114)
"""The parts of red, green and blue. Source: ITU-R BT.601-7, section 2.5.1"""


def write_heat_maps(
    samples: Samples,
    attributions: Array,
    image_input: ImageInput,
    heat: float,
    columns: int | None = None,
    scale: int = 1,
) -> bytes:
    """Return a PNG of one heat map, or of several in a grid, as `write_png` does of samples. It has 8 bits."""
    return write_grid(colour(grey(samples, image_input), heat_of(attributions, heat)), columns, scale)


def grey(samples: Samples, image_input: ImageInput) -> Array:
    """
    Return the lightness of each pixel, from 0 to 1.

    Shapes: (B, C, H, W) -> (B, H, W)
    """
    ends = image_input.levels or image_input.value_range
    unit = np.clip((samples - np.float32(ends.low)) / np.float32(ends.span), 0, 1)
    weights = np.array(LUMINANCE if unit.shape[1] == 3 else (1.0,), np.float32)
    lightness: Array = np.einsum("bchw,c->bhw", unit, weights)
    return lightness


def heat_of(attributions: Array, heat: float) -> Array:
    """
    Return the heat of each pixel, from 0 to 1, of the channel that is hottest.

    Shapes: (B, C, H, W) -> (B, H, W)
    """
    hottest = np.maximum(attributions.max(axis=1).astype(np.float64), heat / RANGE)
    degrees: Array = np.clip(np.log(hottest / (heat / RANGE)) / np.log(RANGE), 0, 1).astype(np.float32)
    return degrees


def colour(lightness: Array, heat: Array) -> npt.NDArray[np.uint8]:
    """
    Return grey images that are coloured by heat.

    Shapes: (B, H, W) and (B, H, W) -> (B, 3, H, W)
    """
    first, full = (np.array(tone, np.float32)[:, None, None] for tone in (FIRST_COLOUR, FULL_COLOUR))
    hot = heat[:, None]
    opacity = np.where(hot > 0, LEAST_OPACITY + (MOST_OPACITY - LEAST_OPACITY) * hot, 0)
    tones = first + (full - first) * hot
    levels: npt.NDArray[np.uint8] = np.rint(GREY_LEVELS * lightness[:, None] * (1 - opacity) + tones * opacity).astype(
        np.uint8
    )
    return levels
