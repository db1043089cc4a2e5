"""Scorers: scores, p-values and attributions by a graph."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from app.engine.autoencoder import Autoencoder
from app.engine.repository import load_version
from app.engine.scorer import LARGEST, Scorer
from app.errors import InvalidModel, NotFinite, OutOfRange, UnsupportedTask
from app.inputs import ValueRange, VectorInput
from app.manifest import MANIFEST, SCORER, Manifest
from tests.helpers import tiny
from tests.helpers.arrays import array

FOUND = VectorInput(shape=(4,), value_range=ValueRange(low=0, high=1), range_origin="found", fill=(1, 0, 0, 0))
STATED = VectorInput(shape=(4,), value_range=ValueRange(low=0, high=1))


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Autoencoder:
    """Load a model of a table with a scorer."""
    folder = tiny.write_version(tmp_path_factory.mktemp("models"), kind=tiny.TABLE, scorer=True)
    return load_version(folder, "tiny", 1)


def scorer_of(model: Autoencoder) -> Scorer:
    """Return the scorer of a model that has one."""
    assert model.scorer is not None
    return model.scorer


def test_samples_get_their_score_p_value_and_attributions(table: Autoencoder) -> None:
    scored = table.score(array([[1, 1, 1, 1], [0.5, 0, 0, -0.5], [3, 0, 0, 0]]))
    assert scored.scores.tolist() == [4, 0.5, 9]
    np.testing.assert_allclose(scored.p_values, [0.3, 1, 0.1], rtol=1e-6)
    assert scored.attributions.tolist() == [[1, 1, 1, 1], [0.25, 0, 0, 0.25], [9, 0, 0, 0]]


def test_a_quarter_of_the_rows_is_encoded_while_latents_are_watched(tmp_path: Path) -> None:
    folder = tiny.write_version(tmp_path, kind=tiny.TABLE, scorer=True)
    assert scorer_of(load_version(folder, "tiny", 1)).watch_latents() == ()
    assert load_version(folder, "tiny", 1).score(array([[1, 1, 1, 1]])).latents.shape == (1, 0)
    tiny.add_latents(folder)
    model = load_version(folder, "tiny", 1)
    samples = np.linspace(0, 1, 4000, dtype=np.float32).reshape(1000, 4)
    assert np.isnan(model.score(samples).latents).all()
    assert [latent.ranks for latent in scorer_of(model).watch_latents()] == [(4, 9), (4, 9)]
    parts = [model.score(part).latents for part in np.split(samples, [1, 2, 3, 4, 500])]
    latents = np.concatenate(parts)
    encoded = ~np.isnan(latents[:, 0])
    np.testing.assert_allclose(latents[encoded], model.encode(samples)[encoded])
    assert 240 <= encoded.sum() <= 260
    for period in (2, 3, 4, 5):  # a share of each phase of a sequence that repeats itself
        assert min(encoded[phase::period].mean() for phase in range(period)) > 0.2


def test_samples_that_cannot_be_encoded_are_scored(tmp_path: Path) -> None:
    folder = tiny.write_version(tmp_path, kind=tiny.TABLE, scorer=True)
    tiny.add_latents(folder)
    model = load_version(folder, "tiny", 1)
    scorer_of(model).watch_latents()
    scored = model.score(np.full((50, 4), 3e38, np.float32))
    assert np.isinf(scored.latents).any()
    assert scored.scores.tolist() == [LARGEST] * 50


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read"),
        ('{"latents": [{"edges": [1, 0], "ranks": [1, 2]}, {"edges": [], "ranks": []}]}', "cannot be read"),
        ('{"latents": [{"edges": [1], "ranks": [1, 2]}, {"edges": [], "ranks": []}]}', "cannot be read"),
        ('{"latents": [{"edges": [1], "ranks": [10]}, {"edges": [], "ranks": []}]}', "is not of this model"),
        ('{"latents": [{"edges": [1], "ranks": [1]}]}', "is not of this model"),
    ],
    ids=["text", "order", "length", "rank", "latents"],
)
def test_latents_that_cannot_be_are_refused(tmp_path: Path, text: str, message: str) -> None:
    folder = tiny.write_version(tmp_path, kind=tiny.TABLE, scorer=True)
    tiny.add_latents(folder)
    model = onnx.load(folder / SCORER)
    model.metadata_props[0].value = text
    onnx.save(model, folder / SCORER)
    Manifest.read(folder).with_files(folder).write(folder)
    with pytest.raises(InvalidModel, match=f"the metadata hourglass.latents {message}"):
        load_version(folder, "tiny", 1)


def test_many_rows_are_scored_in_several_runs(table: Autoencoder) -> None:
    samples = np.linspace(0, 2, 600, dtype=np.float32)[:, None] * array([1, 0, 0, 0])
    np.testing.assert_allclose(table.score(samples).scores, np.square(samples[:, 0]), rtol=1e-6)


def test_a_score_that_float32_cannot_hold_is_the_largest_with_the_smallest_p_value(table: Autoencoder) -> None:
    scored = table.score(array([[1e30, 0, 0, 0], [0, 0, 0, 0]]))
    assert scored.scores.tolist() == [LARGEST, 0]
    np.testing.assert_allclose(scored.p_values, [0.1, 1], rtol=1e-6)
    assert scored.attributions[0].tolist() == [LARGEST, 0, 0, 0]
    with pytest.raises(NotFinite):
        table.score(array([[np.inf, 0, 0, 0]]))


@pytest.mark.parametrize("kind", [FOUND, STATED], ids=["found", "stated"])
def test_the_rows_of_a_table_may_lie_beyond_its_range(tmp_path: Path, kind: VectorInput) -> None:
    model = load_version(tiny.write_version(tmp_path, kind=kind, scorer=True), "tiny", 1)
    assert model.score(array([[7, 0, 0, 0]])).scores.tolist() == [49]  # clipped, it would be 1


def test_missing_numbers_are_filled(tmp_path: Path) -> None:
    model = load_version(tiny.write_version(tmp_path, kind=FOUND, scorer=True), "tiny", 1)
    assert model.score(array([[np.nan, 0, 2, 0]])).scores.tolist() == [5]


def test_images_beyond_a_stated_range_are_refused(tmp_path: Path) -> None:
    model = load_version(tiny.write_version(tmp_path, scorer=True), "tiny", 1)
    assert model.score(array([[1, 0, 0, 0]])).scores.tolist() == [1]
    with pytest.raises(OutOfRange):
        model.score(array([[255, 0, 0, 0]]))


def test_a_version_without_a_scorer_cannot_score(tmp_path: Path) -> None:
    model = load_version(tiny.write_version(tmp_path), "tiny", 1)
    with pytest.raises(UnsupportedTask, match="cannot score; it can encode, decode"):
        model.score(array([[0, 0, 0, 0]]))


def test_a_scorer_that_is_not_the_one_of_the_manifest_is_refused(tmp_path: Path) -> None:
    folder = tiny.write_version(tmp_path, scorer=True)
    content = (folder / SCORER).read_bytes()
    (folder / SCORER).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(InvalidModel, match=r"scorer\.onnx is not the file that the manifest names"):
        load_version(folder, "tiny", 1)


@pytest.mark.parametrize(
    ("graph", "reason"),
    [
        (tiny.scorer_graph((1, 2, 2), power=3.0), "score differ from those that were stored"),
        (tiny.scorer_graph((1, 2, 2), random=True), "the same samples get another score in another order"),
        (tiny.scorer_graph((1, 2, 3)), r"expected the inputs samples float \[1, 2, 2\]"),
        (tiny.denoiser_graph((1, 2, 2)), "expected the outputs score float"),
    ],
    ids=["another score", "random", "another shape", "another graph"],
)
def test_a_scorer_with_other_results_is_refused_although_the_manifest_names_it(
    tmp_path: Path, graph: onnx.ModelProto, reason: str
) -> None:
    folder = tiny.write_version(tmp_path, scorer=True)
    onnx.save(graph, folder / SCORER)
    tiny.write_manifest(folder, "tiny", 1, "autoencoder")
    with pytest.raises(InvalidModel, match=reason):
        load_version(folder, "tiny", 1)


def test_a_manifest_that_names_fewer_calibration_rows_than_the_graph_has_is_refused(tmp_path: Path) -> None:
    folder = tiny.write_version(tmp_path, kind=tiny.TABLE, scorer=True)
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["scorer"]["calibration_rows"] = 2
    (folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(InvalidModel, match="expected p-values from 1 / "):
        load_version(folder, "tiny", 1)
