"""The mixture of requests."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.serving.loads import Inputs
from bench.serving.soak import BATCH_SIZES, MixedWrk, mixed_requests

INPUTS = Inputs(np.zeros((32, 1, 28, 28), np.float32), np.zeros((32, 32), np.float32), b"")


def test_every_task_is_asked_for_in_every_size_and_format() -> None:
    requests = mixed_requests(INPUTS)
    kinds = {(request.path, request.headers["Content-Type"]) for request in requests}
    assert len(kinds) == 3 * 2
    assert len(requests) == len(kinds) * len(BATCH_SIZES)


def test_the_script_reads_every_body_from_a_file(tmp_path: Path) -> None:
    requests = mixed_requests(INPUTS)[:3]
    MixedWrk(requests, "http://127.0.0.1:1", 0, tmp_path)
    lines = (tmp_path / "requests").read_text().splitlines()
    assert [Path(line.split()[1]).read_bytes() for line in lines] == [request.body for request in requests]
    assert str(tmp_path / "requests") in (tmp_path / "request.lua").read_text()
