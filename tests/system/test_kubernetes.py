"""Kustomize renders deploy/kubernetes/, and the published schemas know every field of the result."""

from __future__ import annotations

import copy
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from jsonschema_rs import ValidationError

from tests.helpers.kubernetes import KUBERNETES, Object, breaches_of_restricted, containers, pod, variables
from tests.helpers.programs import program
from tests.helpers.schemas import check_kserve, check_kubernetes, check_operator

pytestmark = pytest.mark.needs("kubectl", "schemas")

OLDEST, NEWEST = "1.30", "1.37"
"""The first version of Kubernetes that knows `preStop.sleep` without a feature gate, and the last one with schemas."""
COMPONENTS = sorted(path.name for path in (KUBERNETES / "components").iterdir())
FIRST_VERSIONS = {"models-image": "1.33"}
"""The first versions that know the fields of some components."""


def render(folder: Path) -> list[Object]:
    """Return the objects that kustomize makes of a folder."""
    command = [program("kubectl"), "kustomize", str(folder)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return [document for document in yaml.safe_load_all(ended.stdout) if document]


def render_with(folder: Path, *components: str) -> dict[str, Object]:
    """Return the objects of the base with components, by kind."""
    shutil.copytree(KUBERNETES, folder, dirs_exist_ok=True)
    overlay = folder / "overlays" / "test"
    overlay.mkdir()
    document = {"resources": ["../../base"], "components": [f"../../components/{name}" for name in components]}
    (overlay / "kustomization.yaml").write_text(yaml.safe_dump(document))
    return {document["kind"]: document for document in render(overlay)}


def check(document: Object, version: str) -> None:
    """Raise an error unless the schemas of the object's kind know every field of it."""
    group = document["apiVersion"].partition("/")[0]
    if group == "monitoring.coreos.com":
        check_operator(document)
    elif group == "serving.kserve.io":
        check_kserve(document, version)
    else:
        check_kubernetes(document, version)


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize(("folder", "count"), [("base", 6), ("overlays/example", 9), ("kserve", 2)])
def test_the_schemas_know_every_field(folder: str, count: int, version: str) -> None:
    documents = render(KUBERNETES / folder)
    assert len(documents) == count
    for document in documents:
        check(document, version)


@pytest.mark.parametrize("component", COMPONENTS)
def test_the_schemas_know_every_field_of_a_component(component: str, tmp_path: Path) -> None:
    documents = render_with(tmp_path, component)
    for version in (FIRST_VERSIONS.get(component, OLDEST), NEWEST):
        for document in documents.values():
            check(document, version)


@pytest.mark.parametrize(
    ("folder", "kind", "path"),
    [
        ("base", "Deployment", ["template", "spec", "containers", 0, "livenessProbe"]),
        ("base", "HorizontalPodAutoscaler", ["behavior"]),
        ("overlays/example", "ServiceMonitor", ["endpoints", 0]),
        ("overlays/example", "PrometheusRule", ["groups", 0, "rules", 0]),
        ("kserve", "ServingRuntime", []),
        ("kserve", "ServingRuntime", ["containers", 0, "readinessProbe", "httpGet"]),
        ("kserve", "InferenceService", ["predictor", "model"]),
    ],
)
def test_a_field_that_no_schema_knows_is_found(folder: str, kind: str, path: list[str | int]) -> None:
    document = copy.deepcopy(next(document for document in render(KUBERNETES / folder) if document["kind"] == kind))
    place = document["spec"]
    for step in path:
        place = place[step]
    place["inteval"] = "15s"
    with pytest.raises((ValidationError, AssertionError), match="inteval"):
        check(document, NEWEST)


def test_the_example_has_every_part() -> None:
    documents = {document["kind"]: document for document in render(KUBERNETES / "overlays" / "example")}
    assert {document["metadata"]["namespace"] for kind, document in documents.items() if kind != "Namespace"} == {
        documents["Namespace"]["metadata"]["name"]
    }
    [server] = containers(documents["Deployment"])
    assert server["image"].startswith("registry.example.com/hourglass:")
    assert {"HOURGLASS_DRAIN_SECONDS", "HOURGLASS_KEYS_FILE", "HOURGLASS_RATE_LIMIT"} <= variables(server).keys()
    assert {mount["mountPath"] for mount in server["volumeMounts"]} == {"/tmp", "/etc/hourglass"}
    assert breaches_of_restricted(pod(documents["Deployment"])) == []


def test_prometheus_has_a_key_where_keys_are_asked_for(tmp_path: Path) -> None:
    [endpoint] = render_with(tmp_path / "open", "monitoring")["ServiceMonitor"]["spec"]["endpoints"]
    assert "authorization" not in endpoint
    [endpoint] = render_with(tmp_path / "closed", "monitoring", "keys")["ServiceMonitor"]["spec"]["endpoints"]
    assert endpoint["authorization"]["credentials"] == {"name": "hourglass-metrics-key", "key": "key"}
    assert "ServiceMonitor" not in render_with(tmp_path / "unseen", "keys")


@pytest.mark.parametrize("component", ["models-claim", "models-image"])
def test_models_are_mounted_beside_the_temporary_folder(component: str, tmp_path: Path) -> None:
    deployment = render_with(tmp_path, component)["Deployment"]
    [server] = containers(deployment)
    assert {mount["mountPath"] for mount in server["volumeMounts"]} == {"/tmp", "/srv/models"}
    assert {volume["name"] for volume in pod(deployment)["volumes"]} == {"tmp", "models"}
