"""Complete and valid versions are loaded; the others are reported. New versions are written whole or not at all."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from structlog.testing import capture_logs

from app.engine import repository
from app.engine.repository import load_repository, load_version, next_version, write_version
from app.errors import InvalidModel, NoModels, VersionTaken
from app.manifest import DECODER, DENOISER, ENCODER, GOLDEN, MANIFEST, PRIOR
from tests.helpers import tiny
from tests.helpers.endless import MANY_TURNS, write_endless


def edit_manifest(folder: Path, **changes: object) -> None:
    """Change members of the manifest."""
    document = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**document, **changes}))


def other_denoiser(folder: Path) -> None:
    """Write a graph that denoises samples of another shape, and a manifest with its checksum."""
    onnx.save(tiny.denoiser_graph((1, 3, 2)), folder / DENOISER)
    tiny.write_manifest(folder, "tiny", 1, "denoising-autoencoder")


def other_prior(model: onnx.ModelProto) -> Callable[[Path], None]:
    """Return a function that writes another prior, and a manifest with its checksum."""

    def damage(folder: Path) -> None:
        onnx.save(model, folder / PRIOR)
        tiny.write_manifest(folder, "tiny", 1, "autoencoder")

    return damage


def infinite_prior() -> onnx.ModelProto:
    """Build a prior that divides by zero."""
    model = tiny.prior_graph()
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(0, np.float32), "nothing"))
    model.graph.node.append(onnx.helper.make_node("Div", ["one", "nothing"], ["much"]))
    model.graph.node[-2].input[1] = "much"
    model.graph.node.insert(0, model.graph.node.pop())
    return model


def prior_of_mixed_rows() -> onnx.ModelProto:
    """Build a prior whose rows depend on the rows before them in the batch."""
    model = tiny.prior_graph()
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(0), "axis"))
    model.graph.node.insert(2, onnx.helper.make_node("CumSum", ["quarters", "axis"], ["summed"]))
    model.graph.node[-1].input[0] = "summed"
    return model


def pickled_golden(folder: Path) -> None:
    """Write a golden archive that needs pickle, and a manifest with its checksum."""
    np.savez(folder / GOLDEN, samples=np.array([{"a": 1}], dtype=object))
    tiny.write_manifest(folder, "tiny", 1, "autoencoder")


def garbled_graph(folder: Path) -> None:
    """Write bytes that are not a graph, and a manifest with their checksum."""
    (folder / DECODER).write_bytes(b"garbage")
    tiny.write_manifest(folder, "tiny", 1, "autoencoder")


def graph_that_fails_when_it_runs(folder: Path) -> None:
    """Write a valid graph that gathers a column that does not exist."""
    model = tiny.encoder_graph((1, 2, 2), variational=False)
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([9, 9, 9, 9]), "nine"))
    model.graph.node.insert(1, onnx.helper.make_node("Gather", ["flat", "nine"], ["gathered"], axis=1))
    model.graph.node[2].input[0] = "gathered"
    onnx.save(model, folder / ENCODER)
    tiny.write_manifest(folder, "tiny", 1, "autoencoder")


def golden_array(folder: Path) -> None:
    """Write a golden archive that is a single array."""
    with (folder / GOLDEN).open("wb") as file:
        np.save(file, np.zeros(3))
    tiny.write_manifest(folder, "tiny", 1, "autoencoder")


def golden_words(folder: Path) -> None:
    """Write golden samples that are words."""
    words = np.full((3, 1, 2, 2), "word")
    np.savez(folder / GOLDEN, samples=words, latents=np.zeros((3, 2)), reconstructions=words)
    tiny.write_manifest(folder, "tiny", 1, "autoencoder")


def other_bytes(folder: Path) -> None:
    """Change the last byte of a graph."""
    content = (folder / DECODER).read_bytes()
    (folder / DECODER).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def pipe(path: Path) -> None:
    """Put a named pipe in place of a file: to open it waits for a writer, who never comes."""
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def folder_for_golden(folder: Path) -> None:
    """Put a folder in place of the golden samples."""
    (folder / GOLDEN).unlink()
    (folder / GOLDEN).mkdir()


BREAKAGES: list[tuple[str, Callable[[Path], object], str]] = [
    ("no manifest", lambda folder: (folder / MANIFEST).unlink(), "model.json is missing"),
    ("half a manifest", lambda folder: (folder / MANIFEST).write_text('{"format": 1,'), "Invalid JSON"),
    ("unknown member", lambda folder: edit_manifest(folder, colour="blue"), "colour: Extra inputs"),
    ("other version", lambda folder: edit_manifest(folder, version=3), "lies in tiny/1"),
    ("no graph", lambda folder: (folder / ENCODER).unlink(), "encoder.onnx is missing"),
    ("other size", lambda folder: (folder / DECODER).write_bytes(b"garbage"), "it has 7 bytes instead of"),
    ("other bytes", other_bytes, "its checksum differs"),
    ("empty file", lambda folder: (folder / DECODER).write_bytes(b""), "it has 0 bytes instead of"),
    ("large manifest", lambda folder: edit_manifest(folder, description="x" * 2**20), "expected at most 1048576 bytes"),
    ("pipe for a graph", lambda folder: pipe(folder / ENCODER), "encoder.onnx is not a regular file"),
    ("pipe for the manifest", lambda folder: pipe(folder / MANIFEST), "it is not a regular file"),
    ("pipe that nobody names", lambda folder: pipe(folder / "weights.bin"), "weights.bin is not a regular file"),
    ("device", lambda folder: (folder / "card.md").symlink_to("/dev/zero"), "card.md is not a regular file"),
    ("folder for a file", folder_for_golden, "golden.npz cannot be read: it is not a regular file"),
    ("no graph at all", garbled_graph, "decoder.onnx cannot be loaded"),
    ("fails when it runs", graph_that_fails_when_it_runs, "the model cannot be run"),
    ("golden array", golden_array, "golden.npz cannot be read"),
    ("golden words", golden_words, "samples: expected numbers"),
    ("pickle", pickled_golden, "golden.npz cannot be read"),
]


DENOISER_BREAKAGES: list[tuple[str, Callable[[Path], object], str]] = [
    ("no denoiser", lambda folder: (folder / DENOISER).unlink(), "denoiser.onnx is missing"),
    ("other denoiser", lambda folder: (folder / DENOISER).write_bytes(b"garbage"), "it has 7 bytes instead of"),
    ("misshapen denoiser", other_denoiser, "expected the inputs samples float [1, 2, 2] for each row"),
]


@pytest.mark.parametrize(("breakage", "damage", "reason"), DENOISER_BREAKAGES, ids=[b[0] for b in DENOISER_BREAKAGES])
def test_a_broken_denoiser_is_reported_and_the_pair_is_not_served_without_it(
    tmp_path: Path, breakage: str, damage: Callable[[Path], object], reason: str
) -> None:
    folder = tiny.write_version(tmp_path, family="denoising-autoencoder", denoiser=True)
    load_version(folder, "tiny", 1)
    damage(folder)
    with pytest.raises(InvalidModel, match=re.escape(reason)):
        load_version(folder, "tiny", 1)


PRIOR_BREAKAGES: list[tuple[str, Callable[[Path], object], str]] = [
    ("no prior", lambda folder: (folder / PRIOR).unlink(), "prior.onnx is missing"),
    ("other bytes", lambda folder: (folder / PRIOR).write_bytes(b"garbage"), "it has 7 bytes instead of"),
    ("wide", other_prior(tiny.prior_graph(noise_dim=4)), "expected the inputs noise float [3] for each row, found"),
    ("labels", other_prior(tiny.prior_graph(conditional=True)), "expected the inputs noise float [3] for each row"),
    ("decoder", other_prior(tiny.decoder_graph((1, 2, 2), clip=True)), "found latents float [2]"),
    ("random", other_prior(tiny.prior_graph(random=True)), "gives other latents in another order of its rows"),
    ("mixed rows", other_prior(prior_of_mixed_rows()), "gives other latents in another order of its rows"),
    ("infinite", other_prior(infinite_prior()), "they lead to infinite latents"),
    ("no member", lambda folder: edit_manifest(folder, prior=None), "prior.onnx must be in files if, and only if"),
]


@pytest.mark.parametrize(("breakage", "damage", "reason"), PRIOR_BREAKAGES, ids=[b[0] for b in PRIOR_BREAKAGES])
def test_a_broken_prior_is_reported_and_the_pair_is_not_served_without_it(
    tmp_path: Path, breakage: str, damage: Callable[[Path], object], reason: str
) -> None:
    folder = tiny.write_version(tmp_path, prior=True)
    load_version(folder, "tiny", 1)
    damage(folder)
    with pytest.raises(InvalidModel, match=re.escape(reason)):
        load_version(folder, "tiny", 1)


def test_a_manifest_of_a_newer_format_is_refused_for_that_and_not_for_its_members(tmp_path: Path) -> None:
    folder = tiny.write_version(tmp_path)
    edit_manifest(folder, format=3, colour="blue")
    with pytest.raises(
        InvalidModel, match=r"^model\.json: format: this server reads formats 1 and 2, and not 3; a newer"
    ):
        load_version(folder, "tiny", 1)


@pytest.mark.parametrize(("breakage", "damage", "reason"), BREAKAGES, ids=[b[0] for b in BREAKAGES])
def test_a_broken_version_is_reported_and_the_others_are_loaded(
    tmp_path: Path, breakage: str, damage: Callable[[Path], object], reason: str
) -> None:
    tiny.write_version(tmp_path, "whole")
    damage(tiny.write_version(tmp_path, "tiny"))
    with capture_logs() as lines:
        models = load_repository(tmp_path)
    assert [model.manifest.name for model in models] == ["whole"]
    skipped = [line for line in lines if line["event"] == "version skipped"]
    assert [line["model"] for line in skipped] == ["tiny"]
    assert reason in skipped[0]["reason"]


def test_a_graph_that_does_not_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repository, "MAX_CHECK_SECONDS", 0.1)
    folder = write_endless(tmp_path, turns=MANY_TURNS)
    with pytest.raises(InvalidModel, match=r"golden samples cannot be checked: the model ran for more than 0\.1 s"):
        load_version(folder, "endless", 1)


def test_a_link_to_a_regular_file_is_followed(tmp_path: Path) -> None:
    folder = tiny.write_version(tmp_path)
    (folder / ENCODER).rename(tmp_path / "elsewhere.onnx")
    (folder / ENCODER).symlink_to(tmp_path / "elsewhere.onnx")
    assert load_version(folder, "tiny", 1).manifest.name == "tiny"


def test_a_broken_newest_version_does_not_hide_the_one_before(tmp_path: Path) -> None:
    tiny.write_version(tmp_path, version=1)
    (tiny.write_version(tmp_path, version=2) / MANIFEST).unlink()
    assert [model.manifest.version for model in load_repository(tmp_path)] == [1]


def test_other_folders_and_files_are_ignored(tmp_path: Path) -> None:
    tiny.write_version(tmp_path)
    (tmp_path / "README.md").write_text("hello")
    (tmp_path / "tiny" / ".2-99.partial").mkdir()
    (tmp_path / "tiny" / "01").mkdir()
    (tmp_path / ".git").mkdir()
    with capture_logs() as lines:
        models = load_repository(tmp_path)
    assert [model.manifest.version for model in models] == [1]
    assert [Path(line["path"]).name for line in lines if "path" in line] == ["01"]


def test_a_folder_that_cannot_be_read_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny.write_version(tmp_path)
    (tmp_path / "lost+found").mkdir()
    listed = Path.iterdir

    def iterdir(folder: Path) -> Iterator[Path]:
        if folder.name == "lost+found":  # root, who runs some tests, may read anything
            raise PermissionError(13, "Permission denied", str(folder))
        return listed(folder)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    with capture_logs() as lines:
        models = load_repository(tmp_path)
    assert [model.manifest.name for model in models] == ["tiny"]
    reason = f"cannot be read by user {os.getuid()}: Permission denied"
    assert [line["reason"] for line in lines if line["event"] == "folder skipped"] == [reason]


def test_a_repository_without_valid_models_is_refused_in_one_sentence(tmp_path: Path) -> None:
    root = tmp_path / "models"
    with pytest.raises(NoModels, match=r"no valid model in .*models, which does not exist: set HOURGLASS_MODELS_DIR"):
        load_repository(root)
    root.mkdir()
    with pytest.raises(NoModels, match=r"no valid model in .*models, which is empty: set HOURGLASS_MODELS_DIR"):
        load_repository(root)
    for version in (1, 2):
        (tiny.write_version(root, version=version) / MANIFEST).unlink()
    expected = r"no valid model in .*models: tiny/1: model.json is missing; 1 more are in the log$"
    with pytest.raises(NoModels, match=expected):
        load_repository(root)


def test_a_file_that_cannot_be_read_refuses_its_version_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny.write_version(tmp_path, "open")
    tiny.write_version(tmp_path, "closed")
    opened = Path.open

    def open_file(path: Path, mode: str = "r") -> object:
        if path.parent.parent.name == "closed" and path.name == ENCODER:  # root, who runs some tests, may read anything
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, mode)

    monkeypatch.setattr(Path, "open", open_file)
    with capture_logs() as lines:
        models = load_repository(tmp_path)
    assert [model.manifest.name for model in models] == ["open"]
    reason = f"encoder.onnx cannot be read by user {os.getuid()}: Permission denied"
    assert [line["reason"] for line in lines if line["event"] == "version skipped"] == [reason]


def fill(folder: Path, version: int) -> str:
    """Write the files of a tiny version, and return the word `written`."""
    made = tiny.write_version(folder.parent / "source", "tiny", version)
    for file in made.iterdir():
        file.rename(folder / file.name)
    return "written"


def test_a_version_gets_the_next_number(tmp_path: Path) -> None:
    for version in (1, 2, 10):
        tiny.write_version(tmp_path, version=version)
    (tmp_path / "tiny" / "11x").mkdir()
    assert next_version(tmp_path / "tiny") == 11
    assert next_version(tmp_path / "new") == 1


def test_a_written_version_can_be_loaded(tmp_path: Path) -> None:
    folder, result = write_version(tmp_path, "tiny", fill)
    assert (folder, result) == (tmp_path / "tiny" / "1", "written")
    assert load_version(folder, "tiny", 1).manifest.version == 1


def test_an_invalid_version_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(InvalidModel, match=r"model\.json is missing"):
        write_version(tmp_path, "tiny", lambda folder, _: (folder / ENCODER).write_bytes(b"garbage"))
    assert list(tmp_path.iterdir()) == []


def test_a_version_of_another_process_is_not_overwritten(tmp_path: Path) -> None:
    def fill_beside(folder: Path, version: int) -> None:
        fill(folder, version)
        (folder.parent / str(version)).mkdir()  # another process is faster

    with pytest.raises(VersionTaken, match="written by another process"):
        write_version(tmp_path, "tiny", fill_beside)
    assert [path.name for path in (tmp_path / "tiny").iterdir() if path.name != "source"] == ["1"]
