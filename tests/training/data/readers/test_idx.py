"""IDX files: MNIST's four, others, downloads."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import os
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.manifest import ImageInput, VectorInput
from training.config import DataConfig
from training.data.dataset import Split
from training.data.load import load_data
from training.data.readers.idx import read_idx
from training.data.readers.mnist import MD5_SUMS, download_mnist
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
        images[0, 0, 0] = 255
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
    assert isinstance(data.input, ImageInput)
    assert data.input.shape == (1, 28, 28)
    assert (data.input.value_range.low, data.input.value_range.high) == (0, 1)
    assert data.test.in_users_units()[0].max() == 1.0
    assert data.classes == tuple("0123456789")
    assert data.test.labels is not None
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
        (b"\x00\x00\x0a\x01\x00\x00\x00\x01\x00", "not an IDX file"),
        (b"\x00\x00\x0d\x01\x00\x00\x00\x01\x00\x00\x00", r"expected 1 values for \(1,\), got 0\.75"),
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
    sums = {stem: hashlib.md5((folder / f"{stem}.gz").read_bytes()).hexdigest() for stem in MD5_SUMS}
    monkeypatch.setattr("training.data.readers.mnist.MD5_SUMS", sums)
    last = (folder / "t10k-labels-idx1-ubyte.gz").rename(folder / "hidden")
    monkeypatch.setattr("training.data.readers.mnist.download_mnist", lambda place: download_mnist(place, mirrors=(address,)))
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


def test_a_row_of_the_test_part_is_dropped_from_the_training_part(folder: Path) -> None:
    tested = np.arange(8 * 784, dtype=np.uint32).astype(np.uint8).reshape(8, 28, 28)
    tested[:, 0, 0] = range(8)
    trained = np.random.default_rng(1).integers(0, 256, (40, 28, 28), dtype=np.uint8)
    trained[[3, 11]] = tested[[5, 6]]
    (folder / "t10k-images-idx3-ubyte.gz").write_bytes(idx(tested))
    (folder / "train-images-idx3-ubyte.gz").write_bytes(idx(trained))
    data = load_data(DataConfig(name="mnist", validation=0.25), folder, seed=0)
    assert (len(data.train), len(data.validation), len(data.test)) == (28, 10, 8)
    assert (data.findings.dropped, data.findings.duplicates) == (2, 2)
    np.testing.assert_array_equal(data.test.samples[:, 0], tested)
    kept = {sample.tobytes() for split in (data.train, data.validation) for sample in split.samples}
    assert kept == {sample.tobytes() for sample in np.delete(trained, [3, 11], axis=0)}


def test_the_rows_of_a_set_without_duplicates_are_a_plain_permutation(folder: Path) -> None:
    images = read_idx(folder / "train-images-idx3-ubyte.gz")
    order = np.random.default_rng(7).permutation(40)
    data = load_data(DataConfig(name="mnist", validation=0.25), folder, seed=7)
    np.testing.assert_array_equal(data.validation.samples[:, 0], images[np.sort(order[:10])])
    np.testing.assert_array_equal(data.train.samples[:, 0], images[np.sort(order[10:])])


@pytest.mark.skipif("HOURGLASS_DATA_DIR" not in os.environ, reason="needs MNIST")
def test_mnist_is_what_the_bundled_models_were_trained_on() -> None:
    data = load_data(DataConfig(name="mnist"), Path(os.environ["HOURGLASS_DATA_DIR"]), seed=0)
    assert data.fingerprint() == "721b5b0b7a5fe4dc02413de651aefe0560c9448d2d23e4ee805b2e48bc740205"


def test_a_folder_of_the_four_files_has_its_own_test_part(folder: Path) -> None:
    data = load_data(DataConfig(path=str(folder), validation=0.25), None, seed=0)
    assert (data.name, len(data.train), len(data.validation), len(data.test)) == (folder.name, 30, 10, 8)


@pytest.mark.parametrize(
    ("code", "packing", "numbers"),
    [
        (0x08, "B", [0, 255]),
        (0x09, "b", [-128, 127]),
        (0x0B, "h", [-300, 300]),
        (0x0C, "i", [-70000, 70000]),
        (0x0D, "f", [-0.5, 1.5]),
        (0x0E, "d", [-0.25, 1e30]),
    ],
)
def test_every_type_of_number_is_read_from_big_endian(
    tmp_path: Path, code: int, packing: str, numbers: list[float]
) -> None:
    path = tmp_path / "numbers"
    path.write_bytes(struct.pack(">BBBBI", 0, 0, code, 1, 2) + struct.pack(f">2{packing}", *numbers))
    assert read_idx(path).tolist() == numbers


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_one_file_may_have_its_labels_in_another_one_beside_it(tmp_path: Path, suffix: str) -> None:
    matrix = struct.pack(">BBBB2I", 0, 0, 0x0B, 2, 12, 2) + struct.pack(">24h", *range(24))
    (tmp_path / f"rows.bin{suffix}").write_bytes(gzip.compress(matrix) if suffix else matrix)
    (tmp_path / "kinds.idx").write_bytes(idx(np.array([4, 2] * 6, np.uint8)))
    data = load_data(DataConfig(path=f"rows.bin{suffix}", label="kinds.idx", kind="vector"), tmp_path, seed=0)
    assert isinstance(data.input, VectorInput)
    assert data.input.shape == (2,)
    assert data.classes == ("2", "4")
    assert data.train.samples.dtype == np.int16
    for split in (data.train, data.validation, data.test):
        assert split.labels is not None
        assert split.labels.tolist() == [1 - row[0] // 2 % 2 for row in split.samples.tolist()]
