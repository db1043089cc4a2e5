"""Tests of the real image: make test-docker IMAGE=hourglass:local."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import tarfile
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from docker import sizes

Start = Callable[..., None]

ROOT = Path(__file__).parent.parent
IMAGE = os.environ.get("HOURGLASS_IMAGE", "hourglass:local")
NETWORK = CONTAINER = "hourglass-test"
HARDENED = ["--read-only", "--tmpfs", "/tmp:rw,noexec,nosuid,size=64m", "--cap-drop", "ALL"]
HARDENED += ["--security-opt", "no-new-privileges"]
DIGIT = ROOT / "docs" / "images" / "digit.png"
MAX_BYTES, MAX_COMPRESSED_BYTES = 200_000_000, 90_000_000
SBOM = "usr/share/sbom/hourglass.cdx.json"
LICENCES = "usr/share/licenses/hourglass"
MIN_LICENCE_BYTES = 500
SHELLS_AND_PACKAGE_MANAGERS = {"sh", "bash", "dash", "busybox", "apt", "apt-get", "dpkg", "pip", "pip3", "perl"}


def docker(*arguments: str, check: bool = True) -> str:
    """Return the output of a docker command."""
    ended = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0 or not check, ended.stderr
    return ended.stdout.strip()


def run(*arguments: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run the image with arguments, hardened and without a network, until it ends."""
    command = ["docker", "run", "--rm", "--network", "none", *HARDENED, *options, IMAGE, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def run_program(program: str) -> str:
    """Return the output of a Python program inside the image."""
    ended = run("-c", program, options=("--entrypoint", "python"))
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


@pytest.fixture
def start() -> Iterator[Start]:
    """Give a function that runs a hardened container until it is healthy; it returns nothing."""

    def run_until_healthy(*arguments: str, options: tuple[str, ...] = (), port: int = 8000) -> None:
        docker("rm", "--force", CONTAINER, check=False)
        docker("network", "create", NETWORK, check=False)
        publish = ["--network", NETWORK, "-p", f"127.0.0.1:18081:{port}"]
        docker("run", "--detach", "--name", CONTAINER, *publish, *HARDENED, *options, IMAGE, *arguments)
        deadline = time.monotonic() + 60
        while (health := docker("inspect", "-f", "{{json .State.Health}}", CONTAINER)) and '"healthy"' not in health:
            assert time.monotonic() < deadline, health + docker("logs", CONTAINER)
            time.sleep(0.5)

    yield run_until_healthy
    docker("rm", "--force", CONTAINER, check=False)
    docker("network", "rm", NETWORK, check=False)


@pytest.fixture
def address(start: Start) -> str:
    """Return the address of a container with the bundled models."""
    start()
    return "http://127.0.0.1:18081"


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an archive of all files in a container of the image."""
    archive = tmp_path_factory.mktemp("image") / "files.tar"
    container = docker("create", IMAGE)
    docker("export", "--output", str(archive), container)
    docker("rm", container)
    return archive


def read(archive: Path, name: str) -> str:
    """Return the text of a file in an archive."""
    with tarfile.open(archive) as entries:
        file = entries.extractfile(name)
        assert file is not None
        return file.read().decode()


def test_a_hardened_container_serves_every_task_and_ends_with_0(address: str) -> None:
    picture = {"content": DIGIT.read_bytes(), "headers": {"content-type": "image/png"}}
    for task in ("mnist-ae/encode", "mnist-ae/reconstruct", "mnist-sdae/denoise", "mnist-vae/encode"):
        assert httpx.post(f"{address}/v1/models/{task}", **picture).status_code == 200  # type: ignore[arg-type]
    latents = httpx.post(f"{address}/v1/models/mnist-vae-2d/encode", **picture).json()["latents"]  # type: ignore[arg-type]
    decoded = httpx.post(
        f"{address}/v1/models/mnist-vae-2d/decode", json={"latents": latents}, headers={"accept": "image/png"}
    )
    assert decoded.content.startswith(b"\x89PNG")
    assert httpx.post(f"{address}/v1/models/mnist-vae/generate?count=4").status_code == 200
    assert httpx.get(f"{address}/docs").status_code == 200
    docker("kill", "--signal", "TERM", CONTAINER)
    assert docker("wait", CONTAINER) == "0"


def test_the_image_is_small() -> None:
    layers = sizes.save(IMAGE)
    assert sum(layer.bytes for layer in layers) <= MAX_BYTES, sizes.report(layers)
    assert sum(layer.compressed for layer in layers) <= MAX_COMPRESSED_BYTES, sizes.report(layers)


def test_the_image_is_not_root_and_has_neither_torch_nor_a_package_manager() -> None:
    program = (
        "import os, sys, importlib.util as u; assert sys.prefix == '/opt/venv';"
        "print(os.getuid(), os.getgid());"
        "print([name for name in ('torch', 'onnx', 'lightning', 'pip', 'training') if u.find_spec(name)])"
    )
    assert run_program(program) == "10001 10001\n[]"


def test_the_image_has_no_shell_and_no_program_that_raises_privileges(files: Path) -> None:
    with tarfile.open(files) as entries:
        members = entries.getmembers()
    programs = {member.name.rpartition("/")[2] for member in members if member.mode & 0o111 and not member.isdir()}
    assert {"python", "hourglass"} <= programs
    assert programs & SHELLS_AND_PACKAGE_MANAGERS == set()
    assert [member.name for member in members if member.isfile() and member.mode & 0o6000] == []
    writable = [member.name for member in members if not member.issym() and member.mode & 0o002]
    assert [name for name in writable if not name.startswith(("dev/", "tmp", "proc", "sys"))] == []


def test_the_labels_name_the_image() -> None:
    labels = json.loads(docker("inspect", "-f", "{{json .Config.Labels}}", IMAGE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    title = {name.removeprefix("org.opencontainers.image."): value for name, value in labels.items()}
    assert (title["title"], title["version"], title["licenses"]) == (
        "Hourglass",
        project["version"],
        project["license"],
    )
    assert title["description"]
    assert {"revision", "created", "source"} <= title.keys()


def test_the_bill_of_materials_is_what_is_installed(files: Path) -> None:
    program = "from importlib.metadata import distributions as d; print(*sorted(f'{i.name}=={i.version}' for i in d()))"
    installed = {pin.replace("_", "-").replace(".", "-").lower() for pin in run_program(program).split()}
    text = read(files, SBOM)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    document = json.loads(text)
    entries = [document["metadata"]["component"], *document["components"]]
    packages = {f"{e['name']}=={e['version']}".replace(".", "-") for e in entries if e["purl"].startswith("pkg:pypi/")}
    assert packages == installed
    (python,) = (entry["version"] for entry in entries if entry["purl"].startswith("pkg:generic/python@"))
    assert python == run_program("import platform; print(platform.python_version())")
    with tarfile.open(files) as archive:
        names = archive.getnames()
    scanned = {name.rpartition("/")[2] for name in names if name.startswith("var/lib/dpkg/status.d/")}
    assert {entry["name"] for entry in entries if entry["purl"].startswith("pkg:deb/")} == scanned
    bundles = {entry["purl"] for entry in entries if entry["purl"].startswith("pkg:npm/")}
    static = [path.read_text().replace(",", " ").split()[:2] for path in ROOT.glob("app/api/docs/static/*/VERSION")]
    assert bundles == {f"pkg:npm/{name}@{version}" for name, version in static}


def test_every_component_has_the_text_of_its_licence(files: Path) -> None:
    index = json.loads(read(files, f"{LICENCES}/index.json"))
    document = json.loads(read(files, SBOM))
    entries = [document["metadata"]["component"], *document["components"]]
    assert {(e["name"], e["version"]) for e in entries} == {(item["name"], item["version"]) for item in index}
    with tarfile.open(files) as archive:
        lengths = {member.name: member.size for member in archive if member.isfile()}
    for item in index:
        assert item["licence"]
        assert item["texts"]
        assert max(lengths[f"{LICENCES}/{text}"] for text in item["texts"]) > MIN_LICENCE_BYTES, item
    assert [e["name"] for e in entries if not e.get("licenses")] == []


def test_telemetry_is_off() -> None:
    assert run_program("import os; print(os.environ['ORT_DISABLE_TELEMETRY'])") == "1"


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["--help"], "model repository"),
        (["check"], "whole   mnist-vae/1"),
        (["check", "mnist-ae"], "whole   mnist-ae/1"),
    ],
)
def test_arguments_go_to_the_command(arguments: list[str], shown: str) -> None:
    ended = run(*arguments)
    assert ended.returncode == 0, ended.stderr
    assert shown in ended.stdout


@pytest.mark.parametrize("how", ["option", "variable"])
def test_the_health_check_follows_the_port(start: Start, how: str) -> None:
    if how == "option":
        start("--port", "9000", port=9000)
    else:
        start(options=("-e", "HOURGLASS_PORT=9000", "-e", "HOURGLASS_WORKERS=2"), port=9000)
    assert httpx.get("http://127.0.0.1:18081/readyz").status_code == 200


def test_a_container_with_a_certificate_keys_and_names_is_healthy(start: Start, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    made = run("key", "somebody")
    (tmp_path / "keys").write_text(made.stdout)
    for file in (tmp_path, key, tmp_path / "keys"):
        file.chmod(0o755)
    settings = {"SSL_CERTFILE": "/tls/certificate.pem", "SSL_KEYFILE": "/tls/key.pem", "KEYS_FILE": "/tls/keys"}
    settings |= {"ROOT_PATH": "/hourglass", "ALLOWED_HOSTS": "api.example.com"}
    variables = [word for name, value in settings.items() for word in ("-e", f"HOURGLASS_{name}={value}")]
    start(options=("-v", f"{tmp_path}:/tls:ro", *variables))
    trusted = ssl.create_default_context(cafile=str(certificate))
    with httpx.Client(verify=trusted, base_url="https://localhost:18081") as client:
        assert client.get("/readyz").status_code == 200
        assert client.get("/v1/models", headers={"host": "api.example.com"}).status_code == 401


def test_a_container_that_is_not_ready_is_not_healthy() -> None:
    ended = run("/opt/healthcheck.py", options=("--entrypoint", "python"))
    assert (ended.returncode, ended.stderr) == (1, "no process listens\n")


def assert_one_sentence(ended: subprocess.CompletedProcess[str], sentence: str) -> None:
    """Check that a start ended with an error that is one sentence."""
    assert ended.returncode == 1
    assert [line for line in ended.stderr.splitlines() if line.startswith("hourglass: ")] == [f"hourglass: {sentence}"]
    assert "Traceback" not in ended.stderr


def test_an_empty_repository_is_one_sentence_and_an_exit_code() -> None:
    ended = run(options=("--tmpfs", "/srv/models:ro"))
    remedy = "set HOURGLASS_MODELS_DIR to a folder that holds <name>/<version>/model.json"
    assert_one_sentence(ended, f"no valid model in /srv/models, which is empty: {remedy}")


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """Return a copy of a bundled model's repository that every user can read."""
    subprocess.run(["cp", "-r", ROOT / "models" / "mnist-ae", tmp_path / "mnist-ae"], check=True)
    for path in [tmp_path, *tmp_path.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    return tmp_path


REMEDY = "let that user read it, such as by chmod -R a+rX; with SELinux, mount it with the option z"


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize(
    ("closed", "mode", "path"),
    [(".", 0o700, ""), (".", 0o744, ""), ("mnist-ae", 0o700, "/mnist-ae"), ("mnist-ae", 0o744, "/mnist-ae")],
)
def test_a_folder_that_the_user_cannot_read_is_named(
    closed: str, mode: int, path: str, workers: str, models: Path
) -> None:
    (models / closed).chmod(mode)
    ended = run(options=("-v", f"{models}:/srv/models:ro", "-e", f"HOURGLASS_WORKERS={workers}"))
    (models / closed).chmod(0o755)
    problem = f"/srv/models{path} cannot be read by user 10001: Permission denied"
    assert_one_sentence(ended, f"no valid model in /srv/models: {problem}; {REMEDY}")


@pytest.mark.parametrize(
    ("closed", "file"), [("1", "model.json"), ("1/decoder.onnx", "decoder.onnx"), ("1/figures", "figures/")]
)
def test_a_version_that_the_user_cannot_read_is_refused_and_others_are_served(
    closed: str, file: str, models: Path
) -> None:
    subprocess.run(["cp", "-r", models / "mnist-ae", models / "other"], check=True)
    (models / "mnist-ae" / closed).chmod(0o700 if closed != "1/decoder.onnx" else 0o600)
    ended = run("check", options=("-v", f"{models}:/srv/models:ro"))
    (models / "mnist-ae" / closed).chmod(0o755)
    broken, other = ended.stdout.splitlines()
    assert broken.startswith(f"broken  mnist-ae/1  {file}")
    assert broken.endswith("cannot be read by user 10001: Permission denied")
    assert other.startswith("broken  other/1  model.json is of mnist-ae version 1")
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("place", ["/models", "/app/models", "/data", "/srv/model", "/somewhere/else"])
def test_a_repository_that_is_mounted_elsewhere_is_named(start: Start, place: str, models: Path) -> None:
    start(options=("-v", f"{models}:{place}:ro"))
    log = subprocess.run(["docker", "logs", CONTAINER], capture_output=True, text=True, check=True).stderr
    (line,) = (json.loads(line) for line in log.splitlines() if "not served" in line)
    assert line["event"] == f"a model repository is at {place}, where it is not served"
    assert line["remedy"] == f"mount it at /srv/models, or set HOURGLASS_MODELS_DIR={place}"


@pytest.mark.parametrize(
    ("folder", "sentence"),
    [
        ("mnist-ae", ", which is a model without its repository: mount it at /srv/models/mnist-ae"),
        ("mnist-ae/1", ", which is a version of a model without its repository: mount it at /srv/models/mnist-ae/1"),
        (
            "..",
            ": a model repository is at /srv/models/inner: "
            "mount it at /srv/models, or set HOURGLASS_MODELS_DIR=/srv/models/inner",
        ),
    ],
)
def test_another_level_than_the_repository_is_named(folder: str, sentence: str, models: Path, tmp_path: Path) -> None:
    source = models / folder
    if folder == "..":
        source = tmp_path / "outer"
        source.mkdir()
        (models / "mnist-ae").rename(tmp_path / "moved")
        (source / "inner").mkdir()
        (tmp_path / "moved").rename(source / "inner" / "mnist-ae")
    assert_one_sentence(run(options=("-v", f"{source}:/srv/models:ro")), f"no valid model in /srv/models{sentence}")
