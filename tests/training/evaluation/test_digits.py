"""The committed classifier of digits is the one that its record describes, and its features are those of its graph."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from app.arrays import Samples
from app.inputs import ImageInput, ValueRange
from training.data.dataset import DataSet, Split
from training.errors import DataError
from training.evaluation.digits import GRAPH, DigitFeatures, Record, fingerprint, is_mnist

PIXELS = np.random.default_rng(0).integers(0, 256, (30, 1, 28, 28), dtype=np.uint8)
SAMPLES: Samples = (PIXELS / 255).astype(np.float32)


def data_of(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> DataSet:
    """Return a data set whose parts are these images."""
    split = Split(pixels, None, 1 / 255)
    kind = ImageInput(shape=(1, *pixels.shape[2:]), value_range=ValueRange(low=0, high=1))
    return DataSet("images", kind, (), split, split, split)


def test_the_committed_graph_is_small_and_right_on_the_test_images() -> None:
    record = Record.read()
    assert hashlib.sha256(GRAPH.read_bytes()).hexdigest() == record.sha256
    assert GRAPH.stat().st_size < 600_000
    assert record.test_accuracy >= 0.992
    assert (record.training_rows, record.validation_rows) == (57_000, 3_000)


def test_the_features_are_activations_that_tell_images_apart() -> None:
    features = DigitFeatures()(SAMPLES)
    assert features.shape == (30, 128)
    assert features.min() >= 0
    assert len(np.unique(features.round(4), axis=0)) == 30


def test_many_samples_are_run_in_parts() -> None:
    digits, rows = DigitFeatures(), SAMPLES[np.arange(1200) % 30]
    features = digits(rows)
    assert len(features) == 1200
    assert np.abs(features[-30:] - digits(SAMPLES)).max() < 1e-4


def test_another_graph_is_refused(tmp_path: Path) -> None:
    value = helper.make_tensor_value_info("samples", TensorProto.FLOAT, ["batch", 1, 28, 28])
    model = helper.make_model(helper.make_graph([], "other", [value], [value]))
    (tmp_path / "other.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(
        DataError, match=r"other\.onnx: the classifier of digits is not the one that its record describes"
    ):
        DigitFeatures(tmp_path / "other.onnx")


def test_data_are_known_by_the_pixels_of_their_test_part() -> None:
    record = Record.read().model_copy(update={"test_fingerprint": fingerprint(PIXELS)})
    data = data_of(PIXELS)
    assert is_mnist(data, record)
    assert is_mnist(replace(data, name="other", train=data.train.take(slice(3))), record)
    assert not is_mnist(data)
    assert not is_mnist(replace(data, test=data.test.take(slice(29))), record)


def test_images_of_another_shape_are_not_compared() -> None:
    flat = PIXELS.reshape(30, 1, 14, 56)
    assert fingerprint(flat) == fingerprint(PIXELS)
    assert not is_mnist(data_of(flat), Record.read().model_copy(update={"test_fingerprint": fingerprint(PIXELS)}))
