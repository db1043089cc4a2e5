"""Tests of the reader of image folders."""

from __future__ import annotations

import io
import itertools
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from app.formats.images import read_image
from app.inputs import ImageInput, ValueRange
from tests.helpers.images import png_chunk as chunk
from tests.helpers.images import png_file as png
from tests.helpers.training_data import all_rows
from training.config import DataConfig
from training.data.dataset import DataSet
from training.data.load import load_data
from training.errors import DataError


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


def deep_folder(folder: Path) -> list[np.ndarray]:
    """Write five images of 12 bits in files of 16, and return their levels."""
    images = [np.random.default_rng(seed).integers(0, 4096, (10, 8), dtype=np.uint16) for seed in range(5)]
    for seed, levels in enumerate(images):
        (folder / f"{seed}.png").write_bytes(png(levels))
    return images


def test_sixteen_bits_stay_sixteen_bits(tmp_path: Path) -> None:
    images = deep_folder(tmp_path)
    rows = all_rows(load(tmp_path, value_range=(0, 65535)))
    assert rows == {levels.astype(np.float32).tobytes() for levels in images}
    data = load(tmp_path)
    assert isinstance(data.input, ImageInput)
    assert (data.input.bits, data.input.levels, data.input.range_origin) == (16, ValueRange(low=0, high=65535), "found")
    assert data.input.value_range.high == data.train.samples.max() > 3900
    assert "depth       16 bits, levels from 0 to 65535" in data.findings.describe()


