"""Models in the wrong place are found and named, with the place where they belong."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app import files, places
from app.places import absence, in_container, inside, level_of, misplaced, mount_points, warn_of_misplaced_models
from tests.helpers import tiny


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Write a repository with one version: tiny/3."""
    root = tmp_path / "repository"
    tiny.write_version(root, "tiny", 3)
    return root


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the process run in a container whose only volume is the folder that is returned."""
    volume = tmp_path / "a volume"
    volume.mkdir()
    mounts = tmp_path / "mountinfo"
    escaped = str(volume).replace(" ", "\\040")
    mounts.write_text(
        f"22 1 8:1 / / rw - overlay o rw\n23 22 8:1 /x {escaped} ro,relatime shared:1 - ext4 /dev/vda rw\n"
    )
    monkeypatch.setattr(places, "MOUNTS", mounts)
    monkeypatch.setattr(places, "USUAL_PLACES", ())
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    return volume


def test_each_level_of_a_repository_is_recognised(repository: Path, tmp_path: Path) -> None:
    assert level_of(repository) == "repository"
    assert level_of(repository / "tiny") == "model"
    assert level_of(repository / "tiny" / "3") == "version"
    assert level_of(tmp_path) is None
    assert level_of(tmp_path / "nowhere") is None


def test_mount_points_are_those_of_volumes() -> None:
    text = (
        "1 0 0:1 / / rw - overlay overlay rw\n"
        "2 1 0:2 / /proc rw,nosuid - proc proc rw\n"
        "3 1 0:3 / /dev/shm rw - tmpfs shm rw\n"
        "4 1 8:1 /home/me/my\\040models /srv/my\\040models ro master:1 - ext4 /dev/sda1 rw\n"
        "5 1 8:1 /h /etc/hosts rw - ext4 /dev/sda1 rw\n"
    )
    assert mount_points(text) == [Path("/srv/my models"), Path("/etc/hosts")]


def test_a_missing_repository_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    remedy = "set HOURGLASS_MODELS_DIR to a folder that holds <name>/<version>/model.json"
    assert absence(tmp_path / "none") == f"no valid model in {tmp_path}/none, which does not exist: {remedy}"
    assert absence(tmp_path / "empty") == f"no valid model in {tmp_path}/empty, which is empty: {remedy}"
    assert absence(tmp_path / "file") == (
        f"no valid model in {tmp_path}/file, which cannot be read: Not a directory: {remedy}"
    )
    assert absence(tmp_path) == f"no valid model in {tmp_path}: {remedy}"


def test_the_first_reason_is_given(repository: Path) -> None:
    assert absence(repository, ["tiny/3: a", "tiny/4: b", "tiny/5: c"]) == (
        f"no valid model in {repository}: tiny/3: a; 2 more are in the log"
    )


def test_a_level_too_low_is_named_with_its_repository(repository: Path) -> None:
    assert absence(repository / "tiny") == (
        f"no valid model in {repository}/tiny, which is a model without its repository: "
        f"set HOURGLASS_MODELS_DIR={repository}"
    )
    assert absence(repository / "tiny" / "3").endswith(
        f", which is a version of a model without its repository: set HOURGLASS_MODELS_DIR={repository}"
    )


def test_a_level_that_is_mounted_as_the_repository_is_named_with_its_place(repository: Path, tmp_path: Path) -> None:
    model = (repository / "tiny").rename(tmp_path / "models")
    assert absence(model) == (
        f"no valid model in {model}, which is a model without its repository: mount it at {model}/tiny"
    )
    version = (model / "3").rename(tmp_path / "version")
    assert absence(version) == (
        f"no valid model in {version}, which is a version of a model without its repository: "
        f"mount it at {version}/tiny/3"
    )
    (version / "model.json").write_text("no JSON")
    assert absence(version).endswith(f"mount it at {version}/<name>/<version>")


def test_a_repository_one_level_too_deep_is_named(repository: Path) -> None:
    root = repository.parent
    assert absence(root) == (
        f"no valid model in {root}: a model repository is at {repository}: "
        f"mount it at {root}, or set HOURGLASS_MODELS_DIR={repository}"
    )


@pytest.mark.parametrize("closed", ["", "tiny"])
def test_a_folder_that_cannot_be_read_is_named_with_the_user(
    closed: str, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = files.list_folder

    def list_folder(folder: Path) -> list[Path]:
        if folder == repository / closed:  # root, who runs some tests, may read anything
            raise PermissionError(errno.EACCES, "Permission denied", str(folder))
        return listed(folder)

    monkeypatch.setattr(places, "list_folder", list_folder)
    monkeypatch.setattr("os.getuid", lambda: 10001)
    assert absence(repository).startswith(
        f"no valid model in {repository}: {repository / closed} cannot be read by user 10001: Permission denied; let "
    )


def test_models_in_another_volume_are_named(repository: Path, container: Path, tmp_path: Path) -> None:
    served = tmp_path / "served"
    tiny.write_version(served, "other")
    tiny.write_version(container, "tiny")
    with capture_logs() as lines:
        warn_of_misplaced_models(served)
    assert lines == [
        {
            "event": f"a model repository is at {container}, where it is not served",
            "log_level": "warning",
            "path": str(container),
            "served": str(served),
            "remedy": f"mount it at {served}, or set HOURGLASS_MODELS_DIR={container}",
        }
    ]
    (tmp_path / "empty").mkdir()
    assert absence(tmp_path / "empty") == (
        f"no valid model in {tmp_path}/empty, which is empty: a model repository is at {container}: "
        f"mount it at {tmp_path}/empty, or set HOURGLASS_MODELS_DIR={container}"
    )


def test_a_volume_that_is_served_is_not_misplaced(container: Path, tmp_path: Path) -> None:
    tiny.write_version(container, "tiny")
    (tmp_path / "link").symlink_to(container)
    for root in (container, tmp_path / "link"):
        with capture_logs() as lines:
            warn_of_misplaced_models(root)
        assert lines == []


def test_each_level_elsewhere_has_its_remedy(repository: Path, tmp_path: Path) -> None:
    served = tmp_path / "served"
    found = {
        item.level: item.remedy
        for place in (repository, repository / "tiny", repository / "tiny" / "3")
        for item in misplaced([place], served)
    }
    assert found == {
        "repository": f"mount it at {served}, or set HOURGLASS_MODELS_DIR={repository}",
        "model": f"mount it at {served}/tiny",
        "version": f"mount it at {served}/tiny/3",
    }


def test_the_folder_models_of_a_volume_is_looked_at(tmp_path: Path) -> None:
    tiny.write_version(tmp_path / "data" / "models")
    (item,) = misplaced([tmp_path / "data"], tmp_path / "served")
    assert item.path == tmp_path / "data" / "models"


def test_levels_inside_a_repository_are_named(repository: Path, tmp_path: Path) -> None:
    tiny.write_version(repository / "deep", "inner")
    (repository / "tiny" / "3").rename(repository / "flat")
    assert [(item.path.name, item.level, item.remedy) for item in inside(repository)] == [
        ("deep", "repository", f"mount it at {repository}, or set HOURGLASS_MODELS_DIR={repository}/deep"),
        ("flat", "version", f"move it to {repository}/flat/<version>"),
    ]


def test_a_look_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "MAX_ENTRIES", 2)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    tiny.write_version(tmp_path, "tiny")
    assert level_of(tmp_path) is None


def test_volumes_are_looked_at_in_a_container_only(
    container: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.write_version(container, "tiny")
    assert len(places.outside(tmp_path / "served")) == 1
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST")
    monkeypatch.setattr(places, "CONTAINER_FILES", (tmp_path / ".dockerenv",))
    assert places.outside(tmp_path / "served") == []
    (tmp_path / ".dockerenv").touch()
    assert in_container()
