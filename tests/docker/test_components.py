"""Every component of the image is found, with its version, licence and texts."""

from __future__ import annotations

import json
import shutil
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from docker.assembly import components, debian
from docker.assembly.__main__ import application_of
from docker.assembly.components import (
    Component,
    UnknownLicence,
    bundles,
    licence_of,
    licence_texts,
    models,
    python_packages,
)
from docker.assembly.licences import write_licences
from docker.assembly.sbom import bill_of_materials

ROOT = Path(__file__).parent.parent.parent
NEEDS_DEBIAN = pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="not Debian")


def install(packages: Path, name: str, *fields: str, files: dict[str, str] | None = None) -> PathDistribution:
    """Write a package of version 1.0 with metadata and files, and return it."""
    info = packages / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        "\n".join(["Metadata-Version: 2.4", f"Name: {name}", "Version: 1.0", *fields]) + "\n"
    )
    for path, text in (files or {}).items():
        (packages / path).parent.mkdir(parents=True, exist_ok=True)
        (packages / path).write_text(text)
    (info / "RECORD").write_text("".join(f"{path},,\n" for path in [*(files or {}), f"{info.name}/RECORD"]))
    return PathDistribution(info)


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """Write an environment: an application, a package with a crate, and one with a shared library."""
    folder = tmp_path / "site-packages"
    crates = [
        {"name": "serde", "version": "1.2", "purl": "pkg:cargo/serde@1.2", "licenses": [{"expression": "MIT"}]},
        {"name": "itself", "version": "1.0", "purl": "pkg:pypi/fast@1.0"},
    ]
    texts = {f"{name}-1.0.dist-info/licenses/LICENSE": f"text of {name}" for name in ("hourglass", "fast", "Big_Lib")}
    script = {"hourglass-1.0.dist-info/entry_points.txt": "[console_scripts]\nhourglass = entry:main\n"}
    script |= {"entry.py": "", "app/__init__.py": "", "app/main.py": ""}
    needs = ["Requires-Dist: fast>=1", "Requires-Dist: big.lib", "Requires-Dist: gone; extra == 'x'"]
    install(folder, "hourglass", "License-Expression: MIT", *needs, files=dict([*texts.items()][:1]) | script)
    sbom = {"fast-1.0.dist-info/sboms/fast.json": json.dumps({"components": crates})}
    install(folder, "fast", "License: Apache 2.0", files=dict([*texts.items()][1:2]) | sbom)
    library = {"big_lib.libs/libbig-0123abcd.so.6.2": ""}
    install(folder, "Big_Lib", "License: MIT License", files=dict([*texts.items()][2:]) | library)
    return folder


def test_packages_have_licences_requirements_and_parts(packages: Path) -> None:
    big, fast, ours = python_packages(packages, "hourglass")
    assert (ours.kind, ours.licence, ours.needs) == ("application", "MIT", frozenset({big.purl, fast.purl}))
    assert (fast.licence, [(part.name, part.version, part.licence) for part in fast.parts]) == (
        "Apache-2.0",
        [("serde", "1.2", "MIT")],
    )
    assert (big.name, big.purl) == ("big-lib", "pkg:pypi/big-lib@1.0")
    assert [(part.name, part.version) for part in big.parts] == [("libbig", "6.2")]


def test_the_application_is_the_package_with_the_command(packages: Path) -> None:
    entries = tuple(packages / name for name in ("app", "entry.py", "hourglass-1.0.dist-info"))
    assert application_of(packages) == ("hourglass", entries)
    shutil.rmtree(packages / "hourglass-1.0.dist-info")
    with pytest.raises(SystemExit, match="no distribution"):
        application_of(packages)


def test_a_package_without_a_licence_or_its_text_is_refused(tmp_path: Path) -> None:
    unlicensed = install(tmp_path, "unlicensed")
    with pytest.raises(UnknownLicence, match="unlicensed names no licence"):
        licence_of(unlicensed)
    with pytest.raises(UnknownLicence, match="textless has no text"):
        licence_texts(install(tmp_path, "textless", "License-Expression: LicenseRef-Own"))


def test_a_text_beside_the_code_counts_unless_the_metadata_have_one(tmp_path: Path) -> None:
    beside = {"thing/LICENSE": "text", "thing/licence.py": "code"}
    item = install(tmp_path, "thing", "License: MIT", files=beside)
    assert licence_texts(item) == [tmp_path / "thing" / "LICENSE"]
    within = {"other-1.0.dist-info/LICENSE": "text", "other/vendored/NOTICE": "text"}
    item = install(tmp_path, "other", "License: MIT", files=within)
    assert licence_texts(item) == [tmp_path / "other-1.0.dist-info" / "LICENSE"]


