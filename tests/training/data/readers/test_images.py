"""Tests of the reader of image folders."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from app.formats.images import read_image
from app.inputs import ImageInput, ValueRange
from tests.helpers.training_data import all_rows
from training.config import DataConfig
from training.data.dataset import DataSet
from training.data.load import load_data
from training.errors import DataError


def png(pixels: np.ndarray, colour_type: int = 0, extra: bytes = b"") -> bytes:
    """Build a PNG file of 8 or 16 bits; colour types: 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGBA."""
    height, width = pixels.shape[:2]
    depth = 8 * pixels.dtype.itemsize
    lines = b"".join(b"\x00" + line.astype(pixels.dtype.newbyteorder(">")).tobytes() for line in pixels)
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND")


def chunk(name: bytes, content: bytes = b"") -> bytes:
    """Return a chunk of a PNG file."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def noise(seed: int, *shape: int) -> np.ndarray:
    """Return random bytes, 10x8 unless a shape is given."""
    return np.random.default_rng(seed).integers(0, 256, shape or (10, 8), dtype=np.uint8)


def load(folder: Path, **options: Any) -> DataSet:
    """Load the data set of a folder."""
    return load_data(DataConfig(path=str(folder), **options), None, seed=0)


def fill(folder: Path, count: int = 5, *shape: int) -> list[np.ndarray]:
    """Write random images as PNG files, grey unless the shape has three axes, and return their pixels."""
    folder.mkdir(exist_ok=True, parents=True)
    images = [noise(seed, *shape) for seed in range(count)]
    for seed, image in enumerate(images):
        (folder / f"{seed}.png").write_bytes(png(image, 2 if image.ndim == 3 else 0))
    return images


def test_grey_files_become_8_bit_grey_images(tmp_path: Path) -> None:
    images = fill(tmp_path / "faces")
    data = load(tmp_path / "faces")
    assert data.name == "faces"
    assert isinstance(data.input, ImageInput)
    assert data.input.shape == (1, 10, 8)
    assert data.input.value_range.high == 1
    assert data.train.samples.dtype == np.uint8
    assert data.train.unit == 1 / 255
    assert data.train.labels is None
    assert all_rows(data) == {image.tobytes() for image in images}


def test_coloured_files_become_images_with_the_channels_first(tmp_path: Path) -> None:
    images = fill(tmp_path, 5, 10, 8, 3)
    data = load(tmp_path)
    assert data.input.shape == (3, 10, 8)
    assert all_rows(data) == {image.transpose(2, 0, 1).tobytes() for image in images}


def test_one_coloured_file_makes_all_images_rgb_unless_grey_is_configured(tmp_path: Path) -> None:
    grey = fill(tmp_path)[0]
    red = np.zeros((10, 8, 3), np.uint8)
    red[..., 0] = 255
    (tmp_path / "red.png").write_bytes(png(red, 2))
    assert np.repeat(grey[None], 3, axis=0).tobytes() in all_rows(load(tmp_path))
    # ITU-R 601: 0.299 of 255
    assert np.full((1, 10, 8), 76, np.uint8).tobytes() in all_rows(load(tmp_path, colour="grey"))
    assert load(tmp_path, colour="rgb").input.shape == (3, 10, 8)


def test_sub_folders_are_labels(tmp_path: Path) -> None:
    cats, dogs = fill(tmp_path / "cat", 4), [255 - image for image in fill(tmp_path / "dog" / "deeper", 4)]
    for seed, image in enumerate(dogs):
        (tmp_path / "dog" / "deeper" / f"{seed}.png").write_bytes(png(image))
    data = load(tmp_path)
    assert data.classes == ("cat", "dog")
    assert data.findings.class_counts == {"cat": 4, "dog": 4}
    labels = {image.tobytes(): 0 for image in cats} | {image.tobytes(): 1 for image in dogs}
    for part in (data.train, data.validation, data.test):
        assert part.labels is not None
        assert part.labels.tolist() == [labels[sample.tobytes()] for sample in part.samples]


