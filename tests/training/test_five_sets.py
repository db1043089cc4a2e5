"""Five data sets as people bring them are trained and exported by the command, and served by one server process."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_diabetes, load_sample_image, load_wine

from tests.helpers.process import serving
from training.__main__ import main

NPY = {"Content-Type": "application/x-npy", "Accept": "application/x-npy"}
GAPS = range(4, 178, 11)
"""Rows of the wines without a value of their first column."""


def write_wines(folder: Path) -> Path:
    """Write the wines to a CSV file with a column of text, one of yes and no, and gaps."""
    bunch = load_wine()
    lines = ["alcohol,hue,proline,cultivar,strong"]
    for number, (row, kind) in enumerate(zip(bunch.data, bunch.target, strict=True)):
        alcohol = "" if number in GAPS else f"{row[0]}"
        cultivar = ("Barolo", "Grignolino", "Barbera")[kind]
        lines.append(f"{alcohol},{row[10]},{row[12]},{cultivar},{'yes' if row[0] > 13 else 'no'}")
    path = folder / "wines.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def write_patients(folder: Path) -> Path:
    """Write patients to a CSV file with semicolons, decimal commas and headers in Latin-1."""
    bunch = load_diabetes(scaled=False)
    lines = ["Alter;Größe;Blutdruck;Überschuss"]
    lines += [";".join(f"{value:.1f}".replace(".", ",") for value in row[[0, 2, 3, 4]]) for row in bunch.data]
    path = folder / "patients.csv"
    path.write_bytes("\r\n".join(lines).encode("latin-1"))
    return path


def write_photographs(folder: Path) -> Path:
    """Write crops of two photographs, of mixed sizes, to a folder of JPEG files with a folder for each class."""
    draws = np.random.default_rng(0)
    for name in ("china", "flower"):
        (folder / "photographs" / name).mkdir(parents=True)
        whole = load_sample_image(f"{name}.jpg")
        for number in range(24):
            height, width = draws.integers(80, 300, 2)
            top, left = draws.integers(0, 427 - height), draws.integers(0, 640 - width)
            crop = Image.fromarray(whole[top : top + height, left : left + width])
            crop.save(folder / "photographs" / name / f"{number}.jpg", quality=95)
    return folder / "photographs"


def wave(across: float, down: float) -> np.ndarray:
    """Return a picture of 16x16 levels from 100 to 3900, as a detector of 12 bits gives them."""
    y, x = np.mgrid[:16, :16]
    return np.asarray(2000 + 1900 * np.sin(across * x + down * y), np.uint16)


def write_waves(folder: Path) -> Path:
    """Write grey images of 16 bits to a folder of PNG files."""
    (folder / "waves").mkdir()
    for number, (across, down) in enumerate(np.random.default_rng(0).uniform(0.1, 0.4, (60, 2))):
        Image.fromarray(wave(across, down)).save(folder / "waves" / f"{number}.png")
    return folder / "waves"


def windows(phases: np.ndarray) -> np.ndarray:
    """Return windows of 24 hours with two channels around 50 and -3: (N, 24, 2)."""
    angles = 2 * np.pi * np.arange(24) / 24 + phases[:, None]
    return np.stack([50 + 10 * np.sin(angles), -3 + np.cos(angles)], axis=2)


def write_windows(folder: Path) -> Path:
    """Write windows of a series to a .npy file."""
    np.save(folder / "hours.npy", windows(np.random.default_rng(0).uniform(0, 2 * np.pi, 200)))
    return folder / "hours.npy"


QUICK = ("optimisation.ema_decay=0.9", "optimisation.batch_size=16", "optimisation.learning_rate=0.005")
SMALL = ("--set", "network.widths=8,16", "--set", "network.hidden=32", "--set", "network.latent_dim=12")
SETS: dict[str, tuple[Callable[[Path], Path], tuple[str, ...]]] = {
    "wines": (write_wines, ("table-ae", "--one-hot", "--missing", "median", "--epochs", "15")),
    "patients": (write_patients, ("table-ae", "--epochs", "8")),
    "photographs": (write_photographs, ("images-ae", "--image-size", "16", "24", "--epochs", "12", *SMALL)),
    "waves": (write_waves, ("images-ae", "--epochs", "12", *SMALL)),
    "hours": (write_windows, ("table-ae", "--kind", "vector", "--epochs", "12")),
}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Train all sets, and serve their models."""
    folder = tmp_path_factory.mktemp("sets")
    for name, (write, options) in SETS.items():
        settings = [word for setting in QUICK for word in ("--set", setting)]
        places = ["--run-dir", str(folder / "runs" / name), "--models-dir", str(folder / "models")]
        data = ["--data", str(write(folder)), "--name", name, "--accelerator", "cpu"]
        assert main(["train", *options, *settings, *data, *places]) == 0, name
    with serving(models_dir=str(folder / "models")) as (_, address, _), httpx.Client(base_url=address) as client:
        yield client


