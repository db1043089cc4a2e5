"""The distribution knows its models, and how to install what is missing."""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path

import pytest

import app.distribution
from app.distribution import NAME, bundled_models, install_command, installed_version, missing_packages

ROOT = Path(__file__).parent.parent.parent
METADATA = """Metadata-Version: 2.4
Name: hourglass-autoencoders
Version: 9.8.7
Requires-Dist: no-such-server-package>=1
Requires-Dist: no.such_package>=2.9; extra == "train"
Requires-Dist: no-such-part[progress]; extra == 'train'
Requires-Dist: pydantic>=2; extra == "train"
Requires-Dist: no-such-tool; extra == "training-tools"
"""


@pytest.fixture
def metadata(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the metadata of an installed distribution that is found before the real one; it is no checkout."""
    folder = tmp_path / "hourglass_autoencoders-9.8.7.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(METADATA)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(app.distribution, "CHECKOUT", tmp_path)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    return folder


def test_the_distribution_has_the_name_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (project["name"], project["version"]) == (NAME, installed_version())


def test_missing_packages_of_an_extra_are_named(metadata: Path) -> None:
    assert metadata.is_dir()
    assert installed_version() == "9.8.7"
    assert missing_packages("train") == ["no.such_package", "no-such-part"]


@pytest.mark.parametrize(
    ("origin", "requirement"),
    [
        (None, "hourglass-autoencoders[train]"),
        ({"url": "file:///a/b.whl", "archive_info": {}}, "hourglass-autoencoders[train] @ file:///a/b.whl"),
        (
            {"url": "https://example.com/x.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}},
            "hourglass-autoencoders[train] @ git+https://example.com/x.git@abc",
        ),
    ],
)
@pytest.mark.parametrize(
    ("file", "tool"), [("pyvenv.cfg", "pip install"), ("pipx_metadata.json", "pipx install --force")]
)
def test_extras_are_installed_as_the_distribution_was(
    metadata: Path, origin: object, requirement: str, file: str, tool: str
) -> None:
    (metadata.parent / file).touch()
    if origin is not None:
        (metadata / "direct_url.json").write_text(json.dumps(origin))
    assert install_command("train") == f"{tool} '{requirement}'"


def test_a_checkout_names_its_own_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "prefix", str(ROOT / ".venv"))
    assert install_command("train") == "make .venv/.train"
    assert install_command("import") == f"pip install --editable '{ROOT}[import]'"
    monkeypatch.chdir(tmp_path)
    assert install_command("train") == f"make -C {ROOT} .venv/.train"
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert install_command("train") == f"pip install --editable '{ROOT}[train]'"


def test_the_bundled_models_lie_in_the_checkout_or_in_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bundled_models() == ROOT / "models"
    monkeypatch.setattr(app.distribution, "CHECKOUT", tmp_path)
    monkeypatch.setattr(app.distribution, "PACKAGE", tmp_path / "app")
    (tmp_path / "models").mkdir()  # the models of another distribution
    assert bundled_models() is None
    (tmp_path / "app" / "bundled").mkdir(parents=True)
    assert bundled_models() == tmp_path / "app" / "bundled"
