"""Golden samples: a version whose outputs differ from the stored ones is refused."""

from __future__ import annotations

import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from app.engine.autoencoder import Autoencoder
from app.engine.golden import check_golden, golden_samples, read_golden
from app.engine.repository import load_version
from app.errors import InvalidModel
from app.manifest import GOLDEN, Manifest
from tests.helpers import tiny
from tests.helpers.tiny import LABELS

MEBIBYTE = 1024 * 1024


def test_golden_samples_that_differ_are_refused(tmp_path: Path) -> None:
    folder = tiny.write_version(tmp_path, golden_offset=0.01)
    with pytest.raises(InvalidModel, match="reconstructions differ from those that were stored"):
        load_version(folder, "tiny", 1)


def test_golden_samples_may_differ_as_processors_do(tmp_path: Path) -> None:
    load_version(tiny.write_version(tmp_path, golden_offset=1e-4), "tiny", 1)  # does not raise


def test_a_wrong_logvar_is_refused(tmp_path: Path) -> None:
    folder = tiny.write_version(tmp_path, family="variational-autoencoder")
    arrays = read_golden(folder, Manifest.read(folder))
    np.savez(folder / GOLDEN, allow_pickle=False, **{**arrays, "logvar": arrays["logvar"] + 1})
    with pytest.raises(InvalidModel, match="logvar differ from those that were stored"):
        check_golden(Autoencoder.open(folder, Manifest.read(folder)), folder)


@pytest.mark.parametrize(
    ("denoised", "reason"),
    [(np.full((3, 1, 2, 2), 0.1), "denoised differ from those that were stored"), (None, "golden.npz lacks denoised")],
)
def test_a_denoiser_must_give_its_golden_samples(
    tmp_path: Path, denoised: npt.NDArray[np.float64] | None, reason: str
) -> None:
    folder = tiny.write_version(tmp_path, family="denoising-autoencoder", denoiser=True)
    load_version(folder, "tiny", 1)
    arrays = {name: rows for name, rows in read_golden(folder, Manifest.read(folder)).items() if name != "denoised"}
    np.savez(folder / GOLDEN, allow_pickle=False, **arrays, **({} if denoised is None else {"denoised": denoised}))
    tiny.write_manifest(folder, "tiny", 1, "denoising-autoencoder")
    with pytest.raises(InvalidModel, match=reason):
        load_version(folder, "tiny", 1)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"draws": np.ones((3, 2))}, "draws differ from those that were stored"),
        ({"draws": None}, "golden.npz lacks draws"),
        ({"noise": None}, "golden.npz lacks noise"),
        ({"noise": np.full((3, 3), np.inf)}, "expected numbers that the model can calculate with"),
        ({"noise": np.zeros((3, 2))}, "noise: expected numbers of shape"),
    ],
)
@pytest.mark.parametrize("labels", [(), LABELS])
def test_a_prior_must_give_its_golden_draws(
    tmp_path: Path, labels: tuple[str, ...], changes: dict[str, npt.NDArray[np.float64] | None], reason: str
) -> None:
    folder = tiny.write_version(tmp_path, labels=labels, prior=True)
    load_version(folder, "tiny", 1)
    arrays = {**read_golden(folder, Manifest.read(folder)), **changes}
    np.savez(folder / GOLDEN, allow_pickle=False, **{name: rows for name, rows in arrays.items() if rows is not None})
    tiny.write_manifest(folder, "tiny", 1, "autoencoder", labels=labels)
    with pytest.raises(InvalidModel, match=reason):
        load_version(folder, "tiny", 1)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"score": np.array([0, 4, 1])}, "score differ from those that were stored"),
        ({"p_value": np.array([1, 0.3, 0.5])}, "p_value differ from those that were stored"),
        ({"attribution": np.zeros((3, 1, 2, 2))}, "attribution differ from those that were stored"),
        ({"score": None}, "golden.npz lacks score"),
        ({"p_value": None, "attribution": None}, "golden.npz lacks attribution, p_value"),
        ({"score": np.zeros((3, 1))}, "score: expected numbers of shape"),
    ],
)
def test_a_scorer_must_give_its_golden_outputs(
    tmp_path: Path, changes: dict[str, npt.NDArray[np.float64] | None], reason: str
) -> None:
    folder = tiny.write_version(tmp_path, labels=LABELS, scorer=True)
    load_version(folder, "tiny", 1)
    arrays = {**read_golden(folder, Manifest.read(folder)), **changes}
    np.savez(folder / GOLDEN, allow_pickle=False, **{name: rows for name, rows in arrays.items() if rows is not None})
    tiny.write_manifest(folder, "tiny", 1, "autoencoder", labels=LABELS)
    with pytest.raises(InvalidModel, match=reason):
        load_version(folder, "tiny", 1)


