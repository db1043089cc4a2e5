"""Reading MNIST's files, splitting, downloading."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.batches import Batches, Rows, batches
from training.config import DataConfig
from training.data import MNIST_FILES, DataSet, Split, download_mnist, load_data, read_idx
from training.errors import DataError


def idx(array: np.ndarray) -> bytes:
    """An IDX file of unsigned bytes."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four small files named as MNIST's, two of them gzipped."""
    random = np.random.default_rng(0)
    for part, rows in (("train", 40), ("t10k", 8)):
        images = random.integers(0, 256, (rows, 28, 28), dtype=np.uint8)
        images[0] = 255
        (tmp_path / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images)))
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(idx(np.arange(rows, dtype=np.uint8) % 10))
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
    assert data.input.shape == (1, 28, 28)
    assert (data.input.value_range.low, data.input.value_range.high) == (0, 1)
    assert data.test.in_users_units()[0].max() == 1.0
    assert data.test.labels.tolist() == list(range(8))


def test_validation_rows_are_drawn_from_the_training_part_with_the_seed(folder: Path) -> None:
    def rows(split: Split) -> set[bytes]:
        return {sample.tobytes() for sample in split.samples}

    config = DataConfig(name="mnist", validation=0.25)
    first, again, other = (load_data(config, folder, seed) for seed in (0, 0, 1))
    assert not rows(first.train) & rows(first.validation)
    assert rows(first.validation) == rows(again.validation) != rows(other.validation)
    assert first.fingerprint() == again.fingerprint() != other.fingerprint()
    assert rows(first.test) == rows(other.test)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "not an IDX file"),
        (b"\x00\x00\x0d\x01\x00\x00\x00\x01\x00\x00\x00\x00", "not an IDX file of unsigned bytes"),
        (b"\x00\x00\x08\x03\x00\x00", "header is cut short"),
        (idx(np.zeros((3, 2, 2), np.uint8))[:-1], r"expected 12 values for \(3, 2, 2\), got 11"),
        (idx(np.zeros((3, 2, 2), np.uint8)) + b"x", "got 13"),
        (gzip.compress(idx(np.zeros(3, np.uint8)))[:-6], "cannot be read"),
        (struct.pack(">BBBB3I", 0, 0, 8, 3, 2**31, 2**31, 2**31), "got 0"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(content)
    with pytest.raises(DataError, match=complaint) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_of_the_four_is_named(folder: Path) -> None:
    (folder / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match=r"neither t10k-labels-idx1-ubyte nor t10k-labels-idx1-ubyte\.gz"):
        load_data(DataConfig(name="mnist"), folder, seed=0)


def test_images_and_labels_must_fit(folder: Path) -> None:
    (folder / "train-labels-idx1-ubyte").write_bytes(idx(np.zeros(3, np.uint8)))
    with pytest.raises(DataError, match="do not fit"):
        load_data(DataConfig(name="mnist"), folder, seed=0)


def test_no_network_is_one_clear_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"could not be downloaded .*name it with --data-dir") as caught:
        download_mnist(tmp_path, mirrors=("http://127.0.0.1:9/",))
    assert "\n" not in str(caught.value)


@pytest.fixture
def mirror(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """A mirror of the small files, all gzipped, and the requests that it got."""
    for path in list(folder.glob("*ubyte")):
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    requests: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        """Counts."""

        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(folder))

        def do_GET(self) -> None:
            requests.append(self.path)
            super().do_GET()

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", requests
        server.shutdown()


def test_a_download_that_is_not_mnist_is_refused(mirror: tuple[str, list[str]], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="could not be downloaded"):
        download_mnist(tmp_path / "cache", mirrors=(mirror[0],))
    assert not list((tmp_path / "cache").glob("*.gz"))


def test_each_file_is_fetched_once_and_a_broken_download_goes_on(
    mirror: tuple[str, list[str]], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, requests = mirror
    sums = {stem: hashlib.md5((folder / f"{stem}.gz").read_bytes()).hexdigest() for stem in MNIST_FILES}
    monkeypatch.setattr("training.data.MNIST_FILES", sums)
    last = (folder / "t10k-labels-idx1-ubyte.gz").rename(folder / "hidden")
    monkeypatch.setattr("training.data.download_mnist", lambda place: download_mnist(place, mirrors=(address,)))
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


def test_the_parts_of_the_digits_are_disjoint(digits: DataSet) -> None:
    parts = [{sample.tobytes() for sample in split.samples} for split in (digits.train, digits.validation, digits.test)]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 1797
    assert digits.input.value_range.high == 16
    assert digits.train.samples.max() == 16


def test_every_row_comes_once_an_epoch_in_another_order_each_time() -> None:
    order = Batches(10, batch_size=4, seed=3)
    epochs = []
    for epoch in (0, 1, 0):
        order.set_epoch(epoch)
        chunks = list(order)
        assert [len(chunk) for chunk in chunks] == [4, 4, 2]
        epochs.append([row for chunk in chunks for row in chunk])
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(10))
    assert epochs[0] == epochs[2] != epochs[1]
    assert [row for chunk in Batches(10, 4, seed=None) for row in chunk] == list(range(10))


def test_batches_are_in_the_users_units() -> None:
    split = Split(np.full((6, 1, 2, 2), 51, np.uint8), np.zeros(6, np.int64), 1 / 255)
    loaded = list(batches(split, 4, seed=None))
    assert [tuple(batch.shape) for batch in loaded] == [(4, 1, 2, 2), (2, 1, 2, 2)]
    assert loaded[0].max().item() == pytest.approx(0.2)
    assert len(Rows(split)) == 6
