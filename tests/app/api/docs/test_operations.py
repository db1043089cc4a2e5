"""The operations of tasks are written from their table."""

from __future__ import annotations

import pytest

from app.api.docs.operations import infer_operations, task_operations
from app.api.state import State
from app.tasks import TASKS


def test_every_task_has_an_operation_for_the_default_and_for_any_version(tiny_state: State) -> None:
    operations = task_operations(tiny_state.catalog)
    assert len(operations) == 2 * len(TASKS)
    encode = operations["/v1/models/{model}/encode"]
    assert encode["summary"] == TASKS["encode"].summary
    assert [(p["name"], p["in"]) for p in encode["parameters"]] == [
        ("model", "path"),
        ("sample", "query"),
        ("seed", "query"),
        ("label", "query"),
    ]
    version = operations["/v1/models/{model}/versions/{version}/encode"]
    assert [p["name"] for p in version["parameters"]] == ["model", "version", "sample", "seed", "label"]
    assert version["operationId"] == "encode_version"


@pytest.mark.parametrize("task", TASKS)
def test_a_task_takes_a_body_only_if_it_has_an_input(tiny_state: State, task: str) -> None:
    operation = task_operations(tiny_state.catalog)[f"/v1/models/{{model}}/{task}"]
    assert ("requestBody" in operation) == (TASKS[task].takes is not None)


def test_npy_is_the_last_type_of_a_body(tiny_state: State) -> None:
    """A client made by openapi-python-client sends the last type of file as the Content-Type of all files."""
    content = task_operations(tiny_state.catalog)["/v1/models/{model}/encode"]["requestBody"]["content"]
    assert list(content)[-1] == "application/x-npy"
    assert {"application/json", "image/png", "multipart/form-data"} < set(content)


def test_inference_has_an_operation_for_the_default_and_for_any_version(tiny_state: State) -> None:
    operations = infer_operations(tiny_state.catalog)
    assert [operation["operationId"] for operation in operations.values()] == ["infer", "infer_version"]
