"""Tests of image files' headers, and of errors in many files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.images import encoded, png_file
from training.data.readers.images.decode import read_header, read_headers, read_samples
from training.errors import DataError

GREY = np.zeros((10, 8), np.uint8)
DEEP = GREY.astype(np.uint16)


def stack(pixels: np.ndarray, channels: int) -> np.ndarray:
    """Repeat pixels as channels."""
    return np.repeat(pixels[..., None], channels, axis=2)


@pytest.mark.parametrize(
    ("content", "facts"),
    [
        (png_file(GREY), "grey, 8 bits"),
        (png_file(stack(GREY, 2), 4), "grey, 8 bits, transparent"),
        (png_file(stack(GREY, 4), 6), "8 bits, transparent"),
        (png_file(DEEP), "grey, 16 bits"),
        (png_file(stack(DEEP, 2), 4), "grey, 16 bits, transparent"),
        (png_file(stack(DEEP, 3), 2), "16 bits"),
        (encoded(Image.fromarray(GREY > 0)), "grey, 8 bits"),
        (encoded(Image.fromarray(GREY), "BMP"), "grey, 8 bits"),
        (encoded(Image.fromarray(np.arange(80, dtype=np.uint8).reshape(10, 8) % 3 * 99), "GIF"), "grey, 8 bits"),
        (encoded(Image.new("RGB", (8, 10), (9, 8, 7)).convert("P")), "8 bits"),
        (encoded(Image.fromarray(DEEP), "TIFF"), "grey, 16 bits"),
        (encoded(Image.fromarray(DEEP), "PPM"), "grey, 16 bits"),
        (encoded(Image.fromarray(GREY.astype(np.float32)), "TIFF"), "grey, numbers"),
        (encoded(Image.fromarray(GREY.astype(np.int32)), "TIFF"), "grey, numbers"),
        (encoded(Image.fromarray(stack(GREY, 4), "CMYK"), "JPEG"), "8 bits"),
        (
            encoded(Image.fromarray(GREY), "GIF", save_all=True, append_images=[Image.fromarray(GREY + 9)]),
            "grey, 8 bits, frames",
        ),
    ],
)
def test_headers_say_how_an_image_is_stored(content: bytes, facts: str, tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(content)
    header = read_header(tmp_path / "image")
    seen = ["grey"] * header.is_grey + [header.depth] + ["transparent"] * header.is_transparent
    assert ", ".join(seen + ["frames"] * header.has_frames) == facts
    assert header.size == (10, 8)
    assert not header.is_reduced


def test_all_files_at_fault_are_named_at_once(tmp_path: Path) -> None:
    """The header of the cut JPEG is whole, so that it is found out only when its pixels are decoded."""
    photo = encoded(Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)), "JPEG")
    good, cut = png_file(GREY), photo[: len(photo) // 2]
    files = [tmp_path / name for name in ("a.png", "b.png", "c.jpg")]
    for file, content in zip(files, (b"no image", good, cut), strict=True):
        file.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_headers(tmp_path, files)
    lines = str(caught.value).splitlines()
    assert lines[0] == f"{tmp_path}: 2 of 3 images cannot be read:"
    assert lines[1].endswith(
        "a.png: cannot be decoded as a PNG, JPEG, WebP, BMP, GIF, TIFF or PGM image: it begins like none of them"
    )
    assert "c.jpg: cannot be decoded" in lines[2]
    assert len(read_headers(tmp_path, files[1:])) == 2


def test_the_list_of_files_at_fault_has_an_end(tmp_path: Path) -> None:
    def fail(row: int, file: Path) -> None:
        raise DataError(f"{file}: row {row}")

    with pytest.raises(DataError) as caught:
        read_samples(tmp_path, [tmp_path] * 103, fail)
    lines = str(caught.value).splitlines()
    assert (len(lines), lines[-1]) == (102, "and 3 more")
