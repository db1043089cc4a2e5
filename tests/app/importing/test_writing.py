"""An import writes the next version whole, or nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from app.__main__ import main
from app.main import create_app
from app.manifest import Manifest
from app.settings import Settings
from tests.helpers import foreign
from tests.helpers.imports import (
    LAST,
    arguments,
    channels_last,
    imported,
)


def test_the_server_serves_an_imported_version(tmp_path: Path) -> None:
    encoder = foreign.encoder(tmp_path / "e.onnx", LAST, batch=1)
    decoder = foreign.decoder(tmp_path / "d.onnx")
    imported(tmp_path)
    samples = foreign.samples(count=3)
    (latents,) = foreign.run(encoder, channels_last(samples))
    (reconstructions,) = foreign.run(decoder, latents)
    with TestClient(create_app(Settings(models_dir=tmp_path / "models"))) as client:
        encoded = client.post("/v1/models/mine/encode", json={"samples": samples.tolist()})
        decoded = client.post("/v1/models/mine/decode", json={"latents": latents.tolist()})
        both = client.post("/v1/models/mine/reconstruct", json={"samples": samples.tolist()})
    np.testing.assert_allclose(encoded.json()["latents"], latents, atol=1e-5)
    np.testing.assert_allclose(decoded.json()["samples"], reconstructions, atol=1e-5)
    np.testing.assert_allclose(both.json()["samples"], reconstructions, atol=1e-5)
    errors = np.square(reconstructions - samples).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(both.json()["errors"], errors, rtol=1e-4)


def test_each_import_writes_the_next_version(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    foreign.encoder(tmp_path / "e.onnx")
    foreign.decoder(tmp_path / "d.onnx")
    for version in (1, 2):
        assert main(arguments(tmp_path)) == 0
        folder = tmp_path / "models" / "mine" / str(version)
        assert capsys.readouterr().out == f"{folder}\n"
        assert Manifest.read(folder).version == version


KILLED = """
import signal, sys, time
from app.__main__ import main
import app.engine.repository as repository

def wait(*_):
    print("written", flush=True)
    time.sleep(60)

repository.load_version = wait
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have switched it off
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("sent", "status", "folders"),
    [(signal.SIGTERM, 143, 0), (signal.SIGINT, 130, 0), (signal.SIGKILL, -signal.SIGKILL, 1)],
)
def test_an_import_that_is_killed_leaves_no_version(tmp_path: Path, sent: int, status: int, folders: int) -> None:
    """SIGKILL may leave a hidden folder, which the repository ignores."""
    foreign.encoder(tmp_path / "e.onnx")
    foreign.decoder(tmp_path / "d.onnx")
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, *arguments(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        os.kill(process.pid, sent)
        assert process.wait(timeout=30) == status
    names = [path.name for path in (tmp_path / "models").glob("*/*")]
    assert len(names) == folders
    assert all(name.startswith(".") for name in names)
