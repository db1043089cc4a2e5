"""A served model: the autoencoder's results for concurrent callers, in shared runs and within limits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from app.api.state import State
from app.engine.autoencoder import Autoencoder
from app.engine.repository import load_version
from app.engine.served import RowLimits, ServedModel
from app.errors import InvalidParameter, TooManyRows, WrongShape
from app.manifest import Manifest
from tests.helpers import tiny
from tests.helpers.applications import state_over
from tests.helpers.arrays import array

SAMPLES = array([[[[0.25, 0.75], [0.5, 0]]]])
HALVES = array([[[[0.5, 0.5], [0.25, 0.25]]]])


def served_state(models: Path, name: str) -> Iterator[State]:
    """Give the state over version 1 of a model, and close it."""
    state = state_over(load_version(models / name / "1", name, 1), threads=2, max_rows=4, max_numbers=12)
    yield state
    state.close()


@pytest.fixture
def ae(tiny_models: Path) -> Iterator[ServedModel]:
    """Serve a deterministic model, with at most 3 rows in a request: they have 12 numbers."""
    for state in served_state(tiny_models, "tiny-ae"):
        yield state.catalog.get("tiny-ae")


@pytest.fixture
def vae(tiny_models: Path) -> Iterator[ServedModel]:
    """Serve a variational model."""
    for state in served_state(tiny_models, "tiny-vae"):
        yield state.catalog.get("tiny-vae")


@pytest.fixture(scope="module")
def plain_vae(tiny_models: Path) -> Autoencoder:
    """Load the same variational model without queues."""
    return load_version(tiny_models / "tiny-vae" / "1", "tiny-vae", 1)


def test_the_tasks_return_the_computed_values(ae: ServedModel) -> None:
    async def scenario() -> None:
        assert (await ae.encode(SAMPLES)).tolist() == [[1, 0.5]]
        assert (await ae.decode(array([[1, 0.5]]))).tolist() == HALVES.tolist()
        assert (await ae.denoise(SAMPLES)).tolist() == HALVES.tolist()
        reconstruction = await ae.reconstruct(SAMPLES)
        assert reconstruction.samples.tolist() == HALVES.tolist()
        assert reconstruction.errors.tolist() == [0.0625]
        ends = array([[0, 0, 0, 0], [1, 1, 0, 0]])
        assert (await ae.interpolate(ends, 3)).reshape(3, 4)[:, 0].tolist() == [0, 0.5, 1]
        assert not (await ae.corrupt(SAMPLES, "masking", 1.0, seed=0)).any()

    asyncio.run(scenario())


def test_a_denoiser_has_a_queue_of_its_own(tmp_path: Path) -> None:
    tiny.write_version(tmp_path, "third", family="denoising-autoencoder", denoiser=True)
    for state in served_state(tmp_path, "third"):
        served = state.catalog.get("third")

        async def scenario(served: ServedModel = served) -> None:
            await served.denoise(SAMPLES)  # opens the graph
            answers = await asyncio.gather(*(served.denoise(SAMPLES * n) for n in (1, 2)))
            assert [rows.ravel()[0] for rows in answers] == [0.125, 0.25]

        asyncio.run(scenario())
        assert {rows: total.count for rows, total in served.runs["denoise"].by_rows.items()} == {1: 1, 2: 1}


@pytest.mark.parametrize("labels", [(), tiny.LABELS])
def test_a_prior_has_a_queue_of_its_own(tmp_path: Path, labels: tuple[str, ...]) -> None:
    label = labels[-1] if labels else None
    tiny.write_version(tmp_path, "drawn", kind=tiny.TABLE, labels=labels, prior=True)
    plain = load_version(tmp_path / "drawn" / "1", "drawn", 1)
    for state in served_state(tmp_path, "drawn"):
        served = state.catalog.get("drawn")

        async def scenario(served: ServedModel = served) -> None:
            await served.generate(1, 0, label=label)  # opens the graph
            answers = await asyncio.gather(*(served.generate(1, seed, 0.5, label) for seed in (1, 2)))
            for seed, samples in zip((1, 2), answers, strict=True):
                np.testing.assert_allclose(samples, plain.generate(1, seed, 0.5, label), rtol=1e-6)

        asyncio.run(scenario())
        assert {rows: total.count for rows, total in served.runs["generate"].by_rows.items()} == {1: 1, 2: 1}


def test_draws_are_those_of_the_autoencoder(vae: ServedModel, plain_vae: Autoencoder) -> None:
    async def scenario() -> None:
        np.testing.assert_array_equal(await vae.generate(3, seed=5), plain_vae.generate(3, seed=5))
        drawn = await vae.sample_posterior(SAMPLES, seed=2)
        np.testing.assert_array_equal(drawn, plain_vae.posterior(SAMPLES).sample(seed=2))

    asyncio.run(scenario())


def test_a_deterministic_model_has_no_posterior(ae: ServedModel) -> None:
    with pytest.raises(InvalidParameter, match="'tiny-ae' is deterministic"):
        asyncio.run(ae.sample_posterior(SAMPLES, seed=0))


def test_concurrent_requests_share_a_run(ae: ServedModel) -> None:
    async def scenario() -> None:
        latents = await asyncio.gather(*(ae.encode(SAMPLES * n) for n in (0, 1, 2)))
        assert [rows.tolist() for rows in latents] == [[[n, n / 2]] for n in (0, 1, 2)]

    asyncio.run(scenario())
    assert {rows: total.count for rows, total in ae.runs["mean"].by_rows.items()} == {3: 1}
    assert ae.runs["decode"].by_rows == {}


def test_rows_are_checked_and_counted(ae: ServedModel) -> None:
    assert ae.checks["samples"](array([[0.25, 0.75, 0.5, 0]])).shape == (1, 1, 2, 2)
    assert ae.checks["latents"](array([[1, 2]])).shape == (1, 2)
    with pytest.raises(WrongShape):
        ae.checks["latents"](SAMPLES)
    with pytest.raises(TooManyRows, match="expected at most 3 rows at once, got 4"):
        ae.checks["samples"](np.zeros((4, 4), np.float32))
    with pytest.raises(TooManyRows, match="got 5"):
        ae.check_row_count(5)
    ae.check_row_count(3)  # does not raise


@pytest.mark.parametrize(("max_rows", "max_numbers", "rows"), [(5, 100, 5), (50, 100, 25), (50, 3, 1)])
def test_the_numbers_of_the_samples_bound_the_rows(
    tiny_models: Path, max_rows: int, max_numbers: int, rows: int
) -> None:
    manifest = Manifest.read(tiny_models / "tiny-ae" / "1")
    assert RowLimits(max_rows, max_numbers).rows(manifest) == rows
