"""Tests of MNIST: its four files in a folder, and their download."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.inputs import ImageInput
from tests.helpers.training_data import idx_file
from training.config import DataConfig
from training.data.dataset import Split
from training.data.load import load_data
from training.data.readers.idx import read_idx
from training.data.readers.mnist import MD5_SUMS, download_mnist
from training.errors import DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with four small files named like MNIST's, two of them gzipped."""
    random = np.random.default_rng(0)
    for part, rows in (("train", 40), ("t10k", 8)):
        images = random.integers(0, 256, (rows, 28, 28), dtype=np.uint8)
        images[0, 0, 0] = 255
        (tmp_path / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx_file(images), mtime=0))
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(idx_file(np.arange(rows, dtype=np.uint8) % 10))
    return tmp_path


@pytest.mark.parametrize("inside", [".", "mnist"])
def test_mnist_is_read_from_a_folder_gzipped_or_not(folder: Path, tmp_path: Path, inside: str) -> None:
    if inside == "mnist":
        (folder / "mnist").mkdir()
        for path in list(folder.glob("*ubyte*")):
            path.rename(folder / "mnist" / path.name)
    data = load_data(DataConfig(name="mnist", validation=0.25), folder, seed=0)
    assert (len(data.train), len(data.validation), len(data.test)) == (30, 10, 8)
    assert data.test.samples.dtype == np.uint8
    assert isinstance(data.input, ImageInput)
    assert data.input.shape == (1, 28, 28)
    assert (data.input.value_range.low, data.input.value_range.high) == (0, 1)
    assert data.test.in_users_units()[0].max() == 1.0
    assert data.classes == tuple("0123456789")
    assert data.test.labels is not None
    assert data.test.labels.tolist() == list(range(8))


def test_validation_rows_are_chosen_from_the_training_part_by_the_seed(folder: Path) -> None:
    def rows(split: Split) -> set[bytes]:
        return {sample.tobytes() for sample in split.samples}

    config = DataConfig(name="mnist", validation=0.25)
    first, again, other = (load_data(config, folder, seed) for seed in (0, 0, 1))
    assert not rows(first.train) & rows(first.validation)
    assert rows(first.validation) == rows(again.validation) != rows(other.validation)
    assert first.fingerprint() == again.fingerprint() != other.fingerprint()
    assert rows(first.test) == rows(other.test)


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match=r"neither t10k-labels-idx1-ubyte nor t10k-labels-idx1-ubyte\.gz"):
        load_data(DataConfig(name="mnist"), folder, seed=0)


def test_all_missing_and_broken_files_are_named_at_once(folder: Path) -> None:
    (folder / "t10k-labels-idx1-ubyte").unlink()
    (folder / "train-labels-idx1-ubyte").write_bytes(b"broken")
    with pytest.raises(
        DataError, match=r"train-labels-idx1-ubyte: not an IDX file; .*neither t10k-labels-idx1-ubyte nor"
    ):
        load_data(DataConfig(name="mnist"), folder, seed=0)


def test_images_and_labels_of_different_counts_are_refused(folder: Path) -> None:
    (folder / "train-labels-idx1-ubyte").write_bytes(idx_file(np.zeros(3, np.uint8)))
    with pytest.raises(DataError, match="do not fit"):
        load_data(DataConfig(name="mnist"), folder, seed=0)


def test_an_unreachable_mirror_is_reported_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"could not be downloaded .*name it with --data-dir") as caught:
        download_mnist(tmp_path, mirrors=("http://127.0.0.1:9/",))
    assert "\n" not in str(caught.value)


