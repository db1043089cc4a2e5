"""The reader loads what changed in a repository, keeps what did not, and reports what is broken."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app.engine.autoencoder import Autoencoder
from app.engine.batcher import Batcher
from app.engine.catalog import Catalog, Unavailable
from app.engine.offload import Offload
from app.engine.reload import RepositoryReader, fingerprint
from app.engine.served import RowLimits, ServedModel
from app.errors import NoModels, Refused, UnknownModel
from app.manifest import DECODER, ENCODER, MANIFEST
from tests.helpers import tiny

Serve = Callable[[Autoencoder], ServedModel]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Return a function that makes served models."""
    batcher, offload = Batcher(1, 100), Offload(1)
    yield lambda autoencoder: ServedModel(autoencoder, ["encode"], batcher, offload, RowLimits(16, 1000))
    batcher.close()
    offload.close()


@pytest.fixture
def reader(tmp_path: Path, serve: Serve) -> RepositoryReader:
    """Return a reader that has loaded `ae` version 1 and `vae` version 1."""
    tiny.write_version(tmp_path, "ae", 1)
    tiny.write_version(tmp_path, "vae", 1, family="variational-autoencoder")
    reader = RepositoryReader(tmp_path, serve)
    reader.load()
    return reader


def names(catalog: Catalog) -> list[str]:
    """Return the served versions as `name/version`."""
    return [f"{model.manifest.name}/{model.manifest.version}" for model in catalog.all_versions()]


def damage(folder: Path) -> None:
    """Give a version other bytes than its manifest names."""
    (folder / ENCODER).write_bytes(b"garbage")


def test_nothing_new_is_the_same_catalog(reader: RepositoryReader) -> None:
    catalog = reader.catalog
    assert names(catalog) == ["ae/1", "vae/1"]
    assert reader.look() is catalog
    assert reader.look(patient=False) is catalog


def test_a_repository_without_a_valid_version_is_refused(tmp_path: Path, serve: Serve) -> None:
    damage(tiny.write_version(tmp_path))
    with pytest.raises(NoModels, match=r"no valid model in .*: tiny/1: "):
        RepositoryReader(tmp_path, serve).load()
    with pytest.raises(NoModels):
        RepositoryReader(tmp_path / "nowhere", serve).load()


def test_a_new_version_is_loaded_once_its_files_stay_the_same(tmp_path: Path, reader: RepositoryReader) -> None:
    before = reader.catalog
    tiny.write_version(tmp_path, "ae", 2)
    assert reader.look() is before
    after = reader.look()
    assert names(after) == ["ae/1", "ae/2", "vae/1"]
    assert after.get("ae").manifest.version == 2
    assert after.get("ae", "1") is before.get("ae")
    assert after.get("vae") is before.get("vae")


def test_a_version_that_is_copied_slowly_is_not_a_problem(tmp_path: Path, reader: RepositoryReader) -> None:
    whole = tiny.write_version(tmp_path / ".elsewhere", "ae", 2)
    folder = tmp_path / "ae" / "2"
    folder.mkdir()
    with capture_logs() as lines:
        for file in sorted(whole.iterdir()):
            shutil.copy(file, folder / file.name)
            assert names(reader.look()) == ["ae/1", "vae/1"]
        assert (reader.catalog.problems, lines) == ((), [])
        assert names(reader.look()) == ["ae/1", "ae/2", "vae/1"]


def test_an_impatient_look_reads_at_once(tmp_path: Path, reader: RepositoryReader) -> None:
    tiny.write_version(tmp_path, "ae", 2)
    tiny.write_version(tmp_path, "vae", 2)
    assert names(reader.look(patient=False, only="vae")) == ["ae/1", "vae/1", "vae/2"]
    assert names(reader.look(patient=False)) == ["ae/1", "ae/2", "vae/1", "vae/2"]


def test_a_hidden_version_is_not_read(tmp_path: Path, reader: RepositoryReader) -> None:
    tiny.write_version(tmp_path, "ae", 2).rename(tmp_path / "ae" / ".2-77.partial")
    with capture_logs() as lines:
        assert reader.look(patient=False) is reader.look(patient=False)
    assert (names(reader.catalog), lines) == (["ae/1", "vae/1"], [])


