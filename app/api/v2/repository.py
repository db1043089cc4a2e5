"""The repository of the Open Inference Protocol: its index, and loading and unloading of whole models."""

from __future__ import annotations

from collections.abc import Iterable

from app.api.reloader import Reloader
from app.api.state import State
from app.api.v2.models import Entries
from app.api.v2.schemas import IndexEntry
from app.engine.catalog import Catalog
from app.errors import MalformedBody, Refused
from app.formats.json_body import load
from app.tasks import TASKS


def index(catalog: Catalog, only_ready: bool = False) -> list[IndexEntry]:
    """
    Return the entries of the served versions and, unless only they are wanted, of the others.

    A version that is not served has one entry, under the name of its model: its tasks are not known.
    """
    ready = [
        IndexEntry(name=entry.name, version=entry.version, state="READY", reason="") for entry in catalog.view(Entries)
    ]
    others = () if only_ready else (*catalog.problems, *catalog.unloaded)
    return ready + [
        IndexEntry(name=version.name, version=str(version.version), state="UNAVAILABLE", reason=version.reason)
        for version in others
    ]


def read_index_request(content: bytes) -> bool:
    """Return True if only models that are ready shall be listed. Raises MalformedBody."""
    body = load(content, '{"ready": true}') if content.strip() else {}
    if not isinstance(body, dict) or not isinstance(body.get("ready", False), bool):
        raise MalformedBody(f'expected {{"ready": true}}, {{"ready": false}} or no body, got {content[:60]!r}')
    return bool(body.get("ready", False))


def check_load_request(content: bytes) -> None:
    """Raise Refused if a configuration or files come with the request, or MalformedBody."""
    body = load(content, "{}") if content.strip() else {}
    if not isinstance(body, dict) or not isinstance(body.get("parameters", {}), dict):
        raise MalformedBody(f"expected an object or no body, got {content[:60]!r}")
    check_load_parameters(body.get("parameters", {}))


def check_load_parameters(parameters: Iterable[str]) -> None:
    """Raise Refused if one of the parameters is a configuration or a file."""
    if names := {*parameters} - {"unload_dependents"}:
        raise Refused(f"models are loaded from the repository as they are: got {', '.join(sorted(names))[:60]!r}")


def controllable(state: State) -> Reloader:
    """Return the reloader if clients may load and unload models, or raise Refused."""
    if not state.settings.control or state.reloader is None:
        raise Refused("clients may not load or unload models here: HOURGLASS_CONTROL is not set")
    if state.settings.workers > 1:
        raise Refused("this request would reach one of several workers: change the repository, they all look at it")
    return state.reloader


def model_name(name: str, catalog: Catalog) -> str:
    """Return the model of a name in the index, which may be `{model}.{task}` or, if it is not served, `{model}`."""
    model, _, task = name.rpartition(".")
    known = {m.manifest.name for m in catalog} | {v.name for v in (*catalog.problems, *catalog.unloaded)}
    return model if task in TASKS and (model in known or name not in known) else name