@pytest.fixture
def mirror(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve the small files, all gzipped; yield the address and the list of requests."""
    for path in list(folder.glob("*ubyte")):
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes(), mtime=0))
        path.unlink()
    requests: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        """A handler that records requests and logs nothing."""

        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(folder))

        def do_GET(self) -> None:
            requests.append(self.path)
            super().do_GET()

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", requests
        server.shutdown()


def test_a_download_with_another_checksum_is_refused(mirror: tuple[str, list[str]], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="could not be downloaded"):
        download_mnist(tmp_path / "cache", mirrors=(mirror[0],))
    assert not list((tmp_path / "cache").glob("*.gz"))


def test_a_download_resumes_with_the_missing_files(
    mirror: tuple[str, list[str]], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, requests = mirror
    sums = {stem: hashlib.md5((folder / f"{stem}.gz").read_bytes()).hexdigest() for stem in MD5_SUMS}
    monkeypatch.setattr("training.data.readers.mnist.MD5_SUMS", sums)
    last = (folder / "t10k-labels-idx1-ubyte.gz").rename(folder / "hidden")
    monkeypatch.setattr(
        "training.data.readers.mnist.download_mnist", lambda place: download_mnist(place, mirrors=(address,))
    )
    config = DataConfig(name="mnist", validation=0.25)
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte\.gz could not be downloaded"):
        load_data(config, tmp_path / "data", seed=0)
    last.rename(folder / "t10k-labels-idx1-ubyte.gz")
    requests.clear()
    assert len(load_data(config, tmp_path / "data", seed=0).test) == 8
    assert requests == ["/t10k-labels-idx1-ubyte.gz"]
    requests.clear()
    load_data(config, tmp_path / "data", seed=0)
    assert requests == []


def test_rows_of_the_test_part_are_dropped_from_the_training_part(folder: Path) -> None:
    test_images = np.arange(8 * 784, dtype=np.uint32).astype(np.uint8).reshape(8, 28, 28)
    test_images[:, 0, 0] = range(8)
    train_images = np.random.default_rng(1).integers(0, 256, (40, 28, 28), dtype=np.uint8)
    train_images[[3, 11]] = test_images[[5, 6]]
    (folder / "t10k-images-idx3-ubyte.gz").write_bytes(idx_file(test_images))
    (folder / "train-images-idx3-ubyte.gz").write_bytes(idx_file(train_images))
    data = load_data(DataConfig(name="mnist", validation=0.25), folder, seed=0)
    assert (len(data.train), len(data.validation), len(data.test)) == (28, 10, 8)
    assert (data.findings.dropped, data.findings.duplicates) == (2, 2)
    np.testing.assert_array_equal(data.test.samples[:, 0], test_images)
    rows = {sample.tobytes() for split in (data.train, data.validation) for sample in split.samples}
    assert rows == {sample.tobytes() for sample in np.delete(train_images, [3, 11], axis=0)}


def test_rows_without_duplicates_are_split_by_a_plain_permutation(folder: Path) -> None:
    images = read_idx(folder / "train-images-idx3-ubyte.gz")
    order = np.random.default_rng(7).permutation(40)
    data = load_data(DataConfig(name="mnist", validation=0.25), folder, seed=7)
    np.testing.assert_array_equal(data.validation.samples[:, 0], images[np.sort(order[:10])])
    np.testing.assert_array_equal(data.train.samples[:, 0], images[np.sort(order[10:])])


@pytest.mark.skipif("HOURGLASS_DATA_DIR" not in os.environ, reason="needs MNIST")
def test_mnist_has_the_fingerprint_in_the_bundled_models() -> None:
    data = load_data(DataConfig(name="mnist"), Path(os.environ["HOURGLASS_DATA_DIR"]), seed=0)
    assert data.fingerprint() == "721b5b0b7a5fe4dc02413de651aefe0560c9448d2d23e4ee805b2e48bc740205"


def test_a_folder_of_the_four_files_is_recognised_as_mnist(folder: Path) -> None:
    data = load_data(DataConfig(path=str(folder), validation=0.25), None, seed=0)
    assert (data.name, len(data.train), len(data.validation), len(data.test)) == (folder.name, 30, 10, 8)
