"""Requests to the rivals, and their answers."""

from __future__ import annotations

from email import message_from_bytes
from pathlib import Path

import numpy as np
import orjson

from bench.serving.loads import LOADS, rows_as_npy
from bench.serving.rivals import RIVALS
from tests.helpers import bench

BY_NAME = {rival.name: rival for rival in RIVALS}


def test_only_mlserver_does_not_support_every_load() -> None:
    missing = {rival.name: set(LOADS) - rival.requests(bench.inputs()).keys() for rival in RIVALS}
    assert missing == {"litserve": set(), "bentoml": set(), "mlserver": {"binary-32", "png"}, "ray": set()}


def test_every_command_names_a_program_of_the_rivals_environment() -> None:
    for name, rival in BY_NAME.items():
        command = rival.start(80, Path("/model"))
        assert "BENCH_FOLDER=/model" in command
        assert any(f"/.bench/{name}/bin/" in word for word in command)


def test_a_form_holds_the_file() -> None:
    request = BY_NAME["litserve"].requests(bench.inputs())["png"]
    form = message_from_bytes(f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode() + request.body)
    parts = [part for part in form.walk() if not part.is_multipart()]
    assert [part.get_filename() for part in parts] == ["image"]
    assert parts[0].get_payload(decode=True) == bench.inputs().png


def test_mlserver_gets_and_returns_flat_tensors() -> None:
    mlserver = BY_NAME["mlserver"]
    (tensor,) = orjson.loads(mlserver.requests(bench.inputs())["json-1"].body)["inputs"]
    assert (tensor["shape"], tensor["data"]) == ([1, 1, 2, 2], bench.SAMPLES[0].tolist())
    answer = orjson.dumps({"outputs": [{"data": bench.PAIRS[0].tolist()}]})
    assert np.array_equal(mlserver.read("json-1", answer), bench.PAIRS[:1])


def test_bentoml_returns_rows_without_a_name() -> None:
    bentoml = BY_NAME["bentoml"]
    assert np.array_equal(bentoml.read("json-1", b"[[1, 2]]"), [[1, 2]])
    assert np.array_equal(bentoml.read("binary-32", rows_as_npy(bench.PAIRS)), bench.PAIRS)
