"""A table with semicolons, decimal commas, Latin-1, text and gaps is trained, exported, served and queried."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_iris
from starlette.testclient import TestClient

from app.inputs import VectorInput
from app.main import create_app
from app.manifest import Manifest
from app.settings import Settings
from training.__main__ import main

COLUMNS = ("Kelchlänge", "Kelchbreite", "Blattlänge", "Blattbreite", "Art")
GAPS = range(3, 150, 10)
"""Rows without a petal's length."""


def write_table(path: Path) -> None:
    """Write the iris measurements as a spreadsheet in Germany would, with an index and gaps."""
    bunch = load_iris()
    lines = [";".join(["Unnamed: 0", *COLUMNS])]
    for number, (row, kind) in enumerate(zip(bunch.data.tolist(), bunch.target_names[bunch.target], strict=True)):
        cells = [str(value).replace(".", ",") for value in row]
        if number in GAPS:
            cells[2] = ""
        lines.append(";".join([str(number), *cells, kind]))
    path.write_bytes("\r\n".join(lines).encode("latin-1"))


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a version that was trained on the table."""
    folder = tmp_path_factory.mktemp("iris")
    write_table(folder / "iris.csv")
    places = ["--run-dir", str(folder / "run"), "--models-dir", str(folder / "models")]
    options = ["--missing", "median", "--one-hot", "--epochs", "20", "--name", "iris", "--accelerator", "cpu"]
    settings = ["--set", "optimisation.ema_decay=0.9", "--set", "optimisation.batch_size=16"]
    assert main(["train", "table-ae", "--data", str(folder / "iris.csv"), *options, *settings, *places]) == 0
    return folder / "models" / "iris" / "1"


def test_the_table_is_served_by_the_names_of_its_columns(version: Path) -> None:
    sample = Manifest.read(version).input
    assert isinstance(sample, VectorInput)
    assert sample.feature_names == (*COLUMNS[:4], "Art=setosa", "Art=versicolor", "Art=virginica")
    assert sample.one_hot == {"Art": ("setosa", "versicolor", "virginica")}
    petals = [length for number, length in enumerate(load_iris().data[:, 2]) if number not in GAPS]
    assert sample.fill[2] == pytest.approx(np.median(petals), abs=0.3)  # of all rows; that of the training part is near
    flower = {"Kelchlänge": 5.1, "Kelchbreite": 3.5, "Blattlänge": 1.4, "Blattbreite": 0.2, "Art": "setosa"}
    with TestClient(create_app(Settings(models_dir=version.parent.parent))) as client:
        url = "/v1/models/iris/reconstruct"
        answer = client.post(url, json={"samples": [flower]}, params={"rows": "objects"}).json()["samples"][0]
        assert answer["Art"] == "setosa"
        assert answer["Blattlänge"] == pytest.approx(1.4, abs=0.7)
        flat = {"samples": [[5.1, 3.5, 1.4, 0.2, 1, 0, 0]]}
        assert client.post(url, json=flat).json() == client.post(url, json={"samples": [flower]}).json()
        gap = client.post(url, json={"samples": [flower | {"Blattlänge": None}]}).json()
        assert gap == client.post(url, json={"samples": [flower | {"Blattlänge": sample.fill[2]}]}).json()
        refused = client.post(url, json={"samples": [flower | {"Art": "tulipa"}]})
        assert (refused.status_code, "setosa" in refused.json()["detail"]) == (422, True)


def test_the_table_is_measured_as_it_was_in_training(version: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(version)]) == 0
    assert '"mse"' in capsys.readouterr().out
