"""One ONNX graph of a version's encoder, its decoder and the scorer: samples to score, p-value and attribution."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import compose, helper, version_converter

from app.engine.scorer import OUTPUTS
from app.importing.tidy import forget_origin
from training.errors import ExportError


def compose_scorer(encoder: Path, decoder: Path, scorer: Path, path: Path) -> None:
    """
    Write the graph that runs the scorer on what a pair makes of samples.

    The scorer's graph takes `samples`, `latents`, `reconstructions` and, of a variational model, the posterior's
    `logvar`. Raises ExportError if the graphs cannot be brought to one version of the operators, as those of an
    imported model may not.
    """
    models = {name: onnx.load(place) for name, place in (("e", encoder), ("d", decoder), ("s", scorer))}
    versions = {name: _opset(model) for name, model in models.items()}
    newest = max(versions.values())
    for name, model in models.items():
        if versions[name] < newest:
            models[name] = _convert(model, newest, path)
    latents = models["e"].graph.output[0].name
    samples, reconstructions = models["d"].graph.input[0].name, models["d"].graph.output[0].name
    wires = {
        f"e/{models['e'].graph.input[0].name}": "samples",
        f"d/{samples}": f"e/{latents}",
        "s/samples": "samples",
        "s/latents": f"e/{latents}",
        "s/reconstructions": f"d/{reconstructions}",
    }
    if "logvar" in {value.name for value in models["s"].graph.input}:
        wires["s/logvar"] = f"e/{models['e'].graph.output[1].name}"
    outputs = list(models["s"].graph.output)
    parts = [compose.add_prefix(model, f"{name}/") for name, model in models.items()]
    composed = _join(parts, wires, models["s"].graph.input[0], outputs)
    forget_origin(composed)
    onnx.save(composed, path)


def _join(
    parts: list[onnx.ModelProto],
    wires: dict[str, str],
    samples: onnx.ValueInfoProto,
    outputs: list[onnx.ValueInfoProto],
) -> onnx.ModelProto:
    """Return one model of several whose names differ; `wires` leads from an input of a part to its source."""
    copies = [helper.make_node("Identity", [source], [target]) for target, source in wires.items()]
    ends = [helper.make_node("Identity", [f"s/{name}"], [name]) for name in OUTPUTS]
    first, second = copies[:1], copies[1:2]
    nodes = [*first, *parts[0].graph.node, *second, *parts[1].graph.node, *copies[2:], *parts[2].graph.node, *ends]
    weights = [tensor for part in parts for tensor in part.graph.initializer]
    graph = helper.make_graph(nodes, "scorer", [samples], outputs, weights)
    domains = {entry.domain: entry for part in parts for entry in part.opset_import}
    composed = helper.make_model(graph, opset_imports=list(domains.values()))
    composed.ir_version = max(part.ir_version for part in parts)
    functions = {(function.domain, function.name): function for part in parts for function in part.functions}
    composed.functions.extend(functions.values())
    return composed


def _opset(model: onnx.ModelProto) -> int:
    return max(int(entry.version) for entry in model.opset_import if entry.domain in ("", "ai.onnx"))


def _convert(model: onnx.ModelProto, version: int, path: Path) -> onnx.ModelProto:
    try:
        return version_converter.convert_version(model, version)
    except Exception as error:  # the converter raises errors of its C++ code, of several kinds
        raise ExportError(
            f"{path.name}: a graph of the pair cannot be converted to opset {version}: {error}"
        ) from error
