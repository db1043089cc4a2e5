"""The documents are true: their tables, links, names and commands."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app import errors
from app.engine.repository import load_version
from app.manifest import Manifest
from app.settings import TRAINING_VARIABLES, Settings
from tests.helpers.process import environment, run_shell

ROOT = Path(__file__).parent.parent
COLUMNS = ["mse", "pca_mse", "untrained_mse", "bce", "ssim", "knn_accuracy", "pca_knn_accuracy", "trustworthiness"]
"""The columns of the table of the models, after the number of latents."""
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "examples").glob("*.md"), *(ROOT / "docs").rglob("*.md")]
NAMED_FILE = re.compile(r"`((?:app|bench|docker|docs|examples|tests|training)/[\w/.-]*)`")
NOT_PROSE = r"^(```.*?^```|<!-- bench:.*?<!-- /bench -->|\|.*?$|#.*?$)"
"""Code, what the benchmark wrote, tables and headings."""
SENTENCE_END = re.compile(r"[a-z\d)`%*][.!?] (?=[A-Z`*\[])")


def table(document: str) -> dict[str, list[str]]:
    """Return the cells of a document's table rows, by the first cell without its backticks."""
    rows = re.findall(r"^\| *`([^`]+)` *\|(.*)\|$", (ROOT / document).read_text(), re.MULTILINE)
    return {name: [cell.strip().strip("`") for cell in cells.split("|")] for name, cells in reversed(rows)}


def test_every_setting_is_documented_with_its_default() -> None:
    documented = table("docs/reference/settings.md")
    settings = {f"HOURGLASS_{name.upper()}": str(field.default) for name, field in Settings.model_fields.items()}
    settings["HOURGLASS_MODELS_DIR"] = "models"  # or, if that holds no version, the models of the package
    assert documented.keys() == settings.keys() | TRAINING_VARIABLES
    for name, default in settings.items():
        assert documented[name][0] == default, name


def service_errors(base: type[errors.ServiceError] = errors.ServiceError) -> Iterator[type[errors.ServiceError]]:
    """Yield every error that a client can get."""
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
def test_documents_name_only_variables_that_exist(document: Path) -> None:
    known = {f"HOURGLASS_{name.upper()}" for name in Settings.model_fields} | TRAINING_VARIABLES
    assert set(re.findall(r"HOURGLASS_[A-Z]+(?:_[A-Z]+)*", document.read_text())) <= known


def test_every_member_of_the_manifest_is_documented() -> None:
    text = (ROOT / "docs/reference/manifest.md").read_text()
    assert {name for name in Manifest.model_fields if f"`{name}`" not in text} == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_of_documents_have_targets(document: Path) -> None:
    text = document.read_text()
    links = [*re.findall(r"\]\(([^)#]+)[^)]*\)", text), *re.findall(r'src="([^"]+)"', text)]
    for link in links:
        if "://" not in link:
            assert (document.parent / link).exists(), link


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_documents_name_only_files_that_exist(document: Path) -> None:
    missing = {name for name in NAMED_FILE.findall(document.read_text()) if not (ROOT / name).exists()}
    assert missing == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_prose_has_one_sentence_per_line(document: Path) -> None:
    prose = re.sub(NOT_PROSE, "", document.read_text(), flags=re.DOTALL | re.MULTILINE)
    lines = [re.sub(r"^ *\d+\. ", "", line) for line in prose.splitlines()]
    assert [line for line in lines if SENTENCE_END.search(line)] == []


BENCHMARKED = {
    "Hourglass": "hourglass",
    "a bare ASGI callable, without any checks": "floor",
    "a typical FastAPI app": "written",
    "LitServe 0.2.19": "litserve",
    "BentoML 1.4.39": "bentoml",
    "MLServer 1.7.1": "mlserver",
    "Ray Serve 2.60.0": "ray",
}
"""The servers of the shorter tables of speed, and their names in docs/benchmarks.md."""


def rates(document: str) -> dict[str, list[str]]:
    """Return the first table of a document whose columns are the benchmark's loads, without ratios."""
    _, _, rest = (ROOT / document).read_text().partition("| server | JSON, 1 sample |")
    lines = rest.partition("\n\n")[0].partition("<!--")[0].splitlines()[2:]
    rows = [[cell.partition(" (")[0].strip() for cell in line.strip("|").split("|")] for line in lines]
    return {name: numbers for name, *numbers in rows}


@pytest.mark.parametrize("document", ["README.md", "docs/comparison.md"])
def test_tables_of_speed_repeat_the_benchmark(document: str) -> None:
    benchmark = rates("docs/benchmarks.md")
    shown = rates(document)
    assert len(shown) >= 3
    assert shown == {name: benchmark[BENCHMARKED[name]] for name in shown}
    for name in shown:
        *_, version = name.split()
        if version[0].isdigit():
            assert f"=={version}\n" in (ROOT / f"bench/requirements/{BENCHMARKED[name]}.txt").read_text()


def test_the_changelog_lists_this_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert re.search(rf"^## {re.escape(project['version'])}\b", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_the_constraints_pin_torch_and_every_direct_dependency() -> None:
    def canonical(name: str) -> str:
        return re.sub(r"[-_.]+", "-", re.split(r"[\[>=<]", name)[0]).lower()

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines), "pins without a local part"
    assert "torch==2.13.0" in lines
    direct = [*project["dependencies"], *(d for extra in project["optional-dependencies"].values() for d in extra)]
    assert {canonical(name) for name in direct} <= {canonical(line) for line in lines}


def shell_blocks(document: str) -> list[str]:
    """Return the commands of a document's ```sh blocks."""
    return re.findall(r"```sh\n(.*?)```", (ROOT / document).read_text(), re.DOTALL)


def test_documents_name_only_targets_that_make_lists() -> None:
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
        env={**environment(port="0"), "MAKEFLAGS": "", "ARGS": ""},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    lines = []
    try:
        for line in process.stderr:
            lines.append(line)
            if listening := re.search(r"Uvicorn running on (http://[\d.]+:\d+)", line):
                break
        else:
            raise AssertionError(f"make serve ended with {process.wait(timeout=30)}: {''.join(lines)}")
        models = httpx.get(f"{listening.group(1)}/v1/models").json()["models"]
        assert {"mnist-ae", "mnist-sdae", "mnist-vae", "mnist-vae-2d"} <= {model["name"] for model in models}
    finally:
        if process.poll() is None:
            os.killpg(process.pid, 15)
        process.wait(timeout=30)
        process.stderr.close()


def test_make_train_writes_a_model_that_can_be_served(tmp_path: Path) -> None:
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


def test_the_table_of_the_models_agrees_with_their_manifests() -> None:
    rows = table("docs/models.md")
    for name in ("mnist-ae", "mnist-sdae", "mnist-vae", "mnist-vae-2d"):
        manifest = Manifest.read(ROOT / "models" / name / "1")
        values = {key: value for m in manifest.metrics[:2] for key, value in m.values.items()}
        assert [float(cell) for cell in rows[name][1:9]] == pytest.approx([values[key] for key in COLUMNS], abs=1e-4)
