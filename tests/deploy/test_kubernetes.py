"""
The objects in deploy/kubernetes/ agree with each other, with the server and with its image.

tests/system/ renders them with kustomize and holds them against the published schemas.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from starlette.testclient import TestClient

from app.settings import PREFIX, Settings
from tests.helpers.deploy import ALERTS_FILE
from tests.helpers.kubernetes import (
    KUBERNETES,
    KUSTOMIZATION,
    Object,
    breaches_of_restricted,
    containers,
    folders,
    named_paths,
    objects,
    pod,
    probes,
    read,
    variables,
)

ROOT = Path(__file__).parents[2]
BASE = {path.stem: read(path) for path in (KUBERNETES / "base").glob("*.yaml") if path.name != KUSTOMIZATION}
DEPLOYMENT = BASE["deployment"]
[SERVER] = containers(DEPLOYMENT)
RUNTIME = read(KUBERNETES / "kserve" / "servingruntime.yaml")
[RUNTIME_SERVER] = containers(RUNTIME)
LABELS = DEPLOYMENT["spec"]["template"]["metadata"]["labels"]
DEFAULT_GRACE_SECONDS = 30
"""The time that Kubernetes gives a pod that names none."""
SERVERS = pytest.mark.parametrize("container", [SERVER, RUNTIME_SERVER], ids=["Deployment", "ServingRuntime"])


def settings(container: Object, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return the server's settings in a container. Raises an error if one is impossible."""
    for name, value in variables(container).items():
        monkeypatch.setenv(name, value)
    return Settings()


def test_every_file_is_named_by_a_kustomization_and_every_name_is_there() -> None:
    named = {path for folder in folders() for path in named_paths(folder)}
    assert [path for path in named if not path.exists()] == []
    files = {path for path in KUBERNETES.rglob("*") if path.is_file() and path.name != KUSTOMIZATION}
    assert files - named == set()
    components = set((KUBERNETES / "components").iterdir())
    assert components <= set(folders())


def test_patches_have_the_name_of_an_object() -> None:
    existing = {
        (document["kind"], document["metadata"]["name"])
        for folder in folders()
        for path in named_paths(folder)
        if path.is_file() and path.name != "deployment.yaml"
        for document in [read(path)]
    }
    existing.add((DEPLOYMENT["kind"], DEPLOYMENT["metadata"]["name"]))
    patched = {(document["kind"], document["metadata"]["name"]) for document in objects()}
    targets = [
        (patch["target"]["kind"], patch["target"]["name"])
        for folder in folders()
        for patch in read(folder / KUSTOMIZATION).get("patches", [])
        if "target" in patch
    ]
    assert targets
    assert patched | set(targets) <= existing
    patches = [document for document in objects() if document["kind"] == "Deployment"]
    assert {container["name"] for patch in patches for container in containers(patch)} == {SERVER["name"]}