def test_a_broken_version_is_reported_and_logged_once_and_the_old_goes_on(
    tmp_path: Path, reader: RepositoryReader
) -> None:
    before = reader.catalog
    damage(tiny.write_version(tmp_path, "ae", 2))
    with capture_logs() as lines:
        for _ in range(5):
            reader.look()
    assert [(line["event"], line["model"], line["version"]) for line in lines] == [("version skipped", "ae", 2)]
    (problem,) = reader.catalog.problems
    assert problem[:2] == ("ae", 2)
    assert "encoder.onnx is not the file that the manifest names" in problem.reason
    assert reader.catalog.get("ae") is before.get("ae")


def test_a_broken_version_that_is_mended_is_served(tmp_path: Path, reader: RepositoryReader) -> None:
    folder = tiny.write_version(tmp_path, "ae", 2)
    manifest = (folder / MANIFEST).read_bytes()
    (folder / MANIFEST).unlink()
    assert reader.look(patient=False).problems == (Unavailable("ae", 2, "model.json is missing"),)
    (folder / MANIFEST).write_bytes(manifest)
    reader.look()
    assert names(reader.look()) == ["ae/1", "ae/2", "vae/1"]
    assert reader.catalog.problems == ()


def test_a_served_version_whose_files_break_is_served_as_it_was(tmp_path: Path, reader: RepositoryReader) -> None:
    served = reader.catalog.get("ae")
    damage(tmp_path / "ae" / "1")
    catalog = reader.look(patient=False)
    assert catalog.get("ae") is served
    assert [problem[:2] for problem in catalog.problems] == [("ae", 1)]


def test_files_with_new_times_only_keep_the_served_model(tmp_path: Path, reader: RepositoryReader) -> None:
    before = reader.catalog
    for file in (tmp_path / "ae" / "1").iterdir():
        os.utime(file, (1, 1))
    assert reader.look(patient=False) is before


def test_a_version_with_other_content_replaces_the_served_one(tmp_path: Path, reader: RepositoryReader) -> None:
    served = reader.catalog.get("ae")
    shutil.rmtree(tmp_path / "ae" / "1")
    tiny.write_version(tmp_path, "ae", 1, family="denoising-autoencoder")
    replaced = reader.look(patient=False).get("ae")
    assert (served.manifest.family, replaced.manifest.family) == ("autoencoder", "denoising-autoencoder")


def test_versions_and_models_that_are_removed_are_not_served(tmp_path: Path, reader: RepositoryReader) -> None:
    tiny.write_version(tmp_path, "ae", 2)
    damage(tiny.write_version(tmp_path, "ae", 3))
    reader.look(patient=False)
    shutil.rmtree(tmp_path / "ae" / "2")
    shutil.rmtree(tmp_path / "ae" / "3")
    catalog = reader.look()
    assert catalog.get("ae").manifest.version == 1
    assert catalog.problems == ()
    shutil.rmtree(tmp_path / "ae")
    assert names(reader.look()) == ["vae/1"]


def test_the_last_models_stay_until_there_is_another(tmp_path: Path, reader: RepositoryReader) -> None:
    before = reader.catalog
    shutil.rmtree(tmp_path / "ae")
    shutil.rmtree(tmp_path / "vae")
    with capture_logs() as lines:
        assert all(reader.look() is before for _ in range(3))
        shutil.rmtree(tmp_path)
        assert all(reader.look() is before for _ in range(3))
    assert [line["event"] for line in lines] == ["last models kept", "repository not read"]
    tiny.write_version(tmp_path, "other")
    assert names(reader.look(patient=False)) == ["other/1"]


