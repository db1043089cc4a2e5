"""Versions are found by name, and measured on their own data or on other data that are read to fit them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from app.engine.autoencoder import Autoencoder
from app.inputs import ImageInput, ValueRange, VectorInput
from app.manifest import Manifest, Measurement, Training
from tests.helpers import tiny
from tests.helpers.training_data import data_of, planted_rows
from training.config import Config, DataConfig, EvaluationConfig, load_config
from training.data.load import load_data
from training.errors import DataError, InvalidConfiguration, RunError
from training.evaluation.version import VersionReport, choose_data, evaluate_version, find_version, stored_config


def manifest_of(tmp_path: Path, low: float = 0, high: float = 1) -> Manifest:
    """Return the manifest of a model of 8x9 RGB images."""
    manifest = Manifest.read(tiny.write_version(tmp_path / "models"))
    image = ImageInput(shape=(3, 8, 9), value_range=ValueRange(low=low, high=high))
    return manifest.model_copy(update={"input": image})


def record_of(configuration: dict[str, Any], *, cut_short: bool = False) -> Training:
    """Return the record of a training."""
    return Training(
        configuration=configuration,
        data_fingerprint="0" * 64,
        libraries={},
        seed=0,
        minutes=1,
        hardware="any",
        finished="2026-01-01",
        cut_short=cut_short,
    )


def config_of(**data: object) -> Config:
    """Return a configuration with this data section."""
    return load_config("digits-ae").model_copy(update={"data": DataConfig.model_validate(data)})


def test_a_name_means_the_largest_version(tmp_path: Path) -> None:
    for version in ("2", "10", "not-a-version"):
        (tmp_path / "mine" / version).mkdir(parents=True)
    assert find_version("mine", tmp_path).name == "10"
    assert find_version("mine/2", tmp_path).name == "2"
    assert find_version(str(tmp_path / "mine" / "2"), Path("elsewhere")).name == "2"
    with pytest.raises(RunError, match="no version of a model at other"):
        find_version("other", tmp_path)


def test_bundled_models_are_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_version("mnist-ae", Path("models")).parts[-2:] == ("mnist-ae", "1")
    assert find_version("mnist-ae/1", Path("models")).parts[-2:] == ("mnist-ae", "1")
    (tmp_path / "models" / "mnist-ae" / "7").mkdir(parents=True)
    assert find_version("mnist-ae", Path("models")).name == "7"  # one's own model of the name comes first


def test_images_of_another_size_and_colour_are_converted(tmp_path: Path) -> None:
    (tmp_path / "photographs").mkdir()
    for number in range(5):
        Image.new("L", (20 + number, 30), 10 * number).save(tmp_path / "photographs" / f"{number}.png")
    data_config = choose_data(manifest_of(tmp_path), config_of(path="x", test_path="y"), "photographs", tmp_path)
    assert load_data(data_config, tmp_path, 0).train.samples.shape[1:] == (3, 8, 9)


def test_image_files_mean_the_same_numbers_as_those_of_the_model(tmp_path: Path) -> None:
    """The model has 16 bits and a background of 128; 8-bit files that are transparent are read alike: 128 is 32896."""
    (tmp_path / "icons").mkdir()
    for number in range(5):
        icon = np.zeros((8, 9, 4), np.uint8)
        icon[0, number] = 255
        Image.fromarray(icon).save(tmp_path / "icons" / f"{number}.png")
    levels = ValueRange(low=0, high=65535)
    deep = ImageInput(shape=(1, 8, 9), value_range=levels, levels=levels, bits=16, background=(128,))
    manifest = manifest_of(tmp_path).model_copy(update={"input": deep})
    data = load_data(choose_data(manifest, config_of(name="digits"), "icons", tmp_path), tmp_path, 0)
    assert data.input == deep
    assert np.unique(data.train.samples).tolist() == [32896, 65535]


def test_numbers_beyond_a_range_that_was_found_can_be_read(tmp_path: Path) -> None:
    found = ImageInput(shape=(1, 8, 9), value_range=ValueRange(low=0, high=100), range_origin="found")
    manifest = manifest_of(tmp_path).model_copy(update={"input": found})
    pixels = np.random.default_rng(0).integers(0, 200, (9, 8, 9)).astype(np.uint8)
    np.save(tmp_path / "x.npy", pixels)
    data = load_data(choose_data(manifest, config_of(name="digits"), "x.npy", tmp_path), tmp_path, 0)
    assert data.train.in_users_units().max() > 150


def test_a_folder_of_idx_files_is_not_read_as_images(tmp_path: Path) -> None:
    folder = tmp_path / "mnist"
    folder.mkdir()
    for part, rows in (("train", 9), ("t10k", 5)):
        pixels = np.random.default_rng(rows).integers(0, 256, (rows, 8, 9), np.uint8)
        header = b"\0\0\x08\x03" + np.array(pixels.shape, ">u4").tobytes()
        (folder / f"{part}-images-idx3-ubyte").write_bytes(header + pixels.tobytes())
        labels = b"\0\0\x08\x01" + np.array([rows], ">u4").tobytes() + bytes(rows)
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(labels)
    data_config = choose_data(manifest_of(tmp_path), config_of(name="mnist"), str(folder), None)
    assert len(load_data(data_config, None, 0).test) == 5


def test_other_data_are_read_with_the_models_range_and_members(tmp_path: Path) -> None:
    path = tmp_path / "other.npz"
    pixels = np.full((4, 3, 8, 9), 7.0) + np.arange(4)[:, None, None, None]
    np.savez(path, pictures=pixels, thumbnails=pixels[..., ::2, ::2], kind=np.array([0, 1, 0, 1]))
    own = config_of(path="own.npz", samples="pictures", label="kind", image_size=None)
    data = load_data(choose_data(manifest_of(tmp_path, high=16), own, str(path), None), None, 0)
    assert data.input.value_range == ValueRange(low=0, high=16)
    assert data.classes == ("0", "1")
    with pytest.raises(DataError, match=r"row 2 .*: expected values from 0 to 8, got 9"):
        load_data(choose_data(manifest_of(tmp_path / "b", high=8), own, str(path), None), None, 0)


def test_an_imported_model_needs_a_path_of_data(tmp_path: Path) -> None:
    manifest = manifest_of(tmp_path)
    with pytest.raises(RunError, match="--data must name the data to measure it on"):
        choose_data(manifest, None, None, None)
    with pytest.raises(DataError, match="no such file or folder"):
        choose_data(manifest, None, "nowhere", None)


def test_a_models_own_data_are_the_default(tmp_path: Path) -> None:
    config = config_of(name="digits")
    assert choose_data(manifest_of(tmp_path), config, None, None) == config.data


def test_the_configuration_of_a_trained_model_is_read_from_its_manifest(tmp_path: Path) -> None:
    manifest, config = manifest_of(tmp_path), config_of(name="digits")
    assert stored_config(manifest) is None
    training = record_of(config.model_dump(mode="json"))
    assert stored_config(manifest.model_copy(update={"training": training})) == config
    older = training.model_copy(update={"configuration": {"name": "x"}})
    with pytest.raises(InvalidConfiguration, match="tiny-ae: its configuration: description: Field required"):
        stored_config(manifest.model_copy(update={"training": older, "name": "tiny-ae"}))


@pytest.mark.parametrize("cut_short", [True, False])
def test_pca_is_no_rival_of_a_version_whose_training_was_cut_short(tmp_path: Path, cut_short: bool) -> None:
    folder = tiny.write_version(tmp_path / "models", kind=VectorInput(shape=(4,)))
    record = record_of({}, cut_short=cut_short)
    manifest = Manifest.read(folder).model_copy(update={"training": record})
    data = data_of(planted_rows(60, [1.0, 0.5], 4))  # two principal components explain them, and sums of pairs do not
    report = evaluate_version(Autoencoder.open(folder, manifest, threads=1), None, data, EvaluationConfig())
    assert any("PCA" in warning for warning in report.warnings) == (not cut_short)


def test_a_report_is_json(tmp_path: Path) -> None:
    manifest = manifest_of(tmp_path)
    measurement = Measurement(data_set="any", protocol="any", values={"mse": 0.5})
    report = json.loads(VersionReport(manifest, (measurement,), ("collapsed",)).as_json())
    assert (report["model"], report["version"]) == (manifest.name, 1)
    assert report["metrics"][0]["values"] == {"mse": 0.5}
    assert report["warnings"] == ["collapsed"]


def test_another_table_is_read_with_the_models_columns(tmp_path: Path) -> None:
    table = VectorInput(
        shape=(4,), feature_names=("a", "c=x", "c=y", "b"), one_hot={"c": ("x", "y")}, fill=(1.0, 1.0, 0.0, 2.0)
    )
    manifest = Manifest.read(tiny.write_version(tmp_path / "models")).model_copy(update={"input": table})
    own = config_of(path="own.csv", drop=("note",), one_hot=True, missing="median", separator=",")
    rows = "".join(f"{n * n},{n},{'xy'[n % 2]},{'' if n == 3 else n % 5}\n" for n in range(12))
    (tmp_path / "other.csv").write_text("b,id,c,a\n" + rows)
    data = load_data(choose_data(manifest, own, "other.csv", tmp_path), tmp_path, 0)
    assert isinstance(data.input, VectorInput)
    assert data.input.feature_names == table.feature_names
    (tmp_path / "new.csv").write_text("b,c,a\n1,z,2\n")
    with pytest.raises(DataError, match='row 1, column "c": expected one of x, y, got "z"'):
        load_data(choose_data(manifest, own, "new.csv", tmp_path), tmp_path, 0)
    np.save(tmp_path / "matrix.npy", np.arange(40.0).reshape(10, 4))
    assert load_data(choose_data(manifest, own, "matrix.npy", tmp_path), tmp_path, 0).input.shape == (4,)
