"""The time of a request, with and without the short way to a task."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from app.main import create_app
from app.settings import Settings
from bench.serving.anatomy import MOUNT, time_request
from bench.serving.servers import hourglass_requests
from tests.helpers import bench, tiny


@pytest.mark.parametrize("root_path", ["", MOUNT])
def test_a_request_is_answered_with_and_without_the_shortcut(root_path: str, tmp_path: Path) -> None:
    tiny.write_version(tmp_path, "tiny")
    app = create_app(Settings(models_dir=tmp_path))
    request = hourglass_requests("tiny", bench.inputs())["json-1"]
    assert 0 < asyncio.run(time_request(app, request, root_path)) < 1e6
