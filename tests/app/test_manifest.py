"""The manifest refuses unknown members and impossible values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from app.manifest import Family, FileDigest, Manifest
from tests.helpers import tiny


@pytest.fixture
def document(tmp_path: Path) -> dict[str, Any]:
    """Write a valid manifest and return its JSON."""
    folder = tiny.write_version(tmp_path, family="variational-autoencoder")
    document: dict[str, Any] = json.loads((folder / "model.json").read_text())
    return document


def test_a_manifest_is_read_as_it_was_written(tmp_path: Path) -> None:
    folder = tiny.write_version(tmp_path)
    manifest = Manifest.read(folder)
    manifest.write(tmp_path)
    assert Manifest.read(tmp_path) == manifest
    assert manifest.input_shape == (1, 2, 2)
    assert manifest.input_size == 4
    assert manifest.latent_dim == 2


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"colour": "blue"}, "Extra inputs are not permitted"),
        ({"format": 3}, "Input should be 1 or 2"),
        ({"version": 0}, "greater than or equal to 1"),
        ({"name": "../etc"}, "should match pattern"),
        ({"tasks": []}, "at least 1 item"),
        ({"tasks": ["predict"]}, "Input should be"),
        ({"files": {}}, "encoder.onnx is missing"),
        ({"latent": {"kind": "deterministic", "dimension": 2}}, "needs a latent space with a prior"),
        ({"input": {"kind": "image", "shape": [2, 8, 8], "value_range": {"low": 0, "high": 1}}}, "1 (grey) or 3"),
        ({"input": {"kind": "image", "shape": [1, 8, 8], "value_range": {"low": 1, "high": 1}}}, "low must be below"),
        ({"input": {"kind": "vector", "shape": [2], "feature_names": ["a"]}}, "1 feature names"),
        ({"input": {"kind": "sound", "shape": [2]}}, "does not match any of the expected tags"),
        ({"labels": ["one"]}, "at least 2 labels, got only 'one'"),
        ({"labels": ["one", ""]}, "labels must differ, and none be empty, got ''"),
        ({"labels": ["a", "b", "c", "b"]}, "labels must differ, and none be empty, got 'b'"),
    ],
)
def test_an_invalid_manifest_is_refused(document: dict[str, Any], change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Manifest.model_validate({**document, **change})
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("family", "labels"), [("autoencoder", ()), ("denoising-autoencoder", tiny.LABELS)], ids=["no task", "labels"]
)
def test_a_denoiser_belongs_to_a_model_that_denoises_without_labels(
    tmp_path: Path, family: Family, labels: tuple[str, ...]
) -> None:
    assert Manifest.read(tiny.write_version(tmp_path, family="denoising-autoencoder", denoiser=True)).has_denoiser
    assert not Manifest.read(tiny.write_version(tmp_path, "other", family="denoising-autoencoder")).has_denoiser
    with pytest.raises(ValidationError, match=r"denoiser\.onnx belongs to a model that has the task 'denoise'"):
        tiny.write_version(tmp_path, "wrong", family=family, labels=labels, denoiser=True)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"format": 1}, "has format 2 and the task 'generate'"),
        ({"tasks": ["encode", "decode"]}, "has format 2 and the task 'generate'"),
        ({"prior": None}, "prior.onnx must be in files if, and only if, the manifest has the member 'prior'"),
        ({"labels": ["a", "b"]}, "prior.components: 1 numbers for 2 labels"),
        ({"prior": {**tiny.fitted_prior(2).model_dump()}}, "prior.components: 2 numbers for a model without labels"),
        ({"prior": {**tiny.fitted_prior().model_dump(), "kind": "flow"}}, "Input should be 'gmm'"),
    ],
)
def test_a_prior_is_described_by_a_manifest_of_format_2(tmp_path: Path, change: dict[str, Any], complaint: str) -> None:
    manifest = Manifest.read(tiny.write_version(tmp_path, prior=True))
    assert (manifest.format, manifest.noise_dim, "generate" in manifest.tasks) == (2, 3, True)
    with pytest.raises(ValidationError) as caught:
        Manifest.model_validate({**manifest.model_dump(mode="json"), **change})
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"format": 1}, "need each other, and format 2"),
        ({"tasks": ["encode", "decode"]}, "the member 'scorer', the task 'score' and scorer.onnx need each other"),
        ({"scorer": None}, "the member 'scorer', the task 'score' and scorer.onnx need each other"),
        ({"scorer": {**tiny.fitted_scorer().model_dump(), "parts": []}}, "at least 1 item"),
        ({"scorer": {**tiny.fitted_scorer().model_dump(), "parts": ["magic"]}}, "Input should be 'reconstruction'"),
        ({"scorer": {**tiny.fitted_scorer().model_dump(), "calibration_rows": 0}}, "greater than or equal to 1"),
    ],
)
def test_a_scorer_is_described_by_a_manifest_of_format_2(
    tmp_path: Path, change: dict[str, Any], complaint: str
) -> None:
    manifest = Manifest.read(tiny.write_version(tmp_path, labels=("a", "b"), scorer=True))
    assert (manifest.format, manifest.has_scorer, manifest.tasks[-1]) == (2, True, "score")
    with pytest.raises(ValidationError) as caught:
        Manifest.model_validate({**manifest.model_dump(mode="json"), **change})
    assert complaint in str(caught.value)


@pytest.mark.parametrize("labels", [[], ["0", "1"]])
def test_labels_keep_their_order(document: dict[str, Any], labels: list[str]) -> None:
    assert Manifest.model_validate({**document, "labels": labels}).labels == tuple(labels)


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "a//b", "figures/../../x", ".hidden", ""])
def test_a_file_outside_the_folder_is_refused(document: dict[str, Any], path: str) -> None:
    digest = {"sha256": "0" * 64, "bytes": 1}
    with pytest.raises(ValidationError):
        Manifest.model_validate({**document, "files": {**document["files"], path: digest}})


def test_a_manifest_cannot_be_changed(tmp_path: Path) -> None:
    manifest = Manifest.read(tiny.write_version(tmp_path))
    with pytest.raises(ValidationError, match="frozen"):
        manifest.version = 2  # type: ignore[misc]


def test_the_checksum_is_sha256(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    digest = FileDigest.of(tmp_path / "abc")
    # FIPS 180-2, appendix B.1
    assert digest.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert digest.bytes == 3


def test_every_file_of_a_folder_gets_its_digest(tmp_path: Path) -> None:
    folder = tiny.write_version(tmp_path)
    manifest = Manifest.read(folder)
    (folder / "figures").mkdir(exist_ok=True)
    (folder / "figures" / "new.png").write_bytes(b"abc")
    files = manifest.with_files(folder).files
    assert files.keys() == {*manifest.files, "figures/new.png"}
    assert (files["figures/new.png"].bytes, files["figures/new.png"].sha256[:8]) == (3, "ba7816bf")
    (folder / "encoder.onnx").unlink()
    with pytest.raises(ValidationError, match=r"encoder\.onnx is missing"):
        manifest.with_files(folder)
