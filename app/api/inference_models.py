"""
The tasks of the models as the Open Inference Protocol knows models: named `{model}.{task}`, with versions, tensors,
a configuration and statistics.

Source: kserve/open-inference-protocol, and Triton's extensions "model configuration" and "statistics"
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from app.api.service import Service
from app.api.tasks import TASKS, TaskSpec
from app.engine.served import ServedModel
from app.engine.statistics import Total
from app.errors import UnknownModel, UnknownVersion
from app.manifest import ImageInput, Manifest

NOT_ARRAYS = {"model", "version", "seed"}
"""Members of an answer that are no output: the protocol has its own places for them."""
LATEST = "latest"
"""May stand for the number of the largest version."""


class Described(NamedTuple):
    """An input or output; -1 is a length that varies."""

    name: str
    datatype: str
    shape: tuple[int, ...]

    def as_metadata(self) -> dict[str, Any]:
        """For model metadata: the shape with the axis of the batch."""
        return self._asdict() | {"shape": list(self.shape)}

    def as_config(self, batched: bool) -> dict[str, Any]:
        """For the configuration: the dimensions without that axis, where the model takes batches."""
        return {"name": self.name, "data_type": f"TYPE_{self.datatype}", "dims": list(self.shape[batched:])}


COUNT = Described("count", "INT64", (1,))
"""What a task takes that is sent no rows: how many it shall make. It may be left out."""


def describe_tensors(spec: TaskSpec, manifest: Manifest) -> tuple[list[Described], list[Described]]:
    """The inputs and the outputs of a task."""
    row_shapes = {
        "samples": manifest.input_shape,
        "latents": (manifest.latent_dim,),
        "noisy": manifest.input_shape,
        "errors": (),
    }
    rows = 2 if spec.task == "interpolate" else -1
    inputs = [Described(spec.takes, "FP32", (rows, *row_shapes[spec.takes]))] if spec.takes else [COUNT]
    names = [name for name in spec.answer.model_fields if name not in NOT_ARRAYS]
    names.sort(key=lambda name: name != spec.gives)
    return inputs, [Described(name, "FP32", (-1, *row_shapes[name])) for name in names]


class InferenceModel:
    """One task of one version of a model."""

    def __init__(self, spec: TaskSpec, model: ServedModel, service: Service, versions: dict[str, Any]) -> None:
        self.spec = spec
        self.served = model
        self.name = f"{model.manifest.name}.{spec.task}"
        self.version = str(model.manifest.version)
        self.inputs, self.outputs = describe_tensors(spec, model.manifest)
        self.output_names = tuple(output.name for output in self.outputs)
        self.takes_images = spec.takes == "samples" and isinstance(model.manifest.input, ImageInput)
        self.defaults = spec.options()
        self.success, self.fail, self.read, self.written = Total(), Total(), Total(), Total()
        """Requests of this protocol: those answered, the others, and the reading and writing of the tensors."""
        self._service = service
        self._versions = versions
        """By number, all versions that can do the task, this one among them."""
        self._batched = spec.takes is not None and spec.task != "interpolate"

    def metadata(self) -> dict[str, Any]:
        """What the protocol tells of a model."""
        return {
            "name": self.name,
            "versions": list(self._versions),
            "platform": "onnx_onnxv1",
            "inputs": [tensor.as_metadata() for tensor in self.inputs],
            "outputs": [tensor.as_metadata() for tensor in self.outputs],
        }

    def config(self) -> dict[str, Any]:
        """What Triton's clients ask of a model beside its metadata; a batch has at most max_batch_size rows."""
        settings, optional = self._service.settings, {} if self.spec.takes else {"optional": True}
        policy = {"default_timeout_microseconds": round(settings.queue_seconds * 1e6)}
        sharing = {"preferred_batch_size": [], "max_queue_delay_microseconds": 0, "default_queue_policy": policy}
        return {
            "name": self.name,
            "platform": "onnxruntime_onnx",
            "backend": "onnxruntime",
            "version_policy": {"all": {}},
            "max_batch_size": settings.max_rows if self._batched else 0,
            "input": [tensor.as_config(self._batched) | optional for tensor in self.inputs],
            "output": [tensor.as_config(self._batched) for tensor in self.outputs],
            "instance_group": [{"name": self.name, "kind": "KIND_CPU", "count": self._service.threads}],
            **({"dynamic_batching": sharing} if settings.batching and self._batched else {}),
        }

    def statistics(self) -> dict[str, Any]:
        """
        What this process has done since it started.

        Requests are this protocol's. Rows and runs are those of the graphs behind the task, whoever asked for them.
        """
        runs = self.served.runs(self.spec.task)
        by_rows: dict[int, list[Total]] = {}
        for run in runs:
            for rows, total in run.copy_by_rows().items():
                by_rows.setdefault(rows, []).append(total)
        computed = {rows: _duration(*totals) for rows, totals in sorted(by_rows.items())}
        return {
            "name": self.name,
            "version": self.version,
            "last_inference": round(max(run.last for run in runs) * 1000),
            "inference_count": sum(rows * duration["count"] for rows, duration in computed.items()),
            "execution_count": sum(duration["count"] for duration in computed.values()),
            "inference_stats": {
                "success": _duration(self.success),
                "fail": _duration(self.fail),
                "queue": _duration(*(run.queue for run in runs)),
                "compute_input": _duration(self.read),
                "compute_infer": _duration(*(total for totals in by_rows.values() for total in totals)),
                "compute_output": _duration(self.written),
                "cache_hit": _duration(),
                "cache_miss": _duration(),
            },
            "response_stats": {},
            "batch_stats": [
                {
                    "batch_size": rows,
                    "compute_input": _duration(),
                    "compute_infer": duration,
                    "compute_output": _duration(),
                }
                for rows, duration in computed.items()
            ],
            "memory_usage": [],
        }