def test_a_golden_p_value_may_differ_by_one_calibration_row(tmp_path: Path) -> None:
    folder = tiny.write_version(tmp_path, scorer=True)
    arrays = read_golden(folder, Manifest.read(folder))
    np.savez(folder / GOLDEN, allow_pickle=False, **{**arrays, "p_value": np.array([1, 0.4, 0.8])})
    tiny.write_manifest(folder, "tiny", 1, "autoencoder")
    load_version(folder, "tiny", 1)  # does not raise


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (np.array([0, 0, 2]), "reconstructions differ from those that were stored"),
        (np.array([0, 0, 3]), "expected 0 to 2, got 0 to 3"),
        (None, "golden.npz lacks labels"),
    ],
)
def test_golden_samples_are_decoded_with_their_labels(
    tmp_path: Path, labels: npt.NDArray[np.int64] | None, reason: str
) -> None:
    folder = tiny.write_version(tmp_path, kind=tiny.TABLE, labels=LABELS)
    with np.load(folder / GOLDEN) as archive:
        arrays = {name: archive[name] for name in archive.files if name != "labels"}
    np.savez(folder / GOLDEN, allow_pickle=False, **arrays, **({} if labels is None else {"labels": labels}))
    tiny.write_manifest(folder, "tiny", 1, "autoencoder", tiny.TABLE, LABELS)
    with pytest.raises(InvalidModel, match=reason):
        load_version(folder, "tiny", 1)


def test_golden_samples_are_seeded_and_within_the_unit_interval() -> None:
    samples = golden_samples((3, 4, 5))
    assert samples.shape == (8, 3, 4, 5)
    assert samples.dtype == np.float32
    assert (samples.min(), samples.max()) == (0, 1)
    assert not samples[0].any()
    assert samples[1].all()
    np.testing.assert_array_equal(golden_samples((3, 4, 5)), samples)


@pytest.mark.parametrize("content", [b"PK", b"garbage"])
def test_an_archive_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes) -> None:
    folder = tiny.write_version(tmp_path)
    (folder / GOLDEN).write_bytes(content)
    with pytest.raises(InvalidModel, match=r"golden\.npz cannot be read"):
        read_golden(folder, Manifest.read(folder))


def write_bomb(folder: Path, declared: str, size: int) -> None:
    """Write samples of zeros, whose header declares a shape, as an archive that is a thousand times smaller."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {declared}}}".encode()
    with (
        zipfile.ZipFile(folder / GOLDEN, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("samples.npy", "w", force_zip64=True) as file,
    ):
        file.write(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
        for _ in range(size // MEBIBYTE):
            file.write(bytes(MEBIBYTE))


@pytest.mark.parametrize(
    ("declared", "size", "reason"),
    [
        ("(65, 1, 2, 2)", 0, r"samples: expected numbers of shape \[1 to 64, 1, 2, 2\], got float32 of shape \[65"),
        ("(1, 2, 2)", 0, r"got float32 of shape \[1, 2, 2\]"),
        ("()", 0, r"got float32 of shape \[\]"),
        ("(4194304, 1, 2, 2)", 64 * MEBIBYTE, "samples: expected at most 12288 bytes, got 671"),
        ("(1, 1, 2, 2)", 0, "cannot be read"),
    ],
    ids=["rows", "axes", "scalar", "bomb", "short"],
)
def test_arrays_of_another_size_are_refused_before_they_are_decompressed(
    tmp_path: Path, declared: str, size: int, reason: str
) -> None:
    folder = tiny.write_version(tmp_path)
    write_bomb(folder, declared, size)
    manifest = Manifest.read(folder)
    tracemalloc.start()
    with pytest.raises(InvalidModel, match=reason):
        read_golden(folder, manifest)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < MEBIBYTE


def test_a_header_of_another_length_is_not_read(tmp_path: Path) -> None:
    folder = tiny.write_version(tmp_path)
    with zipfile.ZipFile(folder / GOLDEN, "w") as archive:
        archive.writestr("samples.npy", b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + bytes(100))
    with pytest.raises(InvalidModel, match="cannot be read"):
        read_golden(folder, Manifest.read(folder))
