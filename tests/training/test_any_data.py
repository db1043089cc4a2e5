"""Three data sets from files of three kinds are trained, exported, served and queried."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image
from sklearn.datasets import load_breast_cancer, load_digits, load_sample_image
from starlette.testclient import TestClient

from app.main import create_app
from app.manifest import Manifest
from app.settings import Settings
from training.__main__ import main

SIDE = 16


def write_digits(folder: Path) -> Path:
    """Write 8x8 digits with their labels to an .npz file."""
    bunch = load_digits()
    np.savez(folder / "digits.npz", images=bunch.images.astype(np.uint8), digit=bunch.target)
    return folder / "digits.npz"


def write_table(folder: Path) -> Path:
    """Write the breast cancer measurements to a CSV file: 30 columns of numbers and one of words."""
    bunch = load_breast_cancer()
    names = [name.replace(" ", "_") for name in bunch.feature_names]
    lines = [",".join([*names, "diagnosis"])]
    for row, label in zip(bunch.data, bunch.target, strict=True):
        lines.append(",".join([*map(repr, row.tolist()), str(bunch.target_names[label])]))
    path = folder / "cancer.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def write_patches(folder: Path) -> Path:
    """Write 16x16 RGB patches of a photograph to a folder of PNG files."""
    photograph = load_sample_image("china.jpg")
    patches = folder / "patches"
    patches.mkdir()
    tops = range(0, photograph.shape[0] - SIDE, SIDE)
    for number, (top, left) in enumerate((t, s) for t in tops for s in range(0, photograph.shape[1] - SIDE, SIDE)):
        Image.fromarray(photograph[top : top + SIDE, left : left + SIDE]).save(patches / f"{number:04}.png")
    return patches


def write_config(folder: Path, **sections: Any) -> Path:
    """Write a configuration to a file."""
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(sections))
    return path


CONFIGS: dict[str, dict[str, Any]] = {
    "digits": {
        "network": {"architecture": "conv", "latent_dim": 4, "widths": [8, 16], "hidden": 32},
        "objective": {"family": "variational-autoencoder", "conditional": True},
        "optimisation": {"epochs": 20, "batch_size": 64, "learning_rate": 0.005, "ema_decay": 0.99},
        "data": {"label": "digit", "samples": "images", "value_range": [0, 16]},
    },
    "cancer": {
        "network": {"architecture": "dense", "latent_dim": 5, "widths": [32]},
        "objective": {"family": "variational-autoencoder"},
        "optimisation": {"epochs": 40, "batch_size": 32, "learning_rate": 0.005, "ema_decay": 0.98},
        "preprocessing": {"log1p": ["mean_area", "worst_area"], "clip_quantiles": [0.001, 0.999]},
        "data": {"label": "diagnosis"},
    },
    "patches": {
        "network": {"architecture": "conv", "latent_dim": 48, "widths": [16, 32], "hidden": 96},
        "objective": {
            "family": "denoising-autoencoder",
            "amount": [0.0, 0.3],
            "pretraining_epochs": 2,
            "denoiser_steps": 200,
        },
        "optimisation": {"epochs": 10, "batch_size": 64, "learning_rate": 0.003, "ema_decay": 0.99},
        "evaluation": {"noise_amounts": [0.2]},
        "data": {},
    },
}
WRITERS = {"digits": write_digits, "cancer": write_table, "patches": write_patches}


@pytest.fixture(scope="session", params=list(CONFIGS))
def version(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a version that `hourglass-train train --data PATH` wrote."""
    name = str(request.param)
    folder = tmp_path_factory.mktemp(name)
    config = write_config(folder, name=name, description="Of a test.", **CONFIGS[name])
    data = WRITERS[name](folder)
    places = ["--run-dir", str(folder / "run"), "--models-dir", str(folder / "models")]
    assert main(["train", str(config), "--data", str(data), "--accelerator", "cpu", *places]) == 0
    return folder / "models" / name / "1"


def test_any_data_are_trained_exported_served_and_queried(version: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = Manifest.read(version)
    values = manifest.metrics[0].values
    assert values["mse"] < 0.8 * values["untrained_mse"]
    assert {"figures/loss.png", "figures/reconstructions.png", "figures/latents.png"} <= manifest.files.keys()
    with TestClient(create_app(Settings(models_dir=version.parent.parent))) as client:
        queries = {"digits": query_digits, "cancer": query_table, "patches": query_patches}
        queries[manifest.name](client)
    capsys.readouterr()
    assert main(["evaluate", str(version), "--data", str(data_beside(version))]) == 0
    again = json.loads(capsys.readouterr().out)["metrics"][0]["values"]
    assert again["mse"] == pytest.approx(values["mse"], rel=1e-4)


def data_beside(version: Path) -> Path:
    """Return the path of the data that the version was trained on."""
    config = yaml.safe_load((version.parents[2] / "run" / "config.yaml").read_text())
    return Path(config["data"]["path"])


def query_digits(client: TestClient) -> None:
    """Check that the label decides which digit is generated, in the user's units, 0 to 16."""
    zeros, ones = (
        np.array(client.post(f"/v1/models/digits/generate?count=40&seed=1&label={label}").json()["samples"])
        for label in (0, 1)
    )
    bunch = load_digits()
    means = [bunch.images[bunch.target == label].mean(axis=0) for label in (0, 1)]
    for generated, own, other in ((zeros, *means), (ones, *reversed(means))):
        assert generated.min() >= 0
        assert 8 < generated.max() <= 16
        assert (
            np.abs(generated.mean(axis=(0, 1)) - own).mean() < 0.5 * np.abs(generated.mean(axis=(0, 1)) - other).mean()
        )
    refused = client.post("/v1/models/digits/generate?count=1")
    assert refused.status_code == 422
    assert "label" in refused.json()["detail"]


def query_table(client: TestClient) -> None:
    """Check that rows are reconstructed in the columns' own units, and that generated rows have similar means."""
    rows = load_breast_cancer().data[:50]
    answer = client.post("/v1/models/cancer/reconstruct", json={"samples": rows.tolist()}).json()
    reconstructed = np.array(answer["samples"])
    spread = load_breast_cancer().data.std(axis=0)
    assert np.square((reconstructed - rows) / spread).mean() < 0.4  # the mean of each column would give 1
    generated = np.array(client.post("/v1/models/cancer/generate?count=200&seed=1").json()["samples"])
    centre = load_breast_cancer().data.mean(axis=0)
    assert (np.abs(generated.mean(axis=0) - centre) < 0.5 * spread).all()


def query_patches(client: TestClient) -> None:
    """Check that a noisy PNG of three channels comes back with less noise."""
    photograph = load_sample_image("china.jpg")
    clean = photograph[200 : 200 + SIDE, 320 : 320 + SIDE].astype(float) / 255
    noisy = np.clip(clean + 0.3 * np.random.default_rng(0).standard_normal(clean.shape), 0, 1)
    file = io.BytesIO()
    Image.fromarray((255 * noisy).astype(np.uint8)).save(file, "PNG")
    headers = {"content-type": "image/png", "accept": "image/png"}
    answer = client.post("/v1/models/patches/denoise", content=file.getvalue(), headers=headers)
    assert answer.headers["content-type"] == "image/png"
    denoised = np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB")).astype(float) / 255
    assert denoised.shape == (SIDE, SIDE, 3)
    assert np.square(denoised - clean).mean() < 0.5 * np.square(noisy - clean).mean()
