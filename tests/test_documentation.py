"""The documents say what is so."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from app import errors
from app.engine.repository import load_version
from app.manifest import Manifest
from app.settings import TRAINING_VARIABLES, Settings
from tests.helpers.process import environment, run_shell, serving, use_address

ROOT = Path(__file__).parent.parent
COLUMNS = ["mse", "pca_mse", "untrained_mse", "bce", "ssim", "knn_accuracy", "pca_knn_accuracy", "trustworthiness"]
"""Of the table of the models, after the number of latents."""
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]


def table(document: str) -> dict[str, list[str]]:
    """The cells of a Markdown document's table rows, by the first cell without its backticks."""
    rows = re.findall(r"^\| *`([^`]+)` *\|(.*)\|$", (ROOT / document).read_text(), re.MULTILINE)
    return {name: [cell.strip().strip("`") for cell in cells.split("|")] for name, cells in reversed(rows)}


def test_every_setting_is_documented_with_its_default() -> None:
    documented = table("docs/reference/settings.md")
    settings = {f"HOURGLASS_{name.upper()}": str(field.default) for name, field in Settings.model_fields.items()}
    assert documented.keys() == settings.keys() | TRAINING_VARIABLES
    for name, default in settings.items():
        assert documented[name][0] == default, name


def service_errors(base: type[errors.ServiceError] = errors.ServiceError) -> Iterator[type[errors.ServiceError]]:
    """All errors that a client can get."""
    for child in base.__subclasses__():
        yield child
        yield from service_errors(child)


def test_every_error_is_documented_with_its_status_cause_and_remedy() -> None:
    documented = table("docs/reference/errors.md")
    assert {code: int(cells[0]) for code, cells in documented.items()} == {
        error.code: error.status for error in service_errors()
    }
    for code, cells in documented.items():
        _, cause, remedy = cells
        assert cause.endswith("."), code
        assert remedy.endswith("."), code
    drawn = [
        (name, int(status))
        for status, names in re.findall(r"[├└]── (\d{3})  (.+)", str(errors.__doc__))
        for name in re.findall(r"\w+", names)
    ]
    assert sorted(drawn) == sorted((error.__name__, error.status) for error in service_errors())


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_variables_that_are_named_exist(document: Path) -> None:
    known = {f"HOURGLASS_{name.upper()}" for name in Settings.model_fields} | TRAINING_VARIABLES
    assert set(re.findall(r"HOURGLASS_[A-Z]+(?:_[A-Z]+)*", document.read_text())) <= known


def test_every_member_of_the_manifest_is_documented() -> None:
    text = (ROOT / "docs/reference/manifest.md").read_text()
    assert {name for name in Manifest.model_fields if f"`{name}`" not in text} == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    text = document.read_text()
    links = [*re.findall(r"\]\(([^)#]+)[^)]*\)", text), *re.findall(r'src="([^"]+)"', text)]
    for link in links:
        if "://" not in link:
            assert (document.parent / link).exists(), link


def test_the_changelog_knows_this_version() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert re.search(rf"^## {re.escape(project['version'])}\b", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_the_constraints_pin_torch_and_every_direct_dependency() -> None:
    import tomllib

    def canonical(name: str) -> str:
        return re.sub(r"[-_.]+", "-", re.split(r"[\[>=<]", name)[0]).lower()

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines), "pins without a local part"
    assert "torch==2.13.0" in lines
    direct = [*project["dependencies"], *(d for extra in project["optional-dependencies"].values() for d in extra)]
    assert {canonical(name) for name in direct} <= {canonical(line) for line in lines}


def shell_blocks(document: str) -> list[str]:
    """The commands of a document's ```sh blocks."""
    return re.findall(r"```sh\n(.*?)```", (ROOT / document).read_text(), re.DOTALL)


def test_the_readmes_commands_give_what_it_shows(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text()
    pairs = re.findall(r"```sh\n(curl [^`]*)```\n+```json\n([^`]*)```", text)
    pictures = [block for block in shell_blocks("README.md") if "--output" in block]
    assert pairs
    assert pictures
    with serving(models_dir=str(ROOT / "models")) as (_, address, _):
        for command, shown in pairs:
            answer = run_shell(use_address(command, address), ROOT)
            assert_alike(json.loads(answer), json.loads(shown))
        (tmp_path / "docs").symlink_to(ROOT / "docs")
        for block in pictures:
            run_shell(use_address(block, address), tmp_path)
            for name in re.findall(r"--output (\S+)", block):
                assert np.asarray(Image.open(tmp_path / name)).max() > 200


def assert_alike(found: object, shown: object) -> None:
    """The same JSON, numbers to three digits: processors differ in the last."""
    if isinstance(shown, dict):
        assert isinstance(found, dict)
        assert found.keys() == shown.keys()
        for key in shown.keys() - {"request_id"}:  # each request has its own
            assert_alike(found[key], shown[key])
    elif isinstance(shown, list):
        assert isinstance(found, list)
        np.testing.assert_allclose(found, shown, rtol=1e-3, atol=1e-3)
    else:
        assert found == shown


def test_make_alone_lists_the_targets_and_the_readme_names_only_those() -> None:
    listed = run_shell("make", ROOT)
    targets = set(re.findall(r"^  make ([\w-]+)", listed, re.MULTILINE))
    assert {"serve", "test", "train", "lint", "format", "clean"} <= targets
    named = {name for document in DOCUMENTS for name in re.findall(r"(?:`|^)make ([\w-]+)", document.read_text(), re.M)}
    assert named <= targets


def test_make_serve_serves_the_bundled_models() -> None:
    if not (ROOT / ".venv" / ".serve").exists():
        pytest.skip("make has not set up .venv here")
    process = subprocess.Popen(
        ["make", "serve"],
        cwd=ROOT,
        env={**environment(port="0"), "MAKEFLAGS": ""},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if found := re.search(r"Uvicorn running on (http://[\d.]+:\d+)", line):
                break
        else:
            raise AssertionError("make serve ended")
        models = httpx.get(f"{found.group(1)}/v1/models").json()["models"]
        assert {"mnist-ae", "mnist-sdae", "mnist-vae", "mnist-vae-2d"} <= {model["name"] for model in models}
    finally:
        os.killpg(process.pid, 15)
        process.wait(timeout=30)
        process.stderr.close()


def test_make_train_makes_a_model_that_can_be_served(tmp_path: Path) -> None:
    if not (ROOT / ".venv" / ".train").exists():
        pytest.skip("make has not set up .venv here")
    command = next(line for line in "".join(shell_blocks("README.md")).splitlines() if line.startswith("make train"))
    settings = environment(models_dir=str(tmp_path / "models"), cache_dir=str(tmp_path))
    ended = subprocess.run(
        [*command.split(), f"ARGS=--run-dir={tmp_path / 'run'}"],
        cwd=ROOT,
        env={**settings, "MAKEFLAGS": "", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr
    folder = tmp_path / "models" / "digits-vae" / "1"
    assert str(folder) in ended.stdout.splitlines()
    assert load_version(folder, "digits-vae", 1).generate(1, seed=0).shape == (1, 1, 8, 8)


def test_the_tables_of_the_models_are_those_of_their_manifests() -> None:
    rows = table("docs/models.md")
    for name in ("mnist-ae", "mnist-sdae", "mnist-vae", "mnist-vae-2d"):
        manifest = Manifest.read(ROOT / "models" / name / "1")
        values = {key: value for m in manifest.metrics[:2] for key, value in m.values.items()}
        assert [float(cell) for cell in rows[name][1:9]] == pytest.approx([values[key] for key in COLUMNS], abs=1e-4)