def npy(rows: np.ndarray) -> bytes:
    """Return a .npy file."""
    file = io.BytesIO()
    np.save(file, rows)
    return file.getvalue()


def test_a_table_with_text_and_gaps_is_served_by_name(client: httpx.Client) -> None:
    url, row = "/v1/models/wines/reconstruct", {"alcohol": 13.7, "hue": 1.1, "proline": 1100}
    barolo = row | {"cultivar": "Barolo", "strong": "yes"}
    answer = client.post(url, json={"samples": [barolo]}, params={"rows": "objects"}).json()["samples"][0]
    assert answer["cultivar"] == "Barolo"
    assert 0.5 < answer["strong"] < 1.5
    assert answer["alcohol"] == pytest.approx(13.7, abs=1)
    gap, numbers = barolo | {"alcohol": None}, barolo | {"strong": 1}
    assert client.post(url, json={"samples": [numbers]}).json() == client.post(url, json={"samples": [barolo]}).json()
    answer = client.post(url, json={"samples": [gap]})
    assert answer.status_code == 200
    median = np.median([row[0] for number, row in enumerate(load_wine().data) if number not in GAPS])
    (fill,) = client.get("/v1/models/wines").json()["input"]["fill"][:1]
    assert fill == pytest.approx(median, abs=0.15)  # of the training part
    assert "Barbera" in client.post(url, json={"samples": [barolo | {"cultivar": "Merlot"}]}).json()["detail"]


def test_semicolons_and_latin_1_are_read(client: httpx.Client) -> None:
    names = client.get("/v1/models/patients").json()["input"]["feature_names"]
    assert names == ["Alter", "Größe", "Blutdruck", "Überschuss"]
    rows = load_diabetes(scaled=False).data[:50][:, [0, 2, 3, 4]]
    answer = client.post("/v1/models/patients/reconstruct", json={"samples": rows.tolist()}).json()
    spread = load_diabetes(scaled=False).data[:, [0, 2, 3, 4]].std(axis=0)
    assert np.square((np.array(answer["samples"]) - rows) / spread).mean() < 0.3  # the columns' means would give 1


def test_photographs_of_mixed_sizes_become_one_size(client: httpx.Client) -> None:
    manifest = client.get("/v1/models/photographs").json()
    assert manifest["input"]["shape"] == [3, 16, 24]
    crops = [Image.fromarray(load_sample_image(f"{name}.jpg")[20:220, 20:150]) for name in ("china", "flower")]
    small = [np.asarray(crop.resize((24, 16), Image.Resampling.BOX), np.float64) for crop in crops]
    for index, crop in enumerate(crops):
        file = io.BytesIO()
        crop.save(file, "PNG")
        headers = {"Content-Type": "image/png", "Accept": "image/png"}
        answer = client.post("/v1/models/photographs/reconstruct", content=file.getvalue(), headers=headers)
        picture = Image.open(io.BytesIO(answer.content))
        assert picture.size == (24, 16)
        own, other = (np.abs(np.asarray(picture) - pixels).mean() for pixels in (small[index], small[1 - index]))
        assert own < 0.8 * other, (own, other)


def test_16_bits_stay_16_bits(client: httpx.Client) -> None:
    limits = client.get("/v1/models/waves").json()["input"]["value_range"]
    assert 100 <= limits["low"] < 150
    assert 3850 < limits["high"] <= 3900
    file = io.BytesIO()
    Image.fromarray(wave(0.25, 0.3)).save(file, "PNG")
    headers = {"Content-Type": "image/png", "Accept": "image/png"}
    answer = client.post("/v1/models/waves/reconstruct", content=file.getvalue(), headers=headers)
    picture = Image.open(io.BytesIO(answer.content))
    assert picture.mode == "I;16"
    levels = np.asarray(picture).astype(np.float64)
    assert len(np.unique(levels)) > 200
    assert np.corrcoef(levels.ravel(), wave(0.25, 0.3).ravel())[0, 1] > 0.7


def test_windows_of_a_series_are_taken_as_they_are(client: httpx.Client) -> None:
    new = windows(np.array([0.3, 2.5, 4.1]))
    answer = client.post("/v1/models/hours/reconstruct", content=npy(new), headers=NPY)
    reconstructed = np.load(io.BytesIO(answer.content)).reshape(3, 24, 2)
    spread = windows(np.linspace(0, 2 * np.pi, 50)).reshape(-1, 2).std(axis=0)
    assert np.square((reconstructed - new) / spread).mean() < 0.1  # the channels' means would give 1
    flat = client.post("/v1/models/hours/reconstruct", content=npy(new.reshape(3, 48)), headers=NPY)
    assert flat.content == answer.content