def test_sixteen_bits_can_be_reduced_and_eight_widened(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    images = deep_folder(tmp_path / "deep")
    data = load(tmp_path / "deep", bits=8)
    assert all_rows(data) == {np.rint(levels / 257).astype(np.uint8).tobytes() for levels in images}
    assert "8 bits; 5 images have 16 bits per channel, of which the upper 8 are read" in data.findings.describe()
    (tmp_path / "flat").mkdir()
    shallow = fill(tmp_path / "flat")
    rows = all_rows(load(tmp_path / "flat", bits=16, value_range=(0, 65535)))
    assert rows == {(image * np.float32(257)).tobytes() for image in shallow}


def test_8_bit_images_beside_deeper_ones_span_their_levels(tmp_path: Path) -> None:
    images = fill(tmp_path)
    (tmp_path / "deep.png").write_bytes(png(np.full((10, 8), 300, np.uint16)))
    data = load(tmp_path, value_range=(0, 65535))
    deep = {(image * np.float32(257)).tobytes() for image in images}
    assert all_rows(data) == deep | {np.full((10, 8), 300, np.float32).tobytes()}
    assert "16 bits, levels from 0 to 65535; 5 images have 8, whose 255 is 65535" in data.findings.describe()


def test_16_bit_colours_and_other_files_of_16_bits_are_read(tmp_path: Path) -> None:
    colours = [np.random.default_rng(seed).integers(0, 65536, (10, 8, 3), dtype=np.uint16) for seed in range(4)]
    for seed, levels in enumerate(colours):
        (tmp_path / f"{seed}.png").write_bytes(png(levels, 2))
    rows = all_rows(load(tmp_path, value_range=(0, 65535)))
    assert rows == {levels.transpose(2, 0, 1).astype(np.float32).tobytes() for levels in colours}
    grey = tmp_path / "grey"
    grey.mkdir()
    for suffix in ("tif", "pgm"):
        for seed, levels in enumerate(colours):
            Image.fromarray(levels[..., 0]).save(grey / f"{seed}.{suffix}")
    data = load(grey, value_range=(0, 65535))
    assert all_rows(data) == {levels[..., 0].astype(np.float32).tobytes() for levels in colours}


def test_numbers_of_tiff_files_are_kept(tmp_path: Path) -> None:
    arrays = [np.random.default_rng(seed).normal(scale=1e4, size=(10, 8)).astype(np.float32) for seed in range(4)]
    for seed, numbers in enumerate(arrays):
        Image.fromarray(numbers).save(tmp_path / f"{seed}.tiff")
    data = load(tmp_path, validation=0.3)
    assert data.input.value_range is not None
    assert data.train.samples.tobytes() in [
        np.stack(pair).tobytes() for pair in itertools.permutations([*arrays], len(data.train))
    ]
    assert data.input.value_range.low < -9000
    (tmp_path / "levels.png").write_bytes(png(noise(0)))
    with pytest.raises(
        DataError, match=r"tiff: the image holds floating point .* but .*levels\.png has levels of 8 bits"
    ):
        load(tmp_path)


@pytest.mark.parametrize("is_compressed", [False, True])
def test_16_bits_per_colour_of_a_tiff_are_kept(tmp_path: Path, is_compressed: bool) -> None:
    levels = [np.random.default_rng(seed).integers(0, 65536, (10, 8, 3)).astype(np.uint16) for seed in range(4)]
    for seed, colours in enumerate(levels):
        (tmp_path / f"{seed}.tif").write_bytes(deep_tiff(colours, is_compressed))
    data = load(tmp_path, value_range=(0, 65535))
    assert "16 bits, levels from 0 to 65535" in data.findings.describe()
    assert all_rows(data) == {colours.transpose(2, 0, 1).astype(np.float32).tobytes() for colours in levels}


def test_16_bits_per_colour_that_cannot_be_read_are_named_as_8(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(4):
        (tmp_path / f"{seed}.tif").write_bytes(deep_tiff(noise(seed, 10, 8, 3).astype(np.uint16) * 257))
    monkeypatch.setattr("training.data.readers.images.decode.has_deep_levels", lambda _: False)
    data = load(tmp_path)
    assert "8 bits; 4 images have 16 bits per channel, of which the upper 8 are read" in data.findings.describe()
    assert all_rows(data) == {noise(seed, 10, 8, 3).transpose(2, 0, 1).tobytes() for seed in range(4)}


def deep_tiff(levels: np.ndarray, is_compressed: bool = False) -> bytes:
    """Build a TIFF of RGB with 16 bits per colour. Source: TIFF 6.0, section 6; types 3 and 4 are SHORT and LONG."""
    height, width = levels.shape[:2]
    content = levels.astype("<u2").tobytes()
    content = zlib.compress(content) if is_compressed else content
    compression = 8 if is_compressed else 1
    entries = [(256, 3, 1, width), (257, 3, 1, height), (258, 3, 3, 8), (259, 3, 1, compression), (262, 3, 1, 2)]
    entries += [(273, 4, 1, 14), (277, 3, 1, 3), (278, 3, 1, height), (279, 4, 1, len(content))]
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return (
        b"II*\0"
        + struct.pack("<I", 14 + len(content))
        + struct.pack("<3H", 16, 16, 16)
        + content
        + directory
        + bytes(4)
    )


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


def test_other_and_hidden_files_are_passed_over_and_counted(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / "._0.png").write_bytes(b"\x00\x05\x16\x07")
    (tmp_path / ".thumbnails").mkdir()
    (tmp_path / ".thumbnails" / "0.png").write_bytes(b"broken")
    findings = load(tmp_path).findings
    assert findings.rows == 5
    assert "passed over 3 files: ._* 1, .txt 1, hidden 1" in findings.describe()


def test_a_folder_without_images_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not an image")
    with pytest.raises(DataError, match=f"{tmp_path}: expected PNG, JPEG, .* images, got 1 file: .txt 1"):
        load(tmp_path)


def test_images_of_several_sizes_are_resized_to_a_default(tmp_path: Path) -> None:
    """The median of 10, 10, 10, 10, 10 and 200 rows is 10, and of the columns 8: 8x8 in steps of eight."""
    fill(tmp_path)
    Image.new("L", (100, 200), 77).save(tmp_path / "large.png")
    data = load(tmp_path)
    assert data.input.shape == (1, 8, 8)
    assert (
        "size        8x8 (height x width), resized from 10x8 to 200x100; --image-size H W chooses another size"
        in data.findings.describe()
    )


def truncated() -> bytes:
    """Return the first half of a JPEG file."""
    buffer = io.BytesIO()
    Image.fromarray(noise(0, 10, 8, 3)).save(buffer, "JPEG")
    return buffer.getvalue()[: len(buffer.getvalue()) // 2 + 100]


@pytest.mark.parametrize("content", [b"", b"not an image", truncated(), png(noise(0))[:-30], b"GIF89a"])
def test_an_unreadable_image_is_named(tmp_path: Path, content: bytes) -> None:
    fill(tmp_path)
    (tmp_path / "3.png").write_bytes(content)
    with pytest.raises(DataError, match=r"3\.png: cannot be decoded as a PNG, JPEG, WebP, BMP") as caught:
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


def test_images_that_are_too_large_are_resized(tmp_path: Path) -> None:
    """300x450 becomes 64 times two thirds, 42.7, which is nearest to 40, by 64."""
    for seed in range(4):
        Image.fromarray(noise(seed, 300, 450)).save(tmp_path / f"{seed}.bmp")
    data = load(tmp_path)
    assert data.input.shape == (1, 40, 64)
    assert "resized from 300x450; --image-size H W" in data.findings.describe()


def test_all_images_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / "1.png").write_bytes(b"")
    (tmp_path / "3.png").write_bytes(png(noise(0))[:-30])
    (tmp_path / "x.jpg").write_bytes(truncated())
    with pytest.raises(DataError, match="3 of 6 images cannot be read:") as caught:
        load(tmp_path)
    assert [line.split(":")[0].rsplit("/")[-1] for line in str(caught.value).splitlines()[1:]] == [
        "1.png",
        "3.png",
        "x.jpg",
    ]


def ink_folder(folder: Path) -> None:
    """Write black drawings on a transparent ground."""
    for seed in range(6):
        Image.fromarray(np.stack([*[np.zeros((10, 8), np.uint8)] * 3, noise(seed)], axis=-1)).save(
            folder / f"{seed}.png"
        )


def test_drawings_are_seen_over_the_configured_background(tmp_path: Path) -> None:
    ink_folder(tmp_path)
    data = load(tmp_path, background="white", colour="grey")
    assert isinstance(data.input, ImageInput)
    assert data.input.background == (255,)
    assert all_rows(data) == {(255 - noise(seed)).tobytes() for seed in range(6)}
    assert "background  white under transparent pixels of 6 images" in data.findings.describe()
    coloured = load(tmp_path, background="#ff8000")
    assert isinstance(coloured.input, ImageInput)
    assert coloured.input.background == (255, 128, 0)


def test_drawings_that_vanish_over_black_are_refused_or_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ink_folder(tmp_path)
    with pytest.raises(
        DataError, match="6 of 6 images have nothing but one colour left, laid over black; --background"
    ):
        load(tmp_path)
    for seed in range(3):
        (tmp_path / f"photo{seed}.png").write_bytes(png(noise(seed, 10, 8, 3), 2))
    load(tmp_path)
    assert "6 of 9 images have nothing but one colour left, laid over black" in caplog.text


def test_an_unknown_colour_is_named(tmp_path: Path) -> None:
    ink_folder(tmp_path)
    with pytest.raises(DataError, match=r"--background: expected a colour such as white, .*, got 'whit'"):
        load(tmp_path, background="whit")


def test_a_folder_that_is_split_keeps_its_parts(tmp_path: Path) -> None:
    for number, (part, count) in enumerate({"train": 20, "val": 6, "test": 6}.items()):
        for kind in "xy":
            folder = tmp_path / part / kind
            folder.mkdir(parents=True)
            for seed in range(count):
                image = noise(1000 * number + 100 * ord(kind) + seed)
                Image.fromarray(image).save(folder / f"{seed}.png")
    data = load(tmp_path)
    assert data.findings.parts == (40, 12, 12)
    assert data.classes == ("x", "y")
    assert "parts       of the folders: train/ 40, val/ 12, test/ 12" in data.findings.describe()
    test = {np.asarray(Image.open(file)).tobytes() for file in (tmp_path / "test").rglob("*.png")}
    assert {sample.tobytes() for sample in data.test.samples} == test
    assert load(tmp_path, parts="none").findings.class_counts == {"test": 12, "train": 40, "val": 12}


def test_a_test_folder_is_read_like_the_training_folder(tmp_path: Path) -> None:
    """The training images have 16 bits and become 8x8 pixels; the test images are larger, of 8 bits and coloured."""
    (tmp_path / "training").mkdir()
    deep_folder(tmp_path / "training")
    (tmp_path / "training" / "odd.png").write_bytes(png(noise(7, 12, 8).astype(np.uint16)))
    fill(tmp_path / "held-out", 3, 40, 30, 3)
    data = load(tmp_path / "training", test_path=str(tmp_path / "held-out"))
    assert data.findings.parts == (5, 1, 3)
    assert data.test.samples.shape == (3, 1, 8, 8)
    assert isinstance(data.input, ImageInput)
    assert data.input.bits == 16


def test_a_missing_part_is_a_share_and_masks_are_no_samples(tmp_path: Path) -> None:
    """The layout of MVTec AD, where test images have defects that training images do not have."""
    for seed, name in enumerate(("train/good", "test/good", "test/scratch", "ground_truth/scratch")):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        for row in range(10):
            suffix = "_mask" if "ground" in name else ""
            Image.fromarray(noise(100 * seed + row)).save(folder / f"{row:03}{suffix}.png")
    data = load(tmp_path, validation=0.2)
    assert data.findings.parts == (8, 2, 20)
    assert data.findings.class_counts == {"good": 20, "scratch": 10}
    described = data.findings.describe()
    assert "passed over 10 files: ground_truth/ (masks) 10" in described
    assert "parts       of the folders: train/ 10, test/ 20; the validation part is a share of train/" in described


def test_the_file_of_a_pixel_outside_the_range_is_named(tmp_path: Path) -> None:
    fill(tmp_path)
    with pytest.raises(DataError, match=r"0\.png: expected values from 0 to 100, got"):
        load(tmp_path, value_range=(0, 100))
