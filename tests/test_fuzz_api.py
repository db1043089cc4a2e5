"""Requests that schemathesis makes from the OpenAPI document get answers that the document allows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.helpers.npy import saved
from tests.helpers.process import serving
from tests.helpers.report import print_line

JSON = "application/json"
PROBLEM_JSON = "application/problem+json"
CASES = 40
"""Requests of each operation; all of them take half a minute."""
SECONDS = 1.0
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
HEADERS: list[dict[str, str]] = [
    *({"Accept": accept} for accept in (JSON, "application/x-npy", "image/png", "text/html", "image/*;q=0.5, */*;q=x")),
    {"Content-Type": "text/csv"},
    {"Content-Encoding": "br"},
    {"Content-Encoding": "gzip"},
]
"""Headers of half of the requests; the others have those that schemathesis makes."""


@pytest.fixture(scope="module", autouse=True)
def files() -> None:
    """Register files with schemathesis: some that a tiny model accepts, and some that it refuses."""

    def unchanged(context: schemathesis.SerializationContext, value: Any) -> bytes:
        return value if isinstance(value, bytes) else getattr(value, "data", str(value).encode())

    media = ("application/x-npy", "image/png", "image/jpeg", "image/webp")
    schemathesis.serializer(*media)(unchanged)
    shapes = [(1, 4), (2, 2), (2, 1, 2, 2), (1, 2), (0, 4), (65, 4)]
    arrays = [*(saved(np.zeros(shape, np.float32)) for shape in shapes), b"\x93NUMPY\x01\x00"]
    schemathesis.openapi.media_type(media[0], st.sampled_from(arrays) | st.binary(max_size=64))


@pytest.fixture(scope="module")
def server(tiny_models: Path) -> Iterator[tuple[str, list[str]]]:
    """Start a server with limits that requests reach, and give its address and its log."""
    with serving(models_dir=str(tiny_models), max_rows="64", max_body_bytes="65536", max_pixels="10000") as (
        _,
        address,
        log,
    ):
        yield address, log


def cases(operation: Any) -> st.SearchStrategy[schemathesis.Case[Any]]:
    """
    Return requests of an operation, valid and invalid ones, for made-up models and for those of its examples.

    Made-up paths name no model: with them only, no answer but 404 would be tried.
    """
    raw = operation.definition.raw
    known = {p["name"]: p["example"] for p in raw.get("parameters", ()) if p["in"] == "path" and "example" in p}
    content = raw.get("requestBody", {}).get("content", {})
    bodies = [example["value"] for example in content.get(JSON, {}).get("examples", {}).values()]
    strategies = [operation.as_strategy(mode) for mode in schemathesis.GenerationMode]
    strategies += [operation.as_strategy(mode, path_parameters=known) for mode in schemathesis.GenerationMode if known]
    strategies += [operation.as_strategy(path_parameters=known, body=body, media_type=JSON) for body in bodies]
    return st.one_of(strategies)


def test_every_answer_is_one_that_the_document_allows(
    server: tuple[str, list[str]], subtests: pytest.Subtests, capsys: pytest.CaptureFixture[str]
) -> None:
    address, log = server
    schema = schemathesis.openapi.from_url(f"{address}/openapi.json")
    statuses: Counter[int] = Counter()
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    assert len(operations) == sum(1 for _ in schema.get_all_operations())
    with requests.Session() as session:
        for operation in operations:
            with subtests.test(operation=operation.label):
                fuzz(operation, session, statuses)
    assert {200, 400, 404, 406, 413, 415, 422} <= statuses.keys(), "too tame a fuzzer"
    assert [line for line in log if "Traceback" in line or "unexpected exception" in line] == []
    print_line(capsys, f"schemathesis: {statuses.total()} requests of {len(operations)} operations: {dict(statuses)}")


def fuzz(operation: Any, session: requests.Session, statuses: Counter[int]) -> None:
    """Send the cases of an operation, and check each answer."""

    @settings(
        max_examples=CASES, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(case=cases(operation), headers=st.just({}) | st.sampled_from(HEADERS))
    def send(case: schemathesis.Case[Any], headers: dict[str, str]) -> None:
        response = case.call(session=session, headers=headers)
        statuses[response.status_code] += 1
        case.validate_response(response, checks=CHECKS)
        assert response.elapsed < SECONDS
        if response.status_code >= 400 and case.path.startswith("/v1"):
            documented = operation.definition.raw["responses"][str(response.status_code)]["content"][PROBLEM_JSON]
            assert response.json()["code"] in documented["examples"]

    send()
