"""A request of either wire is checked, and becomes a query."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from app.api.state import State
from app.api.v2.models import Entries, Entry
from app.api.v2.query import Query, read_query, wanted_outputs
from app.errors import InvalidInput, TooManyRows, WrongShape
from app.formats.open_inference import InferenceRequest
from app.formats.tensors import Tensor
from app.options import DecodeOptions

SAMPLES = np.array([[0.25, 0.75, 0.5, 0]], np.float32)


@pytest.fixture(scope="module")
def entry(tiny_state: State) -> Entry:
    """Return a model with two outputs."""
    return tiny_state.catalog.view(Entries).get("tiny-ae.reconstruct")


def request(samples: np.ndarray[tuple[int, int], np.dtype[np.float32]], **members: Any) -> InferenceRequest:
    """Return a request with samples."""
    tensor = Tensor("samples", "FP32", samples.shape, samples)
    whole = InferenceRequest({"samples": tensor}, {}, None, binary=True, id="seven")
    return whole._replace(**members)


def query(entry: Entry, content: InferenceRequest) -> Query:
    """Return the query of a request that is parsed already."""
    return read_query(entry, lambda parsed: parsed, content)


def test_samples_get_the_shape_of_the_model(entry: Entry) -> None:
    read = query(entry, request(SAMPLES))
    assert (read.id, read.timeout, read.images) == ("seven", None, None)
    assert dict(read.outputs) == {"samples": True, "errors": True}
    (samples,) = read.arrays
    assert samples.shape == (1, 1, 2, 2)


def test_the_limits_and_the_shape_are_checked(entry: Entry) -> None:
    with pytest.raises(TooManyRows, match="at most 16 rows at once, got 17"):
        query(entry, request(np.tile(SAMPLES, (17, 1))))
    with pytest.raises(WrongShape):
        query(entry, request(SAMPLES[:, :3]))


def test_parameters_are_options_and_a_time_limit(entry: Entry) -> None:
    assert query(entry, request(SAMPLES, parameters={"timeout": 500_000})).timeout == 0.5


def test_wanted_outputs_keep_their_order_and_must_exist(entry: Entry) -> None:
    wanted = {"errors": False, "samples": True}
    assert list(wanted_outputs(entry, request(SAMPLES, outputs=wanted), DecodeOptions()).items()) == list(
        wanted.items()
    )
    with pytest.raises(InvalidInput, match="outputs: expected samples or errors, got 'latents'"):
        wanted_outputs(entry, request(SAMPLES, outputs={"latents": True}), DecodeOptions())
