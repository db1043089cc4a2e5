"""
The models of the Open Inference Protocol: one entry for each task of each served version, named `{model}.{task}`.

Source: kserve/open-inference-protocol, and Triton's extensions "model configuration" and "statistics"
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from app.api.state import State
from app.arrays import ARRAYS, tensor_name
from app.distribution import installed_version
from app.engine.catalog import Catalog
from app.engine.served import ServedModel
from app.engine.statistics import RunStatistics, Total
from app.errors import MAX_REPEATED_CHARACTERS, UnknownModel, UnknownVersion
from app.manifest import Manifest
from app.tasks import TASKS, Task

EXTENSIONS = ("binary_tensor_data", "model_repository", "model_configuration", "statistics", "parameters")
SHARED_MEMORY_EXTENSION = "system_shared_memory"
LATEST = "latest"
"""May stand for the number of the largest version."""


def server_metadata(state: State) -> dict[str, Any]:
    """Return the server's name and version, and the extensions of the protocol that it supports."""
    extensions = [*EXTENSIONS, SHARED_MEMORY_EXTENSION] if state.regions.offered else [*EXTENSIONS]
    return {"name": "hourglass", "version": installed_version(), "extensions": extensions}


class TensorDescription(NamedTuple):
    """An input or output; -1 is a length that varies."""

    name: str
    datatype: str
    shape: tuple[int, ...]

    def metadata(self) -> dict[str, Any]:
        """Return its part of a model's metadata, whose shape has the batch axis."""
        return self._asdict() | {"shape": list(self.shape)}

    def config(self, batched: bool) -> dict[str, Any]:
        """Return its part of a model's configuration, whose shape lacks the batch axis if the model takes batches."""
        return {"name": self.name, "data_type": f"TYPE_{self.datatype}", "dims": list(self.shape[batched:])}


COUNT = TensorDescription("count", "INT64", (1,))
"""The optional input of a task that takes no rows: the number of samples."""


def describe_tensors(task: Task, manifest: Manifest) -> tuple[list[TensorDescription], list[TensorDescription]]:
    """Return the inputs and the outputs of a task."""
    inputs = [COUNT]
    if task.takes:
        rows = -1 if task.rows is None else task.rows
        inputs = [TensorDescription(task.takes, "FP32", (rows, *ARRAYS[task.takes].row_shape(manifest)))]
    outputs = [
        TensorDescription(tensor_name(name), ARRAYS[name].datatype, (-1, *ARRAYS[name].row_shape(manifest)))
        for name in (task.gives, *task.extras)
    ]
    return inputs, outputs


