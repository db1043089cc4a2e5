"""Clients of the Open Inference Protocol: parameters, names, shapes, addresses, and errors that they can read."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from bench.cases.case import Case
from bench.cases.wire import BLACK, MODEL, ask, asked

INFER = f"/v2/models/{MODEL}.encode/infer"
LATENTS = rf'^200 application/json .*"latents".*"data":\[{BLACK}'
ERROR = "^4(00|04|22) application/json "


def image() -> str:
    """Return a PNG of a black image in base64."""
    file = io.BytesIO()
    Image.new("L", (28, 28)).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def tensor(name: str = "samples", shape: Any = (1, 784), datatype: str = "FP32", **members: Any) -> dict[str, Any]:
    """Return an input of zeros, unless `data` is among the members."""
    return {"name": name, "shape": shape, "datatype": datatype, "data": [0] * 784, **members}


def infer(*inputs: dict[str, Any], path: str = INFER, **members: Any) -> Callable[[Path], str]:
    """Return a trial with one request."""
    return asked(path, {"inputs": list(inputs or [tensor()]), **members})


def generate(**parameters: Any) -> Callable[[Path], str]:
    """Return a trial that generates two samples, with more parameters."""
    parameters = {"count": 2, "seed": 1, **parameters}
    return asked(f"/v2/models/{MODEL}.generate/infer", {"inputs": [], "parameters": parameters})


def documented(_: Path) -> str:
    """Return the statuses of errors that the document has for inference, with their media types."""
    document = json.loads(ask("/openapi.json")[2])
    answers = document["paths"]["/v2/models/{name}/infer"]["post"]["responses"]
    return "; ".join(f"{status} {' '.join(answer.get('content', {}))}" for status, answer in sorted(answers.items()))


def row(number: str, situation: str, run: Callable[[Path], str], right: str = LATENTS) -> Case:
    """Return a case; by default, the latents of a black image are right."""
    return Case(number, situation, run, right)


ENCODED = tensor(datatype="BYTES", shape=[1], data=[image()], parameters={"content_type": "base64"})
PANDAS, NUMPY = {"content_type": "pd"}, {"content_type": "np"}
TRITONS = {"sequence_id": 3, "sequence_start": True, "priority": 1, "triton_enable_empty_final_response": False}

CASES = [
    row("D1", "an error as KServe's client reads it: a wrong shape", infer(tensor(shape=[1, 3], data=[1, 2, 3])),
        f"{ERROR}wrong-shape: .*expected shape"),
    row("D1.2", "the same: an unknown model", infer(path="/v2/models/none/infer"), f"{ERROR}unknown-model: .*no model"),
    row("D1.3", "the same: a body that is not JSON", asked(INFER, b"{"), f"{ERROR}malformed-body: expected"),
    row("D1.4", "the same: an unknown output", infer(outputs=[{"name": "z"}]), f"{ERROR}.*expected latents.*'z'"),
    row("D1.5", "the same: the metadata of an unknown version", asked("/v2/models/mnist-ae.encode/versions/99"),
        f"{ERROR}.*no version '99'"),
    row("D2", "MLServer's NumpyRequestCodec", infer(tensor(parameters=NUMPY), parameters=NUMPY)),
    row("D4", "request parameters of pandas", infer(parameters=PANDAS)),
    row("D4.2", "a trace id", infer(parameters={"trace_id": "t"})),
    row("D4.3", "Triton's parameters of sequences", infer(parameters=TRITONS)),
    row("D4.4", "MLServer's headers and metrics", infer(parameters={"headers": {"x": "y"}, "metrics": [1]})),
    row("D4.5", "a misspelt option", generate(temperatur=0.5), f"{ERROR}.*'temperatur'.*did you mean 'temperature'"),
    row("D4.6", "an unknown parameter of generate", generate(max_tokens=5), "^200 .*\\[2,1,28,28\\]"),
    row("D4.7", "scale, which is for pictures", generate(scale=4), f"{ERROR}.*'scale': it has no meaning here"),
    row("D5", "a sole input called input-0", infer(tensor("input-0"))),
    row("D5.2", "a sole input called SAMPLES", infer(tensor("SAMPLES"))),
    row("D5.3", "a sole input called INPUT__0", infer(tensor("INPUT__0"))),
    row("D5.4", "an input that means something else", infer(tensor("latents")), f"{ERROR}.*'samples', got 'latents'"),
    row("D5.5", "a model's name in another case", infer(path=INFER.replace("mnist-vae", "MNIST-VAE"))),
    row("D6", "BYTES of shape [-1]", infer({**ENCODED, "shape": [-1]})),
    row("D6.2", "BYTES whose data are one string", infer({**ENCODED, "data": image()})),
    row("D6.3", "FP32 of shape [-1, 784]", infer(tensor(shape=[-1, 784]))),
    row("D6.4", "FP32 of shape [-1, 1, 28, 28], flat", infer(tensor(shape=[-1, 1, 28, 28]))),
    row("D6.5", "a shape that the data do not fill", infer(tensor(shape=[-1, 700])), ERROR),
    row("D8", "a path that ends in a slash", infer(path=f"{INFER}/")),
    row("D8.2", "the same with a version", infer(path=INFER.replace("/infer", "/versions/1/infer/"))),
    row("D8.3", "GET /v2/", asked("/v2/"), '^200 application/json .*"extensions"'),
    row("D8.4", "GET /v2/health/ready/", asked("/v2/health/ready/"), "^200 application/json .*true"),
    row("D9", "the document of inference: errors", documented, "400 application/json;.*422 application/json;"),
]  # fmt: skip
