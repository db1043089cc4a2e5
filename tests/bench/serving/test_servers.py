"""The contenders that run in this environment."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.serving.loads import LOADS
from bench.serving.servers import Contender, hourglass, hourglass_v2, local_contenders
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
    supported = {contender.name: contender.requests(bench.inputs()).keys() for contender in contenders}
    without_png = set(LOADS) - {"png"}
    assert supported.pop("hourglass-v2") == without_png
    assert supported.keys() == {"hourglass", "floor", "written", "written-typed"}
    assert all(loads == set(LOADS) for loads in supported.values())


def test_the_second_api_is_asked_for_the_models_of_its_tasks() -> None:
    requests = hourglass_v2("bench-dense").requests(bench.inputs())
    assert requests["json-1"].path == "/v2/models/bench-dense.encode/infer"
    assert requests["decode-32"].path == "/v2/models/bench-dense.decode/infer"


def test_a_contender_without_its_program_is_not_installed(tmp_path: Path) -> None:
    def contender(program: str) -> Contender:
        return Contender("x", lambda _, __: ["env", "A=b", program], lambda _: {})

    assert contender(sys.executable).is_installed
    assert not contender(str(tmp_path / "python")).is_installed