class Stopwatch:
    """The time that one request of a model takes, added to the model's statistics when it ends."""

    def __init__(self, model: InferenceModel) -> None:
        self._model = model
        self._start = time.perf_counter_ns()
        self._read = self._made = self._start

    def was_read(self) -> None:
        """The tensors are arrays now."""
        self._read = time.perf_counter_ns()

    def was_made(self) -> None:
        """The arrays of the answer are there, and become tensors now."""
        self._made = time.perf_counter_ns()

    def __enter__(self) -> Stopwatch:
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        now, model = time.perf_counter_ns(), self._model
        if error is not None:
            model.fail.add(now - self._start)
            return
        model.success.add(now - self._start)
        model.read.add(self._read - self._start)
        model.written.add(now - self._made)


class InferenceModels:
    """Every task of every version that is served, by the name and version that the protocol has for it."""

    def __init__(self, service: Service) -> None:
        self._models: dict[str, dict[str, InferenceModel]] = {}
        for served in service.all_models():
            for task in served.manifest.tasks:
                versions = self._models.setdefault(f"{served.manifest.name}.{task}", {})
                model = InferenceModel(TASKS[task], served, service, versions)
                versions[model.version] = model

    def get(self, name: str, version: str | None = None) -> InferenceModel:
        """A version of a model, by default the largest that can do the task. Raises UnknownModel or UnknownVersion."""
        versions = self.versions(name)
        if version is None or version == LATEST:
            return next(reversed(versions.values()))
        if version not in versions:
            has = ", ".join(versions)
            raise UnknownVersion(f"the model {name!r} has no version {version[:20]!r}; it has {has}")
        return versions[version]

    def versions(self, name: str) -> dict[str, InferenceModel]:
        """All versions of a model, the smallest first. Raises UnknownModel."""
        if name not in self._models:
            raise UnknownModel(f"there is no model {name[:100]!r}; there are {', '.join(self._models)}")
        return self._models[name]

    def names(self) -> list[str]:
        """The names of all models."""
        return list(self._models)

    def __iter__(self) -> Iterator[InferenceModel]:
        """Every version of every model."""
        return (model for versions in self._models.values() for model in versions.values())


def _duration(*totals: Total) -> dict[str, int]:
    return {"count": sum(total.count for total in totals), "ns": sum(total.nanoseconds for total in totals)}