@pytest.mark.parametrize("suffix", ["jpg", "JPEG", "webp", "png"])
def test_each_format_is_read(tmp_path: Path, suffix: str) -> None:
    for level in (10, 100, 200):
        flat = Image.new("RGB", (8, 10), (level, level // 2, 20))
        flat.save(tmp_path / f"{level}.{suffix}", quality=95)
    data = load(tmp_path)
    levels = sorted(float(part.samples[:, 0].mean()) for part in (data.train, data.validation, data.test))
    assert levels == pytest.approx([10, 100, 200], abs=3)


def test_sixteen_bits_are_scaled_to_eight(tmp_path: Path) -> None:
    fill(tmp_path)
    deep = noise(99).astype(np.uint16) * 257
    (tmp_path / "deep.png").write_bytes(png(deep))
    assert noise(99).tobytes() in all_rows(load(tmp_path))


def test_a_palette_is_resolved(tmp_path: Path) -> None:
    fill(tmp_path, 5, 10, 8, 3)
    palette = noise(7, 256, 3)
    (tmp_path / "palette.png").write_bytes(png(noise(99), 3, chunk(b"PLTE", palette.tobytes())))
    assert palette[noise(99)].transpose(2, 0, 1).tobytes() in all_rows(load(tmp_path))


def test_transparent_pixels_are_laid_over_black(tmp_path: Path) -> None:
    fill(tmp_path)
    transparent = np.stack([np.full((10, 8), 200, np.uint8), np.zeros((10, 8), np.uint8)], axis=-1)
    transparent[0, :, 1] = 255
    (tmp_path / "alpha.png").write_bytes(png(transparent, 4))
    expected = np.zeros((10, 8), np.uint8)
    expected[0] = 200
    assert expected.tobytes() in all_rows(load(tmp_path))


@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (3, 2), (6, -1), (8, 1)])
def test_the_exif_orientation_is_applied(tmp_path: Path, orientation: int, turns: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    for seed in range(4):
        Image.fromarray(noise(seed)).save(tmp_path / f"{seed}.png", exif=exif)
    assert all_rows(load(tmp_path)) == {np.rot90(noise(seed), turns).tobytes() for seed in range(4)}


def test_training_and_server_decode_a_file_to_the_same_pixels(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    for seed in range(4):
        Image.fromarray(noise(seed, 40, 30, 4)).save(tmp_path / f"{seed}.png", exif=exif)
    data = load(tmp_path, image_size=(12, 9))
    served = ImageInput(shape=(3, 12, 9), value_range=ValueRange(low=0, high=255))
    files = [(tmp_path / f"{seed}.png").read_bytes() for seed in range(4)]
    expected = {read_image(file, "image/png", served, 10**6).astype(np.uint8).tobytes() for file in files}
    assert all_rows(data) == expected


def test_images_of_several_sizes_are_resized_to_a_configured_size(tmp_path: Path) -> None:
    fill(tmp_path)
    Image.new("L", (50, 100), 77).save(tmp_path / "large.png")
    data = load(tmp_path, image_size=(16, 9))
    assert data.input.shape == (1, 16, 9)
    assert np.full((16, 9), 77, np.uint8).tobytes() in all_rows(data)


def test_other_and_hidden_files_are_ignored(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / "._0.png").write_bytes(b"\x00\x05\x16\x07")
    (tmp_path / ".thumbnails").mkdir()
    (tmp_path / ".thumbnails" / "0.png").write_bytes(b"broken")
    assert load(tmp_path).findings.rows == 5


def test_a_folder_without_images_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not an image")
    with pytest.raises(DataError, match=f"{tmp_path}: expected PNG, JPEG or WebP images"):
        load(tmp_path)


def test_two_files_of_different_sizes_are_named(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / "odd.png").write_bytes(png(noise(0, 8, 9)))
    with pytest.raises(DataError, match=r"odd\.png: 8x9 pixels .* but .*0\.png has 10x8; data\.image_size"):
        load(tmp_path)


def truncated() -> bytes:
    """Return the first half of a JPEG file."""
    buffer = io.BytesIO()
    Image.fromarray(noise(0, 10, 8, 3)).save(buffer, "JPEG")
    return buffer.getvalue()[: len(buffer.getvalue()) // 2 + 100]


@pytest.mark.parametrize("content", [b"", b"not an image", truncated(), png(noise(0))[:-30], b"GIF89a"])
def test_an_unreadable_image_is_named(tmp_path: Path, content: bytes) -> None:
    fill(tmp_path)
    (tmp_path / "3.png").write_bytes(content)
    with pytest.raises(DataError, match=r"3\.png: cannot be decoded as a PNG, JPEG or WebP image") as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("limit", [30, 70])
def test_a_decompression_bomb_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    fill(tmp_path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with pytest.raises(DataError, match=f"0\\.png: expected at most {limit} pixels"):
        load(tmp_path)


def test_images_beside_sub_folders_are_refused(tmp_path: Path) -> None:
    fill(tmp_path)
    fill(tmp_path / "cat")
    with pytest.raises(DataError, match=r"all images in sub-folders or none, got 0\.png beside .*cat"):
        load(tmp_path)


def test_a_single_image_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, 1)
    with pytest.raises(DataError, match=r"expected at least 3 different rows .*, got 1 in 1"):
        load(tmp_path)


def test_identical_images_are_refused(tmp_path: Path) -> None:
    for name in "abcd":
        (tmp_path / f"{name}.png").write_bytes(png(noise(0)))
    with pytest.raises(DataError, match="all rows are the same"):
        load(tmp_path)


def test_images_that_are_too_large_are_refused(tmp_path: Path) -> None:
    for name in "abc":
        Image.new("L", (300, 10)).save(tmp_path / f"{name}.png")
    with pytest.raises(DataError, match=r"a\.png: expected images of 8 to 256 pixels a side, got 10x300"):
        load(tmp_path)


def test_the_file_of_a_pixel_outside_the_range_is_named(tmp_path: Path) -> None:
    fill(tmp_path)
    with pytest.raises(DataError, match=r"0\.png: expected values from 0 to 100, got"):
        load(tmp_path, value_range=(0, 100))
