"""The contenders that run in this environment."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.serving.loads import LOADS
from bench.serving.servers import Contender, hourglass, local_contenders
from tests.helpers import bench


def test_requests_to_this_server_name_the_model() -> None:
    requests = hourglass("bench-dense").requests(bench.inputs())
    assert requests.keys() == set(LOADS)
    assert requests["png"].path == "/v1/models/bench-dense/encode"
    assert requests["decode-32"].path == "/v1/models/bench-dense/decode"
    assert requests["binary-32"].headers == {"Content-Type": "application/x-npy", "Accept": "application/x-npy"}


def test_this_server_serves_the_repository_of_the_models_folder() -> None:
    command = hourglass("a").start(80, Path("/models/a/1"))
    assert "HOURGLASS_MODELS_DIR=/models" in command
    assert "HOURGLASS_PORT=80" in command


def test_every_local_contender_supports_every_load() -> None:
    contenders = local_contenders("bench-dense")
    assert [contender.name for contender in contenders] == ["hourglass", "floor", "written", "written-typed"]
    assert all(contender.requests(bench.inputs()).keys() == set(LOADS) for contender in contenders)


def test_a_contender_without_its_program_is_not_installed(tmp_path: Path) -> None:
    def contender(program: str) -> Contender:
        return Contender("x", lambda _, __: ["env", "A=b", program], lambda _: {})

    assert contender(sys.executable).is_installed
    assert not contender(str(tmp_path / "python")).is_installed
