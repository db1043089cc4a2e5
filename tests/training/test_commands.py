"""Other data than its own, read so that they fit the model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.manifest import ImageInput, Manifest, ValueRange
from tests.helpers import tiny
from training.commands import data_to_measure
from training.config import Config, DataConfig, load_config
from training.data.load import load_data
from training.errors import DataError, RunError


def manifest_of(tmp_path: Path, low: float = 0, high: float = 1) -> Manifest:
    """Of a model of 8x9 RGB images."""
    manifest = Manifest.read(tiny.write_version(tmp_path / "models"))
    given = ImageInput(shape=(3, 8, 9), value_range=ValueRange(low=low, high=high))
    return manifest.model_copy(update={"input": given})


def config_of(**data: object) -> Config:
    """A configuration with this data section."""
    return load_config("digits-ae").model_copy(update={"data": DataConfig.model_validate(data)})


def test_images_of_another_size_and_colour_are_made_to_fit(tmp_path: Path) -> None:
    (tmp_path / "photographs").mkdir()
    for number in range(5):
        Image.new("L", (20 + number, 30), 10 * number).save(tmp_path / "photographs" / f"{number}.png")
    asked = data_to_measure(manifest_of(tmp_path), config_of(name="digits"), "photographs", tmp_path)
    assert load_data(asked, tmp_path, 0).train.samples.shape[1:] == (3, 8, 9)


def test_a_folder_of_idx_files_is_read_as_such(tmp_path: Path) -> None:
    folder = tmp_path / "mnist"
    folder.mkdir()
    for part, rows in (("train", 9), ("t10k", 5)):
        pixels = np.random.default_rng(rows).integers(0, 256, (rows, 8, 9), np.uint8)
        header = b"\0\0\x08\x03" + np.array(pixels.shape, ">u4").tobytes()
        (folder / f"{part}-images-idx3-ubyte").write_bytes(header + pixels.tobytes())
        labels = b"\0\0\x08\x01" + np.array([rows], ">u4").tobytes() + bytes(rows)
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(labels)
    asked = data_to_measure(manifest_of(tmp_path), config_of(name="mnist"), str(folder), None)
    assert len(load_data(asked, None, 0).test) == 5


def test_the_models_own_range_and_members_are_looked_for(tmp_path: Path) -> None:
    path = tmp_path / "other.npz"
    pixels = np.full((4, 3, 8, 9), 7.0) + np.arange(4)[:, None, None, None]
    np.savez(path, pictures=pixels, thumbnails=pixels[..., ::2, ::2], kind=np.array([0, 1, 0, 1]))
    own = config_of(path="own.npz", samples="pictures", label="kind", image_size=None)
    data = load_data(data_to_measure(manifest_of(tmp_path, high=16), own, str(path), None), None, 0)
    assert data.input.value_range == ValueRange(low=0, high=16)
    assert data.classes == ("0", "1")
    with pytest.raises(DataError, match=r"row 2 .*: expected values from 0 to 8, got 9"):
        load_data(data_to_measure(manifest_of(tmp_path / "b", high=8), own, str(path), None), None, 0)


def test_a_model_from_elsewhere_must_be_told_what_it_is_measured_on(tmp_path: Path) -> None:
    manifest = manifest_of(tmp_path)
    with pytest.raises(RunError, match="--data must name what it is measured on"):
        data_to_measure(manifest, None, None, None)
    with pytest.raises(DataError, match="no such file or folder"):
        data_to_measure(manifest, None, "nowhere", None)