def test_a_folder_that_cannot_be_read_keeps_its_models(
    tmp_path: Path, reader: RepositoryReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, listed = reader.catalog, Path.iterdir

    def iterdir(folder: Path) -> Iterator[Path]:
        if folder.name == "ae":  # root, who runs some tests, may read anything
            raise PermissionError(13, "Permission denied")
        return listed(folder)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    with capture_logs() as lines:
        assert all(reader.look() is before for _ in range(3))
    reason = f"cannot be read by user {os.getuid()}: Permission denied"
    assert [(line["event"], line["reason"]) for line in lines] == [("folder skipped", reason)]


def test_a_folder_that_vanishes_during_the_look_is_gone(
    tmp_path: Path, reader: RepositoryReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = Path.iterdir

    def iterdir(folder: Path) -> Iterator[Path]:
        if folder.name == "ae":
            shutil.rmtree(folder)
        return listed(folder)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    assert names(reader.look()) == ["vae/1"]


def test_other_files_are_logged_once(tmp_path: Path, reader: RepositoryReader) -> None:
    (tmp_path / "README.md").write_text("hello")
    (tmp_path / "ae" / "01").mkdir()
    with capture_logs() as lines:
        reader.look()
        reader.look()
    assert [(line["event"], Path(line["path"]).name) for line in lines] == [("folder skipped", "01")]


def test_a_link_that_leads_nowhere_is_no_error(tmp_path: Path, reader: RepositoryReader) -> None:
    (tmp_path / "ae" / "1" / "card.md").symlink_to(tmp_path / "nowhere")
    assert names(reader.look(patient=False)) == ["ae/1", "vae/1"]
    assert reader.catalog.problems == ()


def test_a_model_that_cannot_be_measured_is_a_problem(tmp_path: Path, serve: Serve) -> None:
    def fail(autoencoder: Autoencoder) -> ServedModel:
        if autoencoder.manifest.version == 2:
            raise RuntimeError("the graph fails")
        return serve(autoencoder)

    tiny.write_version(tmp_path, "ae", 1)
    tiny.write_version(tmp_path, "ae", 2)
    catalog = RepositoryReader(tmp_path, fail).load()
    assert names(catalog) == ["ae/1"]
    assert catalog.problems == (Unavailable("ae", 2, "RuntimeError: the graph fails"),)


def test_an_unloaded_model_stays_away_until_it_is_loaded(tmp_path: Path, reader: RepositoryReader) -> None:
    assert names(reader.unload_model("ae")) == ["vae/1"]
    assert list(reader.catalog.unloaded) == [Unavailable("ae", 1, "unloaded")]
    tiny.write_version(tmp_path, "ae", 2)
    reader.look(patient=False)
    assert names(reader.look(patient=False)) == ["vae/1"]
    assert [version[:2] for version in reader.catalog.unloaded] == [("ae", 1), ("ae", 2)]
    assert names(reader.load_model("ae")) == ["ae/1", "ae/2", "vae/1"]
    assert not reader.catalog.unloaded


def test_loading_reads_a_broken_version_again(tmp_path: Path, reader: RepositoryReader) -> None:
    folder = tiny.write_version(tmp_path, "ae", 2)
    damage(folder)
    reader.look(patient=False)
    with capture_logs() as lines:
        assert len(reader.load_model("ae").problems) == 1
    assert [line["event"] for line in lines] == ["version skipped"]
    (folder / DECODER).unlink()
    (folder / ENCODER).unlink()
    reader.load_model("ae")
    assert "missing" in reader.catalog.problems[0].reason


def test_only_models_of_the_repository_are_loaded_and_unloaded(reader: RepositoryReader) -> None:
    with pytest.raises(UnknownModel, match="no model 'nobody'"):
        reader.load_model("nobody")
    with pytest.raises(UnknownModel, match="no model 'nobody'"):
        reader.unload_model("nobody")
    reader.unload_model("ae")
    with pytest.raises(Refused, match="'vae' is the last one"):
        reader.unload_model("vae")


def test_a_bounded_number_of_files_is_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.engine.reload.MAX_FILES", 2)
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    assert len(fingerprint(tmp_path)) == 2


def test_a_link_without_a_target_is_no_version(tmp_path: Path, reader: RepositoryReader) -> None:
    (tmp_path / "ae" / "2").symlink_to(tmp_path / "nowhere")
    with capture_logs() as lines:
        assert names(reader.look(patient=False)) == ["ae/1", "vae/1"]
    assert lines == []
