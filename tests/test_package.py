"""The wheel: it holds everything that runs, and an `app` of the user is never imported in place of ours."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import httpx
import pytest

from tests.helpers.process import environment, listening

ROOT = Path(__file__).parent.parent
BUNDLED = ("mnist-ae", "mnist-sdae", "mnist-vae", "mnist-vae-2d")
SOURCES = ("pyproject.toml", "setup.py", "hourglass_entry.py", "README.md", "LICENSE")
TRAP = "import pathlib; pathlib.Path({path!r}).touch(); raise SystemExit('the code of the user was imported')\n"
BUILD_SDIST = "import sys; from setuptools.build_meta import build_sdist; build_sdist(sys.argv[1])"


def build_wheel(source: Path, target: Path) -> Path:
    """Build a wheel without network, in the way that users do with one, and return its path."""
    options = ["--quiet", "--disable-pip-version-check", "--no-index", "--no-deps", "--no-build-isolation"]
    command = [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", str(target), str(source)]
    ended = subprocess.run(command, env=plain_environment(), capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    (wheel,) = target.glob("hourglass_autoencoders-*-py3-none-any.whl")
    return wheel


def plain_environment(python_path: str = "") -> dict[str, str]:
    """Return variables without those that let a process measure coverage or see this repository."""
    hidden = ("COVERAGE", "PYTHONPATH")
    return {name: value for name, value in environment().items() if not name.startswith(hidden)} | (
        {"PYTHONPATH": python_path} if python_path else {}
    )


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of what is built, since a build writes into its folder; a model that is not bundled is added."""
    source = tmp_path_factory.mktemp("source") / "hourglass"
    source.mkdir()
    for name in SOURCES:
        shutil.copy(ROOT / name, source)
    for name in ("app", "training"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in BUNDLED:
        shutil.copytree(ROOT / "models" / name, source / "models" / name)
    shutil.copytree(ROOT / "models" / "mnist-ae", source / "models" / "own")
    return source


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel."""
    return build_wheel(source, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def scripts(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the commands of an environment that has the wheel, and everything else from this one."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    (packages / "others.pth").write_text("\n".join(path for path in sys.path if path.endswith("-packages")))
    command = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", "--quiet"]
    subprocess.run([*command, "--disable-pip-version-check", "--no-index", "--no-deps", str(wheel)], check=True)
    return folder / "bin"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working folder: that of a user whose modules have the names of ours, and end whoever imports them."""
    trap = TRAP.format(path=str(tmp_path / "imported"))
    for name in ("app/__init__.py", "training/__init__.py", "models/__init__.py", "models/user.py", "app.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(trap)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(wheel: Path) -> dict[str, int]:
    """Return the files of a wheel with their checksums."""
    with zipfile.ZipFile(wheel) as archive:
        return {info.filename: info.CRC for info in archive.infolist()}


def test_the_wheel_holds_the_bundled_models_and_the_licence(wheel: Path) -> None:
    names = files(wheel).keys()
    paths = [path for name in BUNDLED for path in (ROOT / "models" / name).rglob("*") if path.is_file()]
    bundled = {f"app/bundled/{path.relative_to(ROOT / 'models')}" for path in paths}
    assert len(bundled) > 40
    assert {name for name in names if name.startswith("app/bundled/")} == bundled
    assert {"app/py.typed", "training/py.typed", "hourglass_entry.py"} <= names
    assert sum(name.endswith(".dist-info/licenses/LICENSE") for name in names) == 1
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {
        "app",
        "training",
        "hourglass_entry.py",
    }


def test_the_wheel_of_the_sdist_is_the_same(source: Path, wheel: Path, tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-c", BUILD_SDIST, str(tmp_path)], cwd=source, check=True, capture_output=True, text=True
    )
    (sdist,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    assert files(build_wheel(tmp_path / sdist.name.removesuffix(".tar.gz"), tmp_path)) == files(wheel)


def test_the_image_is_built_without_models_and_training(source: Path, tmp_path: Path) -> None:
    """The Dockerfile copies only the server into the stage that builds, and the models into the last stage."""
    for name in SOURCES:
        shutil.copy(source / name, tmp_path)
    shutil.copytree(source / "app", tmp_path / "app")
    names = files(build_wheel(tmp_path, tmp_path)).keys()
    assert "app/cli.py" in names
    assert not [name for name in names if name.startswith(("app/bundled", "training", "models"))]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_server_runs_in_a_folder_with_an_app_of_the_user(scripts: Path, project: Path, workers: str) -> None:
    command = [str(scripts / "hourglass"), "--port=0", "--drain-seconds=0", "--workers", workers]
    with listening(command, plain_environment(".")) as (_, address, lines):
        models = httpx.get(f"{address}/v1/models").json()["models"]
    assert {model["name"] for model in models} == set(BUNDLED)
    assert any("model repository" in line and '"bundled": true' in line for line in lines)
    assert not (project / "imported").exists()


@pytest.mark.parametrize(
    ("python_path", "command"),
    [
        (".", "hourglass check mnist-ae"),
        (".", "hourglass-train --help"),
        (":", "hourglass --version"),
        ("", "hourglass -h"),
    ],
)
def test_commands_run_in_a_folder_with_an_app_of_the_user(
    scripts: Path, project: Path, python_path: str, command: str
) -> None:
    program, *arguments = command.split()
    ended = subprocess.run(
        [str(scripts / program), *arguments], env=plain_environment(python_path), capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    assert not (project / "imported").exists()


def test_an_app_that_is_imported_already_is_replaced(tmp_path: Path) -> None:
    """A .pth file of another distribution may do that."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__init__.py").touch()
    (tmp_path / "app" / "errors.py").touch()
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import app.errors; sys.path.append({str(ROOT)!r});"
        "import hourglass_entry; from app.errors import HourglassError; import app; print(app.__file__);"
        "hourglass_entry.pin_packages(); assert sys.modules['app.errors'].HourglassError is HourglassError"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], env=plain_environment(), capture_output=True, text=True, cwd=tmp_path
    )
    assert (ended.stdout.strip(), ended.stderr) == (str(ROOT / "app" / "__init__.py"), "")
