"""One autoencoder: values computed by hand, checks, seeds, labels, and bounded runs."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.arrays import Rows
from app.engine.autoencoder import MAX_RUN_ROWS, Autoencoder
from app.engine.repository import load_version
from app.engine.session import open_session
from app.errors import (
    EmptyBatch,
    InvalidParameter,
    NotFinite,
    OutOfRange,
    ServiceError,
    UnsupportedTask,
    WrongShape,
)
from app.inputs import ImageInput, ValueRange
from app.manifest import DECODER, ENCODER, Manifest
from tests.helpers import tiny
from tests.helpers.arrays import array


@pytest.fixture(scope="module")
def ae(tiny_models: Path) -> Autoencoder:
    """Load a deterministic model."""
    return load_version(tiny_models / "tiny-ae" / "1", "tiny-ae", 1)


@pytest.fixture(scope="module")
def vae(tiny_models: Path) -> Autoencoder:
    """Load a variational model whose posterior has the standard deviation 1/2."""
    return load_version(tiny_models / "tiny-vae" / "1", "tiny-vae", 1)


@pytest.fixture(scope="module")
def table(tiny_models: Path) -> Autoencoder:
    """Load a model of vectors, which have no value range."""
    return load_version(tiny_models / "tiny-table" / "1", "tiny-table", 1)


def test_encode_decode_and_reconstruct_return_the_computed_values(ae: Autoencoder) -> None:
    samples = array([[[[0.25, 0.75], [0.5, 0]]]])
    assert ae.encode(samples).tolist() == [[1.0, 0.5]]
    assert ae.decode(array([[1, 0.5]])).tolist() == [[[[0.5, 0.5], [0.25, 0.25]]]]
    result = ae.reconstruct(samples)
    assert result.samples.tolist() == [[[[0.5, 0.5], [0.25, 0.25]]]]
    assert result.errors.tolist() == [(0.25**2 * 4) / 4]


def test_a_denoiser_answers_denoise_and_leaves_the_other_tasks_to_the_pair(tmp_path: Path) -> None:
    folder = tiny.write_version(tmp_path, family="denoising-autoencoder", denoiser=True)
    model, samples = load_version(folder, "tiny", 1), array([[[[0.25, 0.75], [0.5, 0]]]])
    assert model.denoise(samples).tolist() == [[[[0.125, 0.375], [0.25, 0]]]]
    assert model.encode(samples).tolist() == [[1.0, 0.5]]
    assert model.reconstruct(samples).samples.tolist() == [[[[0.5, 0.5], [0.25, 0.25]]]]
    with pytest.raises(InvalidParameter, match="not conditional"):
        model.denoise(samples, "low")


@pytest.mark.parametrize("shape", [(4,), (2, 2), (1, 2, 2)])
def test_samples_may_be_flat_or_lack_their_only_channel(ae: Autoencoder, shape: tuple[int, ...]) -> None:
    samples = array([0.25, 0.75, 0.5, 0]).reshape(1, *shape)
    assert ae.encode(samples).tolist() == [[1.0, 0.5]]


@pytest.mark.parametrize(
    ("samples", "error", "message"),
    [
        (np.zeros((0, 4)), EmptyBatch, "at least one row"),
        (np.zeros((2, 3)), WrongShape, "expected shape [rows, 1, 2, 2] or [rows, 4] or [rows, 2, 2], got [2, 3]"),
        (np.zeros(4), WrongShape, "a single row must still be in a list"),
        ([[0, 0, np.nan, 0]], NotFinite, "got nan at [0, 2]"),
        ([[0, 0, 0, 0], [0, np.inf, 0, 0]], NotFinite, "got inf at [1, 1]"),
        ([[0, 0, 1.5, 0]], OutOfRange, "expected numbers from 0 to 1, got 0.0 to 1.5"),
        ([[0, -0.5, 0, 0]], OutOfRange, "got -0.5 to 0.0"),
    ],
)
def test_wrong_samples_are_refused(ae: Autoencoder, samples: object, error: type[ServiceError], message: str) -> None:
    with pytest.raises(error) as caught:
        ae.encode(array(samples))
    assert message in caught.value.detail


def test_wrong_latents_are_refused(ae: Autoencoder) -> None:
    with pytest.raises(WrongShape, match=r"latents: expected shape \[rows, 2\], got \[1, 3\]"):
        ae.decode(array([[1, 2, 3]]))


def test_a_table_has_no_range_but_must_be_finite(table: Autoencoder) -> None:
    assert table.encode(array([[1e6, 1, -5, 2]])).tolist() == [[1000001.0, -3.0]]
    with pytest.raises(NotFinite, match="lead to infinite latents"):
        table.encode(array([[3e38, 3e38, 0, 0]]))


def test_unsupported_tasks_are_refused(ae: Autoencoder, vae: Autoencoder) -> None:
    with pytest.raises(UnsupportedTask, match="cannot generate; it can encode, decode, reconstruct, interpolate"):
        ae.generate(1, seed=0)
    with pytest.raises(UnsupportedTask, match="cannot denoise"):
        vae.denoise(array([[0, 0, 0, 0]]))


def test_a_larger_count_does_not_change_the_first_samples(vae: Autoencoder) -> None:
    few, many = vae.generate(3, seed=5), vae.generate(300, seed=5)
    np.testing.assert_allclose(many[:3], few, atol=1e-6)
    assert not np.allclose(vae.generate(3, seed=6), few)


def test_the_prior_is_standard_normal_and_the_temperature_scales_it(vae: Autoencoder) -> None:
    draws = vae.prior.run(vae.prior.noise(20_000, seed=0))
    np.testing.assert_allclose(draws.mean(axis=0), 0, atol=0.03)
    np.testing.assert_allclose(draws.std(axis=0), 1, atol=0.03)
    np.testing.assert_allclose(vae.prior.noise(5, seed=0, temperature=0.5), draws[:5] / 2)
    assert not vae.prior.noise(5, seed=0, temperature=0).any()


def test_draws_from_the_posterior_have_its_deviation(vae: Autoencoder) -> None:
    posterior = vae.posterior(np.zeros((20_000, 4), np.float32))
    draws = posterior.sample(seed=1)
    np.testing.assert_allclose(draws.mean(axis=0), 0, atol=0.02)
    np.testing.assert_allclose(draws.std(axis=0), math.exp(tiny.LOGVAR / 2), atol=0.02)
    np.testing.assert_array_equal(vae.posterior(np.zeros((2, 4), np.float32)).sample(seed=1), draws[:2])


def test_encode_returns_the_mean_every_time(vae: Autoencoder) -> None:
    samples = array([[0.25, 0.75, 0.5, 0]])
    assert vae.encode(samples).tolist() == vae.encode(samples).tolist() == [[1.0, 0.5]]


def test_interpolation_follows_a_straight_line_between_both_ends(ae: Autoencoder) -> None:
    ends = array([[0, 0, 0, 0], [1, 1, 0.5, 0.5]])
    line = ae.interpolate(ends, steps=3).reshape(3, 4)
    assert line.tolist() == [[0, 0, 0, 0], [0.5, 0.5, 0.25, 0.25], [1, 1, 0.5, 0.5]]
    with pytest.raises(WrongShape, match="expected 2 samples to interpolate between, got 3"):
        ae.interpolate(np.zeros((3, 4), np.float32), steps=3)


def test_a_large_batch_is_split_and_joined_in_order(ae: Autoencoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ae, "rows_per_run", 4)
    samples = np.linspace(0, 1, 4 * 11, dtype=np.float32).reshape(11, 4)
    pairs = np.stack([samples[:, 0] + samples[:, 1], samples[:, 2] + samples[:, 3]], axis=1)
    np.testing.assert_allclose(ae.encode(samples), pairs, rtol=1e-6)


def test_a_row_does_not_depend_on_its_batch(bundled: Path) -> None:
    model = load_version(bundled / "mnist-vae" / "1", "mnist-vae", 1)
    samples = np.random.default_rng(0).random((64, 1, 28, 28)).astype(np.float32)
    together = model.encode(samples)
    apart = np.concatenate([model.encode(sample[None]) for sample in samples])
    np.testing.assert_allclose(together, apart, rtol=1e-4, atol=1e-5)


def test_noise_needs_a_value_range(table: Autoencoder, ae: Autoencoder) -> None:
    samples = np.full((2, 4), 0.5, np.float32)
    assert not ae.corrupt(samples, "masking", 1, seed=0).any()
    with pytest.raises(InvalidParameter, match="no value range"):
        table.corrupt(samples, "gaussian", 0.3, seed=0)


class CountingSession:
    """A session that records the rows of its runs."""

    def __init__(self, path: Path) -> None:
        self.session, self.rows = open_session(path, threads=1), list[int]()
        self.get_inputs, self.get_outputs = self.session.get_inputs, self.session.get_outputs

    def run(self, outputs: list[str], inputs: dict[str, Rows], options: Any) -> Any:
        """Run the graph."""
        self.rows += [len(array) for array in inputs.values()]
        return self.session.run(outputs, inputs, options)


@pytest.mark.parametrize(
    ("shape", "count", "runs"),
    [((3, 256, 256), 18, [5, 5, 5, 3]), ((1, 256, 256), 18, [16, 2]), ((3, 8, 8), 300, [256, 44])],
)
def test_a_run_is_bounded_in_numbers_and_in_rows(
    tmp_path: Path, shape: tuple[int, int, int], count: int, runs: list[int]
) -> None:
    """Use at most 2^20 numbers and 256 rows: 5 RGB images of 256 x 256 have 983 040 numbers, and 6 have too many."""
    kind = ImageInput(shape=shape, value_range=ValueRange(low=0, high=1))
    folder = tiny.write_mirror(tmp_path, "mirror", kind)
    decoder = CountingSession(folder / DECODER)
    model = Autoencoder(Manifest.read(folder), open_session(folder / ENCODER, threads=1), decoder)
    latents = np.zeros((count, model.manifest.latent_dim), np.float32)
    latents[:, 0] = np.arange(count)
    np.testing.assert_array_equal(model.decode(latents).reshape(count, -1)[:, 0], np.arange(count))
    assert decoder.rows == runs


@pytest.fixture(scope="module")
def conditional(conditional_models: Path) -> Autoencoder:
    """Load a conditional model of vectors."""
    return load_version(conditional_models / "table" / "1", "table", 1)


@pytest.fixture(scope="module")
def conditional_vae(conditional_models: Path) -> Autoencoder:
    """Load a conditional and variational model."""
    return load_version(conditional_models / "vae" / "1", "vae", 1)


def test_each_label_leads_to_its_own_samples(conditional: Autoencoder) -> None:
    latents = array([[1, 0.5], [8, 2]])
    assert conditional.decode(latents, "low").tolist() == [[0.5, 0.5, 0.25, 0.25], [4, 4, 1, 1]]
    assert conditional.decode(latents, "high").tolist() == [[1, 1, 0.75, 0.75], [4.5, 4.5, 1.5, 1.5]]


def test_a_reconstruction_and_its_error_depend_on_the_label(conditional: Autoencoder) -> None:
    result = conditional.reconstruct(array([[1, 1, 0, 0]]), "middle & up")
    assert result.samples.tolist() == [[1.25, 1.25, 0.25, 0.25]]
    assert result.errors.tolist() == [0.0625]


def test_an_interpolation_has_the_same_label_in_every_step(conditional: Autoencoder) -> None:
    line = conditional.interpolate(array([[0, 0, 0, 0], [1, 1, 0, 0]]), 3, "high")
    assert line.tolist() == [[0.5] * 4, [1, 1, 0.5, 0.5], [1.5, 1.5, 0.5, 0.5]]


def test_a_denoiser_takes_a_label(conditional_models: Path) -> None:
    model = load_version(conditional_models / "sdae" / "1", "sdae", 1)
    assert model.denoise(array([[0.25, 0.75, 0.5, 0]]), "middle & up").ravel().tolist() == [0.75, 0.75, 0.5, 0.5]


def test_a_seed_draws_the_same_standard_normal_latents_under_every_label(conditional_vae: Autoencoder) -> None:
    low, high = conditional_vae.generate(5, seed=3, label="low"), conditional_vae.generate(5, seed=3, label="high")
    halves = np.repeat(conditional_vae.prior.noise(5, seed=3) / 2, 2, axis=1)
    np.testing.assert_allclose(low, halves, rtol=1e-6)
    np.testing.assert_allclose(high, halves + 0.5, rtol=1e-6)
    np.testing.assert_allclose(conditional_vae.generate(2, seed=3, label="high"), high[:2], rtol=1e-6)


def test_rows_may_differ_in_their_labels_across_runs(conditional: Autoencoder) -> None:
    rows = 2 * MAX_RUN_ROWS + 3
    latents = np.stack([np.arange(rows), np.zeros(rows)], axis=1).astype(np.float32)
    labels = np.where(np.arange(rows) % 5 == 0, 2, 1)
    samples = conditional.decode_rows(latents, labels)
    np.testing.assert_array_equal(samples[:, 0], np.arange(rows) / 2 + labels / 4)
    np.testing.assert_array_equal(samples[:, 3], labels / 4)