class Entry:
    """One task of one version of a model: a model of the protocol."""

    def __init__(self, task_name: str, served: ServedModel, versions: list[str]) -> None:
        self.task_name = task_name
        self.task: Task = TASKS[task_name]
        self.check = self.task.check
        self.served = served
        self.name = f"{served.manifest.name}.{task_name}"
        self.version = str(served.manifest.version)
        self.inputs, self.outputs = describe_tensors(self.task, served.manifest)
        self.arrays = {tensor_name(name): name for name in (self.task.gives, *self.task.extras)}
        """The name of each output's array in the result of the task."""
        self.takes_images = served.takes_images and self.task.takes == "samples"
        self.defaults = self.task.options()
        self._requests = served.requests[task_name]
        self._versions = versions
        """The numbers of all versions that support the task. Without the entries: a cycle would keep old models."""
        self._batched = self.task.takes is not None and self.task.rows is None

    def metadata(self) -> dict[str, Any]:
        """Return the model's metadata."""
        return {
            "name": self.name,
            "versions": self._versions,
            "platform": "onnx_onnxv1",
            "inputs": [tensor.metadata() for tensor in self.inputs],
            "outputs": [tensor.metadata() for tensor in self.outputs],
        }

    def config(self, state: State) -> dict[str, Any]:
        """Return the configuration that Triton's clients ask for; a batch has at most max_batch_size rows."""
        settings, optional = state.settings, {} if self.task.takes else {"optional": True}
        policy = {"default_timeout_microseconds": round(settings.queue_seconds * 1e6)}
        sharing = {"preferred_batch_size": [], "max_queue_delay_microseconds": 0, "default_queue_policy": policy}
        return {
            "name": self.name,
            "platform": "onnxruntime_onnx",
            "backend": "onnxruntime",
            "version_policy": {"all": {}},
            "max_batch_size": settings.max_rows if self._batched else 0,
            "input": [tensor.config(self._batched) | optional for tensor in self.inputs],
            "output": [tensor.config(self._batched) for tensor in self.outputs],
            "instance_group": [{"name": self.name, "kind": "KIND_CPU", "count": state.threads}],
            **({"dynamic_batching": sharing} if settings.batching and self._batched else {}),
        }

    def statistics(self) -> dict[str, Any]:
        """
        Return the statistics since this process started.

        Requests are those of /v2. Rows and runs are those of the queues behind the task, including the runs for /v1 and
        for other tasks that use the same queue.
        """
        runs: list[RunStatistics] = [self.served.runs[name] for name in self.task.runs]
        by_rows: dict[int, list[Total]] = {}
        for run in runs:
            for rows, total in run.by_rows.items():
                by_rows.setdefault(rows, []).append(total)
        computed = {rows: _duration(*totals) for rows, totals in sorted(by_rows.items())}
        return {
            "name": self.name,
            "version": self.version,
            "last_inference": round(max(run.last for run in runs) * 1000),
            "inference_count": sum(rows * duration["count"] for rows, duration in computed.items()),
            "execution_count": sum(duration["count"] for duration in computed.values()),
            "inference_stats": {
                "success": _duration(self._requests.success),
                "fail": _duration(self._requests.fail),
                "queue": _duration(*(run.queue for run in runs)),
                "compute_input": _duration(self._requests.read),
                "compute_infer": _duration(*(total for totals in by_rows.values() for total in totals)),
                "compute_output": _duration(self._requests.write),
                "cache_hit": _duration(),
                "cache_miss": _duration(),
            },
            "response_stats": {},
            "batch_stats": [_batch_statistics(rows, duration) for rows, duration in computed.items()],
            "memory_usage": [],
        }


class Entries:
    """Every entry of a catalog, by name and version. It is a view of the catalog."""

    def __init__(self, catalog: Catalog) -> None:
        self._entries: dict[str, dict[str, Entry]] = {}
        numbers: dict[str, list[str]] = {}
        for served in catalog.all_versions():
            for task in served.tasks:
                name = f"{served.manifest.name}.{task}"
                entry = Entry(task, served, numbers.setdefault(name, []))
                numbers[name].append(entry.version)
                self._entries.setdefault(name, {})[entry.version] = entry

    def get(self, name: str, version: str | None = None) -> Entry:
        """
        Return a version of a model, by default the largest. Raises UnknownModel or UnknownVersion.

        All names are in lower case, so that a name in another case cannot mean another model.
        """
        if name not in self._entries and (name := name.lower()) not in self._entries:
            known = ", ".join(self._entries)
            raise UnknownModel(f"there is no model {name[:MAX_REPEATED_CHARACTERS]!r}; there are {known}")
        versions = self._entries[name]
        if version is None or version == LATEST:
            return next(reversed(versions.values()))
        if version not in versions:
            raise UnknownVersion(f"the model {name!r} has no version {version[:20]!r}; it has {', '.join(versions)}")
        return versions[version]

    def names(self) -> list[str]:
        """Return the names of all models."""
        return list(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        """Yield every version of every model."""
        return (entry for versions in self._entries.values() for entry in versions.values())


def _batch_statistics(rows: int, duration: dict[str, int]) -> dict[str, Any]:
    unknown = _duration()
    return {
        "batch_size": rows,
        "compute_input": unknown,
        "compute_infer": duration,
        "compute_output": unknown,
    }


def _duration(*totals: Total) -> dict[str, int]:
    return {"count": sum(total.count for total in totals), "ns": sum(total.nanoseconds for total in totals)}