def test_a_common_licence_without_a_text_gets_that_of_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "common").mkdir()
    (tmp_path / "common" / "Apache-2.0").write_text("text")
    monkeypatch.setattr(components, "COMMON_LICENCES", tmp_path / "common")
    assert licence_texts(install(tmp_path, "thing", "License: Apache 2.0")) == [tmp_path / "common" / "Apache-2.0"]


def test_the_bundles_of_the_pages_are_known() -> None:
    found = {component.name: component for component in bundles(ROOT / "app" / "api" / "docs" / "static")}
    assert found.keys() == {"redoc", "swagger-ui-dist"}
    assert found["redoc"].purl == "pkg:npm/redoc@2.5.4"
    assert all(component.texts for component in found.values())


def test_a_bundle_of_an_unknown_licence_is_refused(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "VERSION").write_text("new-thing 1.0, from somewhere")
    with pytest.raises(UnknownLicence, match="not in BUNDLE_LICENCES"):
        bundles(tmp_path)


def test_bundled_models_are_components() -> None:
    found = models(ROOT / "models", "MIT", ())
    assert {(item.name, item.kind) for item in found} >= {("mnist-vae", "model")}
    assert len(found) == len(list((ROOT / "models").glob("*/*/model.json")))


def test_the_bill_of_materials_is_valid_and_complete(packages: Path) -> None:
    found = [*python_packages(packages, "hourglass"), *models(ROOT / "models", "MIT", ())]
    text = bill_of_materials(found)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    document = json.loads(text)
    assert document["metadata"]["component"]["name"] == "hourglass"
    names = {entry["name"] for entry in document["components"]}
    assert names == {component.name for component in found} - {"hourglass"}
    needed = {entry["ref"]: entry.get("dependsOn", []) for entry in document["dependencies"]}
    assert set(needed["pkg:pypi/hourglass@1.0"]) == needed.keys() - {"pkg:pypi/hourglass@1.0"}


def test_licences_are_written_with_an_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("docker.assembly.licences.COMMON_LICENCES", tmp_path / "common-licenses")
    texts = [tmp_path / "a" / "LICENSE", tmp_path / "b" / "LICENSE", tmp_path / "common-licenses" / "GPL-3"]
    for text in texts:
        text.parent.mkdir()
        text.write_text(f"text of {text.parent.name}")
    write_licences([Component("thing", "1:2", "pkg:x/thing", "GPL-3.0", tuple(texts))], tmp_path / "licences")
    (entry,) = json.loads((tmp_path / "licences" / "index.json").read_text())
    assert entry["texts"] == ["thing-1_2/LICENSE", "thing-1_2/LICENSE-2", "common/GPL-3"]
    contents = [(tmp_path / "licences" / text).read_text() for text in entry["texts"]]
    assert contents == ["text of a", "text of b", "text of common-licenses"]
    with pytest.raises(UnknownLicence, match="bare has no text"):
        write_licences([Component("bare", "1", "pkg:x/bare", "MIT")], tmp_path / "licences")


@NEEDS_DEBIAN
def test_files_of_the_system_have_packages_with_copyrights(tmp_path: Path) -> None:
    (libc,) = (path for path in Path("/usr/lib").glob("*-linux-gnu/libc.so.6"))
    real = [Path(str(libc).removeprefix("/usr")), libc]  # as dpkg knows it before and after the merge of /usr
    names = debian.owners([*real, Path(__file__)])
    (component,) = debian.packages(names)
    assert component.name == "libc6"
    assert component.purl.startswith(f"pkg:deb/debian/libc6@{component.version}?arch=")
    assert component.texts[0] == Path("/usr/share/doc/libc6/copyright")
    assert any(text.name.startswith("LGPL") for text in component.texts)
    debian.write_status(names, tmp_path)
    assert "Package: libc6\n" in (tmp_path / debian.STATUS_FOLDER / "libc6").read_text()
    assert debian.owners([]) == set()


def test_python_has_the_licence_in_its_library(tmp_path: Path) -> None:
    (tmp_path / "LICENSE.txt").write_text("text")
    component = debian.python_component(tmp_path, Path("/bin/python"))
    assert component.texts == (tmp_path / "LICENSE.txt",)
    (tmp_path / "LICENSE.txt").unlink()
    with pytest.raises(UnknownLicence, match="Python has no text"):
        debian.python_component(tmp_path, tmp_path / "python")