def test_every_selector_finds_the_pods() -> None:
    selectors = [
        DEPLOYMENT["spec"]["selector"]["matchLabels"],
        BASE["service"]["spec"]["selector"],
        BASE["poddisruptionbudget"]["spec"]["selector"]["matchLabels"],
        BASE["networkpolicy"]["spec"]["podSelector"]["matchLabels"],
        *(rule["labelSelector"]["matchLabels"] for rule in pod(DEPLOYMENT)["topologySpreadConstraints"]),
    ]
    assert all(selector and selector.items() <= LABELS.items() for selector in selectors)
    monitor = read(KUBERNETES / "components" / "monitoring" / "servicemonitor.yaml")["spec"]
    service_labels = BASE["service"]["metadata"]["labels"]
    assert monitor["selector"]["matchLabels"].items() <= service_labels.items()
    assert service_labels[monitor["jobLabel"]] == "hourglass"  # the job of the alerts
    target = BASE["horizontalpodautoscaler"]["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("Deployment", DEPLOYMENT["metadata"]["name"])
    assert pod(DEPLOYMENT)["serviceAccountName"] == BASE["serviceaccount"]["metadata"]["name"]


def test_ports_are_those_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    [port] = SERVER["ports"]
    assert port["containerPort"] == settings(SERVER, monkeypatch).port
    [service] = BASE["service"]["spec"]["ports"]
    [rule] = BASE["networkpolicy"]["spec"]["ingress"]
    [endpoint] = read(KUBERNETES / "components" / "monitoring" / "servicemonitor.yaml")["spec"]["endpoints"]
    assert {service["targetPort"], rule["ports"][0]["port"]} == {port["name"]}
    assert endpoint["port"] == service["name"]
    assert {probe["httpGet"]["port"] for probe in probes(SERVER)} == {port["name"]}


def test_ports_of_the_serving_runtime_are_those_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    [port] = RUNTIME_SERVER["ports"]
    listening = settings(RUNTIME_SERVER, monkeypatch).port
    assert port["containerPort"] == listening
    assert {probe["httpGet"]["port"] for probe in probes(RUNTIME_SERVER)} == {listening}
    assert RUNTIME["spec"]["annotations"]["prometheus.kserve.io/port"] == str(listening)


@SERVERS
def test_probes_and_metrics_are_answered(container: Object, client: TestClient) -> None:
    paths = {probe["httpGet"]["path"] for probe in probes(container)}
    assert len(paths) == 2
    assert {path: client.get(path).status_code for path in [*paths, "/metrics"]} == dict.fromkeys(
        [*paths, "/metrics"], 200
    )


def test_every_variable_is_a_setting_with_a_possible_value(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    for document in objects():
        for container in containers(document) if pod(document).get("containers") else []:
            assert variables(container).keys() <= known
            settings(container, monkeypatch)


def test_a_pod_has_more_time_to_end_than_the_server_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    server = settings(SERVER, monkeypatch)
    pause = SERVER["lifecycle"]["preStop"]["sleep"]["seconds"]
    grace = pod(DEPLOYMENT)["terminationGracePeriodSeconds"]
    assert grace >= pause + server.drain_seconds + server.shutdown_seconds + 10  # and 10 for the rest
    readiness = SERVER["readinessProbe"]
    assert (
        server.drain_seconds
        > (readiness["periodSeconds"] + readiness["timeoutSeconds"]) * readiness["failureThreshold"]
    )


def test_a_pod_of_kserve_has_more_time_to_end_than_the_server_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    server = settings(RUNTIME_SERVER, monkeypatch)
    assert server.drain_seconds + server.shutdown_seconds + 5 <= DEFAULT_GRACE_SECONDS


def test_pods_keep_to_the_strictest_standard_and_run_as_the_user_of_the_image() -> None:
    image_user = re.findall(r"^USER (\d+):(\d+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)[-1]
    whole = pod(DEPLOYMENT)["securityContext"]
    assert (str(whole["runAsUser"]), str(whole["runAsGroup"])) == image_user
    assert str(RUNTIME_SERVER["securityContext"]["runAsUser"]) == image_user[0]
    for specification in (pod(DEPLOYMENT), pod(RUNTIME)):
        assert breaches_of_restricted(specification) == []
    for container in (SERVER, RUNTIME_SERVER):
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod(DEPLOYMENT)["automountServiceAccountToken"] is False
    assert BASE["serviceaccount"]["automountServiceAccountToken"] is False


@pytest.mark.parametrize(
    ("change", "breach"),
    [
        ({"securityContext": {}}, "runAsNonRoot"),
        ({"securityContext": {"runAsNonRoot": True, "runAsUser": 10001}}, "seccompProfile"),
        ({"volumes": [{"name": "host", "hostPath": {"path": "/"}}]}, "volume host"),
        ({"containers": [{}]}, "capabilities"),
        ({"containers": [{}]}, "allowPrivilegeEscalation"),
    ],
)
def test_a_lax_pod_breaches_the_standard(change: Object, breach: str) -> None:
    assert breach in breaches_of_restricted({**pod(DEPLOYMENT), **change})


def test_volumes_of_models_replace_those_of_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    [image_models] = re.findall(r"HOURGLASS_MODELS_DIR=(\S+)", (ROOT / "Dockerfile").read_text())
    for name in ("models-claim", "models-image"):
        [container] = containers(read(KUBERNETES / "components" / name / "deployment.yaml"))
        [mount] = container["volumeMounts"]
        assert (mount["mountPath"], mount["readOnly"]) == (image_models, True)


def test_the_keys_file_is_in_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    patch = read(KUBERNETES / "components" / "keys" / "deployment.yaml")
    [container] = containers(patch)
    [mount] = container["volumeMounts"]
    [volume] = pod(patch)["volumes"]
    keys_file = settings(container, monkeypatch).keys_file
    assert keys_file is not None
    assert str(keys_file.parent) == mount["mountPath"]
    assert mount["name"] == volume["name"]
    guide = (ROOT / "docs" / "guides" / "kubernetes.md").read_text()
    created = f"kubectl create secret generic {volume['secret']['secretName']} --from-file={keys_file.name}"
    assert created in guide


def test_the_image_has_the_version_of_the_package() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert {SERVER["image"], RUNTIME_SERVER["image"]} == {f"hourglass:{version}"}
    [image] = read(KUBERNETES / "overlays" / "example" / KUSTOMIZATION)["images"]
    assert (image["name"], image["newTag"]) == ("hourglass", version)


def test_the_operators_alerts_are_those_of_prometheus() -> None:
    rule = read(KUBERNETES / "components" / "monitoring" / "prometheusrule.yaml")
    assert rule["spec"] == yaml.safe_load(ALERTS_FILE.read_text())


def test_kserve_mounts_the_models_where_the_server_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert str(settings(RUNTIME_SERVER, monkeypatch).models_dir) == "/mnt/models"
    model = read(KUBERNETES / "kserve" / "inferenceservice.yaml")["spec"]["predictor"]["model"]
    assert model["runtime"] == RUNTIME["metadata"]["name"]
    assert model["modelFormat"].items() <= RUNTIME["spec"]["supportedModelFormats"][0].items()
    assert model["protocolVersion"] in RUNTIME["spec"]["protocolVersions"]
    assert RUNTIME_SERVER["name"] == "kserve-container"
