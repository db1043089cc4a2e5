"""A scorer is added as a new version; the old one stays as it is."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from app.engine.repository import load_version
from app.manifest import CARD, SCORER, FileDigest, Manifest
from tests.helpers import tiny
from tests.helpers.scorers import calibrated_images
from training.config import ScorerConfig
from training.data.dataset import DataSet
from training.errors import RunError
from training.scorers.version import add_scorer, remove_scorer, was_cross_validated


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file under a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def add(folder: Path, data: DataSet | None = None) -> Path:
    """Add a scorer to the version in a folder."""
    manifest = Manifest.read(folder)
    return add_scorer(folder, manifest, data or calibrated_images(), ScorerConfig(), 0, folder.parent.parent)


def test_the_next_version_has_the_scorer_and_the_same_pair(tmp_path: Path) -> None:
    first = tiny.write_version(tmp_path, prior=True)
    before = contents(first)
    second = add(first)
    assert second == tmp_path / "tiny" / "2"
    assert contents(first) == before
    manifest = Manifest.read(second)
    assert manifest.files.keys() == {*Manifest.read(first).files, SCORER}
    assert manifest.tasks == ("encode", "decode", "reconstruct", "generate", "interpolate", "score")
    assert contents(second)["encoder.onnx"] == before["encoder.onnx"]
    assert load_version(second, "tiny", 2).manifest.scorer == manifest.scorer


def test_the_false_positive_rates_of_the_test_rows_join_the_metrics(tmp_path: Path) -> None:
    measured = Manifest.read(add(tiny.write_version(tmp_path))).metrics[-1]
    assert measured.data_set == "tiny, test part, 60 samples"
    assert "calibrated on 39 rows" in measured.protocol
    assert measured.values["false_positive_rate_0.1_low"] <= measured.values["false_positive_rate_0.1"]


def test_a_second_scorer_takes_the_place_of_the_first(tmp_path: Path) -> None:
    second = add(tiny.write_version(tmp_path))
    third = Manifest.read(add(second))
    assert third.version == 3
    assert len(third.metrics) == len(Manifest.read(second).metrics)
    without = remove_scorer(third)
    assert (without.scorer, "score" in without.tasks, without.has_scorer, without.metrics) == (None, False, False, ())


def test_the_card_has_the_new_number_and_a_section_about_the_scorer(tmp_path: Path) -> None:
    first = tiny.write_version(tmp_path)
    (first / CARD).write_text("# tiny, version 1\n\nGood.\n")
    manifest = Manifest.read(first)
    files = {**manifest.files, CARD: FileDigest.of(first / CARD)}
    manifest.model_copy(update={"files": files}).write(first)
    card = (add(add(first)) / CARD).read_text()
    assert card.startswith("# tiny, version 3\n\nGood.\n\n## Scorer\n\nThis scorer was added")
    assert card.count("## Scorer") == 1
    assert "Anomalies: by `scorer.onnx`, from reconstruction, neighbours, sample-density, the nearest of 150" in card
    assert "no p-value is below 0.025." in card
    assert "| false_positive_rate_0.05_high | " in card


def test_a_conditional_model_has_no_scorer(tmp_path: Path) -> None:
    first = tiny.write_version(tmp_path, labels=tiny.LABELS)
    with pytest.raises(RunError, match="tiny: a conditional model needs a label to reconstruct a sample: no scorer"):
        add(first)
    assert [path.name for path in first.parent.iterdir()] == ["1"]


@pytest.mark.parametrize(
    ("configuration", "crossed"),
    [({"optimisation": {"folds": 5}}, True), ({"optimisation": {"folds": 0}}, False), ({"optimisation": {}}, False)],
)
def test_a_model_with_folds_was_fitted_to_its_validation_part(
    tmp_path: Path, configuration: dict[str, object], crossed: bool
) -> None:
    manifest = Manifest.read(tiny.write_version(tmp_path))
    assert not was_cross_validated(manifest.model_copy(update={"training": None}))
    training = SimpleNamespace(configuration=configuration)
    assert was_cross_validated(manifest.model_copy(update={"training": training})) is crossed
