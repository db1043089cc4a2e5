"""What is whole and valid is served; the rest is reported."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from structlog.testing import capture_logs

from app.engine.repository import ModelRepository, load_version
from app.errors import InvalidModel, NoModels, UnknownModel, UnknownVersion
from app.manifest import DECODER, ENCODER, GOLDEN, MANIFEST
from tests.helpers import tiny


def edit_manifest(folder: Path, **changes: object) -> None:
    """Change members of the manifest."""
    document = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**document, **changes}))


def pickled_golden(folder: Path) -> None:
    """A golden archive that needs pickle, and a manifest that vouches for it."""
    np.savez(folder / GOLDEN, samples=np.array([{"a": 1}], dtype=object))
    tiny.write_manifest(folder, "tiny", 1, "autoencoder")


def garbled_graph(folder: Path) -> None:
    """A graph that is none, and a manifest that vouches for it."""
    (folder / DECODER).write_bytes(b"garbage")
    tiny.write_manifest(folder, "tiny", 1, "autoencoder")


def graph_that_fails_when_it_runs(folder: Path) -> None:
    """A valid graph that reaches for a row that is not there."""
    model = tiny.encoder_graph((1, 2, 2), variational=False)
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([9, 9, 9, 9]), "nine"))
    model.graph.node.insert(1, onnx.helper.make_node("Gather", ["flat", "nine"], ["gathered"], axis=1))
    model.graph.node[2].input[0] = "gathered"
    onnx.save(model, folder / ENCODER)
    tiny.write_manifest(folder, "tiny", 1, "autoencoder")


def golden_array(folder: Path) -> None:
    """A golden archive that is one array."""
    with (folder / GOLDEN).open("wb") as file:
        np.save(file, np.zeros(3))
    tiny.write_manifest(folder, "tiny", 1, "autoencoder")


def golden_words(folder: Path) -> None:
    """Golden samples that are words."""
    words = np.full((3, 1, 2, 2), "word")
    np.savez(folder / GOLDEN, samples=words, latents=np.zeros((3, 2)), reconstructions=words)
    tiny.write_manifest(folder, "tiny", 1, "autoencoder")


BREAKAGES: list[tuple[str, Callable[[Path], object], str]] = [
    ("no manifest", lambda folder: (folder / MANIFEST).unlink(), "model.json is missing"),
    ("half a manifest", lambda folder: (folder / MANIFEST).write_text('{"format": 1,'), "Invalid JSON"),
    ("unknown member", lambda folder: edit_manifest(folder, colour="blue"), "colour: Extra inputs"),
    ("other version", lambda folder: edit_manifest(folder, version=3), "lies in tiny/1"),
    ("no graph", lambda folder: (folder / ENCODER).unlink(), "encoder.onnx is missing"),
    ("other bytes", lambda folder: (folder / DECODER).write_bytes(b"garbage"), "its checksum differs"),
    ("no graph at all", garbled_graph, "decoder.onnx cannot be loaded"),
    ("fails when it runs", graph_that_fails_when_it_runs, "the model cannot be run"),
    ("golden array", golden_array, "the model cannot be run"),
    ("golden words", golden_words, "the model cannot be run"),
    ("pickle", pickled_golden, "golden.npz cannot be read"),
]


@pytest.mark.parametrize(("what", "damage", "reason"), BREAKAGES, ids=[b[0] for b in BREAKAGES])
def test_a_broken_version_is_reported_and_the_others_are_served(
    tmp_path: Path, what: str, damage: Callable[[Path], object], reason: str
) -> None:
    tiny.write_version(tmp_path, "whole")
    damage(tiny.write_version(tmp_path, "tiny"))
    with capture_logs() as lines:
        repository = ModelRepository.load(tmp_path)
    assert [model.manifest.name for model in repository] == ["whole"]
    skipped = [line for line in lines if line["event"] == "version skipped"]
    assert [line["model"] for line in skipped] == ["tiny"]
    assert reason in skipped[0]["reason"]


def test_golden_samples_that_differ_are_a_reason_not_to_serve(tmp_path: Path) -> None:
    folder = tiny.write_version(tmp_path, golden_offset=0.01)
    with pytest.raises(InvalidModel, match="reconstructions differ from those that were stored"):
        load_version(folder, "tiny", 1)


def test_golden_samples_may_differ_as_processors_do(tmp_path: Path) -> None:
    load_version(tiny.write_version(tmp_path, golden_offset=1e-4), "tiny", 1)


def test_the_default_is_the_largest_version_by_number(tmp_path: Path) -> None:
    for version in (1, 2, 10):
        tiny.write_version(tmp_path, version=version)
    repository = ModelRepository.load(tmp_path)
    assert repository.get("tiny").manifest.version == 10
    assert repository.get("tiny", 2).manifest.version == 2
    assert list(repository.versions("tiny")) == [1, 2, 10]


def test_a_broken_newest_version_leaves_the_one_before(tmp_path: Path) -> None:
    tiny.write_version(tmp_path, version=1)
    (tiny.write_version(tmp_path, version=2) / MANIFEST).unlink()
    assert ModelRepository.load(tmp_path).get("tiny").manifest.version == 1


def test_other_folders_and_files_are_no_models(tmp_path: Path) -> None:
    tiny.write_version(tmp_path)
    (tmp_path / "README.md").write_text("hello")
    (tmp_path / "tiny" / ".2-99.partial").mkdir()
    (tmp_path / "tiny" / "01").mkdir()
    (tmp_path / ".git").mkdir()
    with capture_logs() as lines:
        repository = ModelRepository.load(tmp_path)
    assert list(repository.versions("tiny")) == [1]
    assert [Path(line["path"]).name for line in lines if "path" in line] == ["01"]


def test_a_folder_that_cannot_be_read_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny.write_version(tmp_path)
    (tmp_path / "lost+found").mkdir()
    listed = Path.iterdir

    def iterdir(folder: Path) -> Iterator[Path]:
        if folder.name == "lost+found":  # root, who runs some tests, may read anything
            raise PermissionError(13, "Permission denied")
        return listed(folder)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    with capture_logs() as lines:
        repository = ModelRepository.load(tmp_path)
    assert [model.manifest.name for model in repository] == ["tiny"]
    assert [line["reason"] for line in lines if line["event"] == "folder skipped"] == ["Permission denied"]


@pytest.mark.parametrize("exists", [True, False])
def test_no_valid_model_is_one_clear_sentence(tmp_path: Path, exists: bool) -> None:
    root = tmp_path / "models"
    if exists:
        root.mkdir()
    with pytest.raises(NoModels, match=r"no valid model in .*models: set HOURGLASS_MODELS_DIR"):
        ModelRepository.load(root)


def test_unknown_names_and_versions_are_answered_with_those_there_are(tiny_models: Path) -> None:
    repository = ModelRepository.load(tiny_models)
    with pytest.raises(UnknownModel, match="no model 'x'; there are tiny-ae, tiny-sdae, tiny-table, tiny-vae"):
        repository.get("x")
    with pytest.raises(UnknownVersion, match="no version 7; it has 1, 2"):
        repository.get("tiny-ae", 7)
