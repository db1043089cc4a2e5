"""A scorer is written beside a version's pair, and the server loads it and gives the same numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.engine.repository import load_version
from app.importing.tidy import Tolerance
from app.manifest import GOLDEN, SCORER, Family, Manifest
from tests.helpers import tiny
from tests.helpers.scorers import ROWS, calibrated_images, fitted
from training.config import ScorerConfig
from training.data.dataset import DataSet
from training.errors import ExportError
from training.exporting.graphs import PARITY_TOLERANCE
from training.exporting.scorer import add_scorer_graph, scored


def add(folder: Path, data: DataSet, tolerance: Tolerance = PARITY_TOLERANCE) -> Manifest:
    """Add a scorer to the version in a folder, and write the manifest."""
    drafted = add_scorer_graph(folder, Manifest.read(folder), data, ScorerConfig(), 0, tolerance)
    manifest = Manifest.model_validate(drafted.model_dump())
    manifest.write(folder)
    return manifest


@pytest.mark.parametrize("family", ["autoencoder", "variational-autoencoder"])
def test_the_server_scores_as_torch_does(tmp_path: Path, family: Family) -> None:
    folder, data = tiny.write_version(tmp_path, family=family), calibrated_images()
    graph, subject = fitted(folder, data)
    manifest = add(folder, data)
    samples = data.test.in_users_units()
    model = load_version(folder, "tiny", 1)
    scores, p_values, attributions, latents = model.run_scorer(samples)
    assert latents.shape == (len(samples), 2)
    expected = scored(graph, subject.model, samples)
    np.testing.assert_allclose(scores, expected[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(p_values, expected[1], atol=1e-6)
    np.testing.assert_allclose(attributions, expected[2], rtol=1e-4, atol=1e-5)
    assert manifest.tasks[-1] == "score"


def test_the_graph_knows_the_latents_of_the_calibration_rows(tmp_path: Path) -> None:
    folder, data = tiny.write_version(tmp_path), calibrated_images()
    add(folder, data)
    model = load_version(folder, "tiny", 1)
    assert data.calibration is not None
    assert model.scorer is not None
    latents = model.posterior(data.calibration.in_users_units()).mu
    for ranks, column in zip(model.scorer.watch_latents(), latents.T, strict=True):
        assert len(ranks.edges) > 5
        assert [int((column <= edge * (1 + 1e-6)).sum()) for edge in ranks.edges] == list(ranks.ranks)


def test_the_manifest_says_what_the_scorer_is_made_of(tmp_path: Path) -> None:
    manifest = add(tiny.write_version(tmp_path), calibrated_images())
    assert manifest.scorer is not None
    assert manifest.format == 2
    assert manifest.scorer.parts == ("reconstruction", "neighbours", "sample-density")
    assert (manifest.scorer.bank_rows, manifest.scorer.calibration_rows) == (ROWS[0] + ROWS[1], ROWS[2])
    assert manifest.scorer.fitted_on == "120 training and 30 validation rows of tiny, calibrated on 39 others"


def test_the_prior_and_the_other_golden_samples_are_kept(tmp_path: Path) -> None:
    folder = tiny.write_version(tmp_path, prior=True)
    with np.load(folder / GOLDEN) as archive:
        before = {name: archive[name] for name in archive.files}
    manifest = add(folder, calibrated_images())
    with np.load(folder / GOLDEN) as archive:
        after = {name: archive[name] for name in archive.files}
    assert after.keys() - before.keys() == {"score", "p_value", "attribution"}
    assert all(np.array_equal(after[name], rows) for name, rows in before.items())
    assert manifest.has_prior
    assert manifest.files[SCORER].bytes == (folder / SCORER).stat().st_size


def test_a_graph_that_differs_from_torch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"scorer\.onnx: torch and onnxruntime differ by .* in score"):
        add(tiny.write_version(tmp_path), calibrated_images(), Tolerance(absolute=-1.0, relative=0.0))
