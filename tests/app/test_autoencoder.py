"""One autoencoder: values by hand, checks, seeds, chunks."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest

from app.engine import autoencoder as engine
from app.engine.autoencoder import Autoencoder
from app.engine.repository import load_version
from app.errors import (
    EmptyBatch,
    InvalidModel,
    InvalidParameter,
    NotFinite,
    OutOfRange,
    ServiceError,
    UnsupportedTask,
    WrongShape,
)
from app.manifest import ENCODER
from tests.helpers import tiny

Array = npt.NDArray[np.float32]


def array(values: object) -> Array:
    """float32."""
    return np.array(values, np.float32)


@pytest.fixture(scope="module")
def ae(tiny_models: Path) -> Autoencoder:
    """Deterministic."""
    return load_version(tiny_models / "tiny-ae" / "1", "tiny-ae", 1)


@pytest.fixture(scope="module")
def vae(tiny_models: Path) -> Autoencoder:
    """Gaussian: standard deviation 1/2."""
    return load_version(tiny_models / "tiny-vae" / "1", "tiny-vae", 1)


@pytest.fixture(scope="module")
def table(tiny_models: Path) -> Autoencoder:
    """Of vectors, without a range."""
    return load_version(tiny_models / "tiny-table" / "1", "tiny-table", 1)


def test_encode_decode_reconstruct(ae: Autoencoder) -> None:
    samples = array([[[[0.25, 0.75], [0.5, 0]]]])
    assert ae.encode(samples).tolist() == [[1.0, 0.5]]
    assert ae.decode(array([[1, 0.5]])).tolist() == [[[[0.5, 0.5], [0.25, 0.25]]]]
    result = ae.reconstruct(samples)
    assert result.samples.tolist() == [[[[0.5, 0.5], [0.25, 0.25]]]]
    assert result.errors.tolist() == [(0.25**2 * 4) / 4]


@pytest.mark.parametrize("shape", [(4,), (2, 2), (1, 2, 2)])
def test_samples_may_come_flat_or_without_their_one_channel(ae: Autoencoder, shape: tuple[int, ...]) -> None:
    samples = array([0.25, 0.75, 0.5, 0]).reshape(1, *shape)
    assert ae.encode(samples).tolist() == [[1.0, 0.5]]


@pytest.mark.parametrize(
    ("samples", "error", "message"),
    [
        (np.zeros((0, 4)), EmptyBatch, "at least one row"),
        (np.zeros((2, 3)), WrongShape, "expected shape [rows, 1, 2, 2] or [rows, 4] or [rows, 2, 2], got [2, 3]"),
        (np.zeros(4), WrongShape, "one row alone must still be in a list"),
        ([[0, 0, np.nan, 0]], NotFinite, "got nan at [0, 2]"),
        ([[0, 0, 0, 0], [0, np.inf, 0, 0]], NotFinite, "got inf at [1, 1]"),
        ([[0, 0, 1.5, 0]], OutOfRange, "expected numbers from 0 to 1, got 0.0 to 1.5"),
        ([[0, -0.5, 0, 0]], OutOfRange, "got -0.5 to 0.0"),
    ],
)
def test_wrong_samples_are_named(ae: Autoencoder, samples: object, error: type[ServiceError], message: str) -> None:
    with pytest.raises(error) as caught:
        ae.encode(array(samples))
    assert message in caught.value.detail


def test_wrong_latents_are_named(ae: Autoencoder) -> None:
    with pytest.raises(WrongShape, match=r"latents: expected shape \[rows, 2\], got \[1, 3\]"):
        ae.decode(array([[1, 2, 3]]))


def test_a_table_has_no_range_but_must_stay_finite(table: Autoencoder) -> None:
    assert table.encode(array([[1e6, 1, -5, 2]])).tolist() == [[1000001.0, -3.0]]
    with pytest.raises(NotFinite, match="lead to infinite latents"):
        table.encode(array([[3e38, 3e38, 0, 0]]))


def test_tasks_that_the_model_has_not_are_refused(ae: Autoencoder, vae: Autoencoder) -> None:
    with pytest.raises(UnsupportedTask, match="cannot generate; it can encode, decode, reconstruct, interpolate"):
        ae.generate(1, seed=0)
    with pytest.raises(UnsupportedTask, match="cannot denoise"):
        vae.denoise(array([[0, 0, 0, 0]]))


def test_more_samples_leave_the_first_as_they_were(vae: Autoencoder) -> None:
    few, many = vae.generate(3, seed=5), vae.generate(300, seed=5)
    np.testing.assert_allclose(many[:3], few, atol=1e-6)
    assert not np.allclose(vae.generate(3, seed=6), few)


def test_the_prior_is_standard_normal_and_the_temperature_scales_it(vae: Autoencoder) -> None:
    draws = vae.draw_latents(20_000, seed=0)
    np.testing.assert_allclose(draws.mean(axis=0), 0, atol=0.03)
    np.testing.assert_allclose(draws.std(axis=0), 1, atol=0.03)
    np.testing.assert_allclose(vae.draw_latents(5, seed=0, temperature=0.5), draws[:5] / 2)
    assert not vae.draw_latents(5, seed=0, temperature=0).any()


def test_the_posterior_is_drawn_with_its_own_deviation(vae: Autoencoder) -> None:
    posterior = vae.posterior(np.zeros((20_000, 4), np.float32))
    draws = posterior.sample(seed=1)
    np.testing.assert_allclose(draws.mean(axis=0), 0, atol=0.02)
    np.testing.assert_allclose(draws.std(axis=0), math.exp(tiny.LOGVAR / 2), atol=0.02)
    np.testing.assert_array_equal(vae.posterior(np.zeros((2, 4), np.float32)).sample(seed=1), draws[:2])


def test_encode_is_the_mean_and_not_random(vae: Autoencoder) -> None:
    samples = array([[0.25, 0.75, 0.5, 0]])
    assert vae.encode(samples).tolist() == vae.encode(samples).tolist() == [[1.0, 0.5]]


def test_interpolation_is_a_straight_line_with_both_ends(ae: Autoencoder) -> None:
    ends = array([[0, 0, 0, 0], [1, 1, 0.5, 0.5]])
    along = ae.interpolate(ends, steps=3).reshape(3, 4)
    assert along.tolist() == [[0, 0, 0, 0], [0.5, 0.5, 0.25, 0.25], [1, 1, 0.5, 0.5]]
    with pytest.raises(WrongShape, match="expected 2 samples to interpolate between, got 3"):
        ae.interpolate(np.zeros((3, 4), np.float32), steps=3)


def test_a_large_batch_is_split_and_put_together_in_order(ae: Autoencoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "CHUNK", 4)
    samples = np.linspace(0, 1, 4 * 11, dtype=np.float32).reshape(11, 4)
    pairs = np.stack([samples[:, 0] + samples[:, 1], samples[:, 2] + samples[:, 3]], axis=1)
    np.testing.assert_allclose(ae.encode(samples), pairs, rtol=1e-6)


def test_a_row_does_not_depend_on_its_batch(bundled: Path) -> None:
    model = load_version(bundled / "mnist-vae" / "1", "mnist-vae", 1)
    samples = np.random.default_rng(0).random((64, 1, 28, 28)).astype(np.float32)
    together = model.encode(samples)
    alone = np.concatenate([model.encode(sample[None]) for sample in samples])
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("noise", ["gaussian", "masking", "salt-and-pepper"])
def test_noise_stays_in_range_and_is_prefix_stable(ae: Autoencoder, noise: str) -> None:
    samples = np.full((50, 4), 0.5, np.float32)
    noisy = ae.corrupt(samples, noise, 0.4, seed=3)  # type: ignore[arg-type]
    assert noisy.min() >= 0
    assert noisy.max() <= 1
    assert not np.array_equal(noisy, samples.reshape(noisy.shape))
    np.testing.assert_array_equal(ae.corrupt(samples[:7], noise, 0.4, seed=3), noisy[:7])  # type: ignore[arg-type]


def test_the_share_of_masked_and_salted_numbers_is_the_amount(table: Autoencoder, ae: Autoencoder) -> None:
    samples = np.full((20_000, 4), 0.5, np.float32)
    masked = ae.corrupt(samples, "masking", 0.3, seed=0)
    assert (masked == 0).mean() == pytest.approx(0.3, abs=0.01)
    salted = ae.corrupt(samples, "salt-and-pepper", 0.3, seed=0)
    assert (salted == 0).mean() == pytest.approx(0.15, abs=0.01)
    assert (salted == 1).mean() == pytest.approx(0.15, abs=0.01)
    with pytest.raises(InvalidParameter, match="no value range"):
        table.corrupt(samples, "gaussian", 0.3, seed=0)


def test_gaussian_noise_has_the_deviation_that_was_asked_for(ae: Autoencoder) -> None:
    noisy = ae.corrupt(np.full((20_000, 4), 0.5, np.float32), "gaussian", 0.1, seed=0)
    assert float(noisy.std()) == pytest.approx(0.1, abs=0.002)


def test_a_graph_with_other_names_shapes_or_a_fixed_batch_is_refused(tmp_path: Path) -> None:
    folder = tiny.write_version(tmp_path)
    onnx.save(tiny.encoder_graph((4,), variational=False), folder / ENCODER)
    tiny.write_manifest(folder, "tiny", 1, "autoencoder")
    with pytest.raises(
        InvalidModel, match=r"the inputs samples float \[1, 2, 2\] for each row, found samples float \[4\]"
    ):
        load_version(folder, "tiny", 1)
    node = onnx.helper.make_node("Flatten", ["samples"], ["flat"])
    pool = onnx.numpy_helper.from_array(tiny.POOL, "pool")
    product = onnx.helper.make_node("MatMul", ["flat", "pool"], ["latents"])
    fixed = tiny.graph([node, product], [("samples", (1, 2, 2))], [("latents", (2,))], [pool], batch=3)
    onnx.save(fixed, folder / ENCODER)
    tiny.write_manifest(folder, "tiny", 1, "autoencoder")
    with pytest.raises(InvalidModel, match="symbolic batch axis"):
        load_version(folder, "tiny", 1)
