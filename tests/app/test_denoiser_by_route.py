"""A version with a denoising graph: what its clients get from /v1, /v2 and the metrics."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from tests.helpers import tiny
from tests.helpers.v1 import ACCEPT_PNG, HALVES, SAMPLE, png_pixels
from tests.helpers.v2 import infer, outputs, tensor

DENOISED = [[[0.125, 0.375], [0.25, 0]]]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Serve a denoiser in two versions: the first has only the pair, the second the third graph too."""
    root = tmp_path_factory.mktemp("models")
    tiny.write_version(root, "sdae", 1, "denoising-autoencoder")
    tiny.write_version(root, "sdae", 2, "denoising-autoencoder", denoiser=True)
    with TestClient(create_app(Settings(models_dir=root))) as client:
        yield client


def test_denoise_runs_the_graph_and_other_tasks_the_pair(client: TestClient) -> None:
    body = {"samples": [SAMPLE]}
    assert client.post("/v1/models/sdae/denoise", json=body).json()["samples"] == [DENOISED]
    assert client.post("/v1/models/sdae/reconstruct", json=body).json()["samples"] == [HALVES]
    assert client.post("/v1/models/sdae/encode", json=body).json()["latents"] == [[1, 0.5]]
    picture = client.post("/v1/models/sdae/denoise", json=body, headers=ACCEPT_PNG)
    assert png_pixels(picture) == [[32, 96], [64, 0]]


def test_a_version_without_the_graph_denoises_with_the_pair(client: TestClient) -> None:
    answer = client.post("/v1/models/sdae/versions/1/denoise", json={"samples": [SAMPLE]})
    assert answer.json()["samples"] == [HALVES]


def test_added_noise_is_removed_by_the_graph(client: TestClient) -> None:
    answer = client.post("/v1/models/sdae/denoise?noise=masking&amount=1&seed=3", json={"samples": [SAMPLE]}).json()
    assert (answer["noisy"], answer["samples"], answer["seed"]) == ([[[[0, 0], [0, 0]]]], [[[[0, 0], [0, 0]]]], 3)


def test_the_open_inference_protocol_runs_the_graph(client: TestClient) -> None:
    answer = outputs(infer(client, "sdae.denoise", tensor("samples", [SAMPLE])))
    assert answer == {"samples": [DENOISED], "noisy": [[[[0.25, 0.75], [0.5, 0]]]]}
    statistics = client.get("/v2/models/sdae.denoise/stats").json()["model_stats"]
    assert sum(entry["inference_count"] for entry in statistics if entry["version"] == "2") >= 1


def test_the_manifest_names_the_graph(client: TestClient) -> None:
    files = client.get("/v1/models/sdae").json()["files"]
    assert set(files) == {"encoder.onnx", "decoder.onnx", "denoiser.onnx", "golden.npz"}
