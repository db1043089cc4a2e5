"""The Kubernetes objects in deploy/kubernetes/, and facts about their pods."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]

KUBERNETES = Path(__file__).parents[2] / "deploy" / "kubernetes"
KUSTOMIZATION = "kustomization.yaml"
VOLUMES_OF_RESTRICTED_PODS = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim"}
VOLUMES_OF_RESTRICTED_PODS |= {"projected", "secret"}
"""Kinds of volumes that the pod security standard `restricted` allows."""


def read(path: Path) -> Object:
    """Return the one object of a file."""
    [document] = yaml.safe_load_all(path.read_text())
    assert isinstance(document, dict)
    return document


def folders() -> list[Path]:
    """Return every folder that kustomize can read."""
    return sorted(path.parent for path in KUBERNETES.rglob(KUSTOMIZATION))


def named_paths(folder: Path) -> list[Path]:
    """Return the files and folders that a kustomization names."""
    document = read(folder / KUSTOMIZATION)
    patches = [patch["path"] for patch in document.get("patches", []) if "path" in patch]
    names = [*document.get("resources", []), *document.get("components", []), *patches]
    return [(folder / name).resolve() for name in names]


def objects() -> list[Object]:
    """Return every object in deploy/kubernetes/, patches among them, except the kustomizations."""
    return [read(path) for path in sorted(KUBERNETES.rglob("*.yaml")) if path.name != KUSTOMIZATION]


def containers(document: Object) -> list[Object]:
    """Return the containers of a Deployment or a ServingRuntime."""
    found = pod(document).get("containers", [])
    assert isinstance(found, list)
    return found


def pod(document: Object) -> Object:
    """Return the specification of the pods that an object makes; the object's own, if it makes none."""
    specification: Object = document.get("spec", {})
    if "template" in specification:
        specification = specification["template"]["spec"]
    return specification


def variables(container: Object) -> dict[str, str]:
    """Return a container's environment variables."""
    return {variable["name"]: variable["value"] for variable in container.get("env", [])}


def probes(container: Object) -> Iterator[Object]:
    """Yield the container's probes."""
    yield from (container[name] for name in ("startupProbe", "livenessProbe", "readinessProbe") if name in container)


def breaches_of_restricted(specification: Object) -> list[str]:
    """Return the rules of the pod security standard `restricted` that a pod's specification breaks."""
    whole = specification.get("securityContext", {})
    breaches = [
        f"volume {volume['name']}"
        for volume in specification.get("volumes", [])
        if not set(volume) - {"name"} <= VOLUMES_OF_RESTRICTED_PODS
    ]
    for container in specification["containers"]:
        own = container.get("securityContext", {})
        context = {**whole, **own}
        if not context.get("runAsNonRoot") or context.get("runAsUser", 0) == 0:
            breaches.append("runAsNonRoot")
        if context.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"):
            breaches.append("seccompProfile")
        if own.get("allowPrivilegeEscalation") is not False:
            breaches.append("allowPrivilegeEscalation")
        if own.get("capabilities") != {"drop": ["ALL"]}:
            breaches.append("capabilities")
    return breaches
