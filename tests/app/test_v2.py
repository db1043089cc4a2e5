"""The Open Inference Protocol on the wire, over tiny models whose answers are known by hand."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from app.main import create_app
from app.manifest import TASKS as TASKS_OF
from app.settings import Settings
from tests.app.test_images import encoded
from tests.helpers import tiny

SAMPLE = [0.25, 0.75, 0.5, 0]
LENGTH = "inference-header-content-length"


def tensor(name: str, rows: Any, **members: Any) -> dict[str, Any]:
    """An input, as JSON."""
    return {"name": name, "shape": list(np.shape(rows)), "datatype": "FP32", "data": rows, **members}


def infer(client: TestClient, model: str, *inputs: dict[str, Any], **members: Any) -> httpx.Response:
    """Ask a model in JSON."""
    answer: httpx.Response = client.post(f"/v2/models/{model}/infer", json={"inputs": list(inputs), **members})
    return answer


def outputs(response: httpx.Response) -> dict[str, Any]:
    """The outputs of an answer, in whichever format, as nested lists."""
    assert response.status_code == 200, response.text
    end = int(response.headers[LENGTH]) if LENGTH in response.headers else len(response.content)
    document, at, found = json.loads(response.content[:end]), end, {}
    for output in document["outputs"]:
        assert output["datatype"] == "FP32"
        size = output.get("parameters", {}).get("binary_data_size")
        if size is None:
            numbers = np.array(output["data"], np.float32)
        else:
            numbers, at = np.frombuffer(response.content[at : at + size], "<f4"), at + size
        found[output["name"]] = numbers.reshape(output["shape"]).tolist()
    assert at == len(response.content)
    return found


def framed(document: dict[str, Any], *blobs: bytes) -> dict[str, Any]:
    """What to send where bytes follow the JSON."""
    header = json.dumps(document).encode()
    return {"content": header + b"".join(blobs), "headers": {LENGTH: str(len(header))}}


def test_the_server_says_what_it_is(client: TestClient) -> None:
    answer = client.get("/v2", follow_redirects=False).json()
    assert answer.keys() == {"name", "version", "extensions"}
    assert {"binary_tensor_data", "model_configuration", "statistics"} <= set(answer["extensions"])
    assert client.get("/v2/", follow_redirects=False).json() == answer


@pytest.mark.parametrize(("probe", "member"), [("live", "live"), ("ready", "ready")])
def test_probes_answer_get_and_head(client: TestClient, probe: str, member: str) -> None:
    assert client.get(f"/v2/health/{probe}").json() == {member: True}
    assert client.head(f"/v2/health/{probe}").status_code == 200


def test_before_its_start_the_server_is_not_ready(tiny_models: Path) -> None:
    app = create_app(Settings(models_dir=tiny_models))

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return await client.get("/v2/health/ready")

    answer = asyncio.run(ask())
    assert (answer.status_code, answer.json()) == (503, {"ready": False})
    app.state.service.close()


def test_every_task_of_every_model_is_a_model(client: TestClient) -> None:
    families = {"tiny-ae": "autoencoder", "tiny-table": "autoencoder", "tiny-sdae": "denoising-autoencoder"}
    families["tiny-vae"] = "variational-autoencoder"
    expected = {f"{name}.{task}" for name, family in families.items() for task in TASKS_OF[family]}  # type: ignore[index]
    assert set(client.get("/v2/models").json()["models"]) == expected
    index = client.post("/v2/repository/index").json()
    assert {entry["name"] for entry in index} == expected
    assert {(entry["state"], entry["reason"]) for entry in index} == {("READY", "")}
    assert [entry["version"] for entry in index if entry["name"] == "tiny-ae.encode"] == ["1", "2"]
    for name in expected:
        assert client.get(f"/v2/models/{name}/ready").json() == {"name": name, "ready": True}


def test_the_metadata_of_a_model(client: TestClient) -> None:
    assert client.get("/v2/models/tiny-ae.reconstruct").json() == {
        "name": "tiny-ae.reconstruct",
        "versions": ["1", "2"],
        "platform": "onnx_onnxv1",
        "inputs": [{"name": "samples", "datatype": "FP32", "shape": [-1, 1, 2, 2]}],
        "outputs": [
            {"name": "samples", "datatype": "FP32", "shape": [-1, 1, 2, 2]},
            {"name": "errors", "datatype": "FP32", "shape": [-1]},
        ],
    }
    assert client.get("/v2/models/tiny-ae.reconstruct/versions/1").json()["versions"] == ["1", "2"]


METADATA: list[tuple[str, tuple[str, list[int]], list[tuple[str, list[int]]]]] = [
    ("tiny-table.encode", ("samples", [-1, 4]), [("latents", [-1, 2])]),
    ("tiny-table.decode", ("latents", [-1, 2]), [("samples", [-1, 4])]),
    ("tiny-sdae.denoise", ("samples", [-1, 1, 2, 2]), [("samples", [-1, 1, 2, 2]), ("noisy", [-1, 1, 2, 2])]),
    ("tiny-ae.interpolate", ("samples", [2, 1, 2, 2]), [("samples", [-1, 1, 2, 2])]),
    ("tiny-vae.generate", ("count", [1]), [("samples", [-1, 1, 2, 2])]),
]


@pytest.mark.parametrize(("model", "takes", "gives"), METADATA, ids=[row[0] for row in METADATA])
def test_who_knows_the_metadata_alone_can_ask(client: TestClient, model: str, takes: Any, gives: Any) -> None:
    metadata = client.get(f"/v2/models/{model}").json()
    assert [(t["name"], t["shape"]) for t in metadata["inputs"]] == [takes]
    assert [(t["name"], t["shape"]) for t in metadata["outputs"]] == gives
    (described,) = metadata["inputs"]
    shape = [3 if length == -1 else length for length in described["shape"]]
    ones = np.ones(shape, {"FP32": np.float32, "INT64": np.int64}[described["datatype"]])
    wanted = [{"name": output["name"]} for output in metadata["outputs"]]
    sent = {"name": described["name"], "datatype": described["datatype"], "shape": shape, "data": ones.tolist()}
    found = outputs(infer(client, model, sent, outputs=wanted))
    for output in metadata["outputs"]:
        got = list(np.shape(found[output["name"]]))
        assert len(got) == len(output["shape"])
        assert all(expected in (-1, length) for expected, length in zip(output["shape"], got, strict=True))


def test_the_configuration_of_a_model(client: TestClient) -> None:
    config = client.get("/v2/models/tiny-ae.encode/config").json()
    assert config["name"] == "tiny-ae.encode"
    assert config["max_batch_size"] == 16  # max_rows of the fixture
    assert [(t["name"], t["data_type"], t["dims"]) for t in config["input"]] == [("samples", "TYPE_FP32", [1, 2, 2])]
    assert [(t["name"], t["data_type"], t["dims"]) for t in config["output"]] == [("latents", "TYPE_FP32", [2])]
    assert config["dynamic_batching"]["max_queue_delay_microseconds"] == 0
    generate = client.get("/v2/models/tiny-vae.generate/versions/1/config").json()
    assert (generate["max_batch_size"], generate["input"][0]["dims"]) == (0, [1])
    assert generate["input"][0]["optional"] is True
    assert generate["output"][0]["dims"] == [-1, 1, 2, 2]
    assert "dynamic_batching" not in generate


def test_the_tasks_give_what_the_models_calculate(client: TestClient) -> None:
    two: list[Any] = [SAMPLE, [1, 1, 1, 1]]
    halves = [[[[0.5, 0.5], [0.25, 0.25]]], [[[1, 1], [1, 1]]]]
    assert outputs(infer(client, "tiny-ae.encode", tensor("samples", two))) == {"latents": [[1, 0.5], [2, 2]]}
    assert outputs(infer(client, "tiny-ae.decode", tensor("latents", [[1, 0.5], [2, 2]]))) == {"samples": halves}
    reconstructed = outputs(infer(client, "tiny-ae.reconstruct", tensor("samples", two)))
    assert reconstructed == {"samples": halves, "errors": [0.0625, 0]}
    denoised = outputs(infer(client, "tiny-sdae.denoise", tensor("samples", two)))
    assert denoised == {"samples": halves, "noisy": np.reshape(two, (2, 1, 2, 2)).tolist()}
    along = outputs(infer(client, "tiny-ae.interpolate", tensor("samples", two), parameters={"steps": 2}))
    assert along == {"samples": halves}
    assert outputs(infer(client, "tiny-table.decode", tensor("latents", [[10, -4]]))) == {"samples": [[5, 5, -2, -2]]}


def test_an_answer_names_the_model_and_repeats_the_id(client: TestClient) -> None:
    answer = infer(client, "tiny-ae.encode", tensor("samples", [SAMPLE]), id="seven")
    assert answer.headers["content-type"] == "application/json"
    assert LENGTH not in answer.headers
    assert answer.json() == {
        "model_name": "tiny-ae.encode",
        "model_version": "2",
        "id": "seven",
        "outputs": [{"name": "latents", "shape": [1, 2], "datatype": "FP32", "data": [1.0, 0.5]}],
    }
    assert "id" not in infer(client, "tiny-ae.encode", tensor("samples", [SAMPLE])).json()
    assert infer(client, "tiny-ae.encode/versions/1", tensor("samples", [SAMPLE])).json()["model_version"] == "1"
    assert infer(client, "tiny-ae.encode/versions/latest", tensor("samples", [SAMPLE])).json()["model_version"] == "2"


def test_bytes_in_and_bytes_out(client: TestClient) -> None:
    described = tensor("samples", [SAMPLE], parameters={"binary_data_size": 16})
    del described["data"]
    document = {"inputs": [described], "parameters": {"binary_data_output": True}}
    answer = client.post("/v2/models/tiny-ae.reconstruct/infer", **framed(document, struct.pack("<4f", *SAMPLE)))
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.content.endswith(struct.pack("<4f", 0.5, 0.5, 0.25, 0.25) + struct.pack("<f", 0.0625))
    assert outputs(answer) == {"samples": [[[[0.5, 0.5], [0.25, 0.25]]]], "errors": [0.0625]}


def test_each_output_comes_as_it_is_wanted_and_in_that_order(client: TestClient) -> None:
    wanted = [{"name": "errors", "parameters": {"binary_data": True}}, {"name": "samples"}]
    answer = infer(client, "tiny-ae.reconstruct", tensor("samples", [SAMPLE]), outputs=wanted)
    assert list(outputs(answer)) == ["errors", "samples"]
    first, second = json.loads(answer.content[: int(answer.headers[LENGTH])])["outputs"]
    assert first["parameters"] == {"binary_data_size": 4}
    assert second["data"] == [0.5, 0.5, 0.25, 0.25]
    alone = infer(client, "tiny-ae.reconstruct", tensor("samples", [SAMPLE]), outputs=[{"name": "errors"}])
    assert outputs(alone) == {"errors": [0.0625]}


def test_a_body_of_bytes_alone_is_rows(client: TestClient) -> None:
    two = struct.pack("<8f", *SAMPLE, 1, 1, 1, 1)
    answer = client.post("/v2/models/tiny-ae.encode/infer", content=two, headers={LENGTH: "0"})
    assert outputs(answer) == {"latents": [[1, 0.5], [2, 2]]}
    assert LENGTH in answer.headers
    count = client.post("/v2/models/tiny-vae.generate/infer", content=struct.pack("<q", 3), headers={LENGTH: "0"})
    assert np.shape(outputs(count)["samples"]) == (3, 1, 2, 2)
    refused = client.post("/v2/models/tiny-ae.encode/infer", content=two[:-1], headers={LENGTH: "0"})
    assert (refused.status_code, refused.json()["code"]) == (400, "malformed-body")


@pytest.mark.parametrize("content_type", [None, "application/octet-stream", "application/json", "text/plain"])
def test_the_content_type_is_not_looked_at(client: TestClient, content_type: str | None) -> None:
    headers = {"content-type": content_type} if content_type else {}
    content = json.dumps({"inputs": [tensor("samples", [SAMPLE])]})
    answer = client.post("/v2/models/tiny-ae.encode/infer", content=content, headers=headers)
    assert outputs(answer) == {"latents": [[1, 0.5]]}


@pytest.mark.parametrize("datatype", ["UINT8", "INT64", "FP16", "FP64", "BOOL"])
def test_other_datatypes_become_float32(client: TestClient, datatype: str) -> None:
    dtype = {"UINT8": "u1", "INT64": "<i8", "FP16": "<f2", "FP64": "<f8", "BOOL": "?"}[datatype]
    blob = np.array([1, 0, 1, 1], dtype).tobytes()
    described = tensor("samples", [SAMPLE], datatype=datatype, parameters={"binary_data_size": len(blob)})
    del described["data"]
    answer = client.post("/v2/models/tiny-ae.encode/infer", **framed({"inputs": [described]}, blob))
    assert outputs(answer) == {"latents": [[1, 2]]}


def images() -> list[bytes]:
    """[[0.2, 0.4], [1, 0]] as a PNG, and white as a JPEG."""
    first = encoded(Image.fromarray(np.array([[51, 102], [255, 0]], np.uint8)))
    return [first, encoded(Image.new("L", (9, 7), 255), "JPEG")]


def test_images_are_elements_of_bytes(client: TestClient) -> None:
    blob = b"".join(struct.pack("<I", len(image)) + image for image in images())
    as_bytes = {"name": "samples", "shape": [2], "datatype": "BYTES", "parameters": {"binary_data_size": len(blob)}}
    answer = client.post("/v2/models/tiny-ae.encode/infer", **framed({"inputs": [as_bytes]}, blob))
    np.testing.assert_allclose(outputs(answer)["latents"], [[0.6, 1.0], [2.0, 2.0]], atol=1e-6)
    texts = [base64.b64encode(image).decode() for image in images()]
    as_json = {"name": "samples", "shape": [2, 1], "datatype": "BYTES", "data": texts}
    assert outputs(infer(client, "tiny-ae.encode", as_json)) == outputs(answer)
    one = {"name": "samples", "shape": [1], "datatype": "BYTES", "data": texts[:1]}
    np.testing.assert_allclose(outputs(infer(client, "tiny-ae.encode", one))["latents"], [[0.6, 1]], atol=1e-6)


def test_images_are_checked(client: TestClient) -> None:
    def refused(model: str, shape: list[int], *contents: bytes) -> tuple[int, str]:
        texts = [base64.b64encode(content).decode() for content in contents]
        name = "latents" if model.endswith("decode") else "samples"
        answer = infer(client, model, {"name": name, "shape": shape, "datatype": "BYTES", "data": texts})
        return answer.status_code, answer.json()["code"]

    png, jpeg = images()
    assert refused("tiny-ae.encode", [1], b"GIF89a") == (422, "invalid-image")
    assert refused("tiny-ae.encode", [1], png[:40]) == (422, "invalid-image")
    assert refused("tiny-ae.encode", [2], png, jpeg[:-9]) == (422, "invalid-image")
    assert refused("tiny-ae.encode", [1, 2], png, jpeg) == (422, "wrong-shape")
    assert refused("tiny-ae.decode", [1], png) == (422, "not-numbers")
    assert refused("tiny-table.encode", [1], png) == (422, "not-numbers")
    large = encoded(Image.new("L", (80, 80)))
    assert refused("tiny-ae.encode", [1], encoded(Image.new("L", (101, 100)))) == (413, "too-many-pixels")
    assert refused("tiny-ae.encode", [2], large, large) == (413, "too-many-pixels")  # 10 000 of both together
    assert refused("tiny-ae.encode", [17], *[png] * 17) == (413, "too-many-rows")


def test_options_are_parameters_of_the_request(client: TestClient) -> None:
    drawn = infer(client, "tiny-vae.encode", tensor("samples", [SAMPLE]), parameters={"sample": True, "seed": 3})
    query = client.post("/v1/models/tiny-vae/encode?sample=true&seed=3", json={"samples": [SAMPLE]})
    np.testing.assert_array_equal(outputs(drawn)["latents"], np.array(query.json()["latents"], np.float32))
    assert drawn.json()["parameters"] == {"seed": 3}
    noise = {"noise": "masking", "amount": 1.0, "seed": 1}
    noisy = outputs(infer(client, "tiny-sdae.denoise", tensor("samples", [SAMPLE]), parameters=noise))
    assert noisy == {"samples": [[[[0, 0], [0, 0]]]], "noisy": [[[[0, 0], [0, 0]]]]}


def test_a_seed_that_was_drawn_is_named(client: TestClient) -> None:
    first = infer(client, "tiny-vae.generate", parameters={"count": 2})
    seed = first.json()["parameters"]["seed"]
    again = infer(client, "tiny-vae.generate", parameters={"count": 2, "seed": seed})
    assert outputs(again) == outputs(first)


def test_how_many_to_generate_is_an_input_or_a_parameter(client: TestClient) -> None:
    count = {"name": "count", "shape": [1], "datatype": "INT64", "data": [3]}
    as_input = infer(client, "tiny-vae.generate", count, parameters={"seed": 1})
    as_parameter = infer(client, "tiny-vae.generate", parameters={"seed": 1, "count": 3})
    assert outputs(as_input) == outputs(as_parameter)
    assert len(outputs(as_input)["samples"]) == 3
    assert len(outputs(client.post("/v2/models/tiny-vae.generate/infer", json={}))["samples"]) == 16


def test_a_label_is_a_parameter(tmp_path: Path) -> None:
    tiny.write_version(tmp_path, "told", labels=("none", "quarter"))
    with TestClient(create_app(Settings(models_dir=tmp_path))) as client:
        latents = tensor("latents", [[1, 0.5]])
        found = outputs(infer(client, "told.decode", latents, parameters={"label": "quarter"}))
        assert found == {"samples": [[[[0.75, 0.75], [0.5, 0.5]]]]}
        assert infer(client, "told.decode", latents).json()["code"] == "invalid-parameter"


COUNTED = {"name": "count", "shape": [1], "datatype": "INT64", "data": [3]}
REFUSED: list[tuple[str, dict[str, Any], int, str, str]] = [
    ("nobody.encode", {}, 404, "unknown-model", "there is no model 'nobody.encode'; there are tiny-ae.encode"),
    ("tiny-ae", {}, 404, "unknown-model", "there is no model 'tiny-ae'"),
    ("tiny-ae.generate", {}, 404, "unknown-model", "there is no model 'tiny-ae.generate'"),
    ("tiny-ae.encode/versions/3", {}, 404, "unknown-version", "has no version '3'; it has 1, 2"),
    ("tiny-ae.encode/versions/01", {}, 404, "unknown-version", "has no version '01'"),
    ("tiny-ae.encode", {}, 422, "invalid-input", "inputs: expected 'samples', got none"),
    (
        "tiny-ae.encode",
        {"inputs": [tensor("latents", [[1]])]},
        422,
        "invalid-input",
        "expected 'samples', got 'latents'",
    ),
    (
        "tiny-ae.encode",
        {"inputs": [tensor("samples", [SAMPLE]), tensor("b", [[1]])]},
        422,
        "invalid-input",
        "expected 'samples', got 'b'",
    ),
    ("tiny-ae.encode", {"inputs": [tensor("samples", [[1, 2, 3]])]}, 422, "wrong-shape", "got [1, 3]"),
    ("tiny-ae.encode", {"inputs": [tensor("samples", SAMPLE)]}, 422, "wrong-shape", "one row alone must still be"),
    ("tiny-ae.encode", {"inputs": [tensor("samples", [[0, 0, 0, 2]])]}, 422, "out-of-range", "from 0 to 1"),
    ("tiny-ae.encode", {"inputs": [tensor("samples", [SAMPLE] * 17)]}, 413, "too-many-rows", "at most 16 rows"),
    ("tiny-table.encode", {"inputs": [tensor("samples", [[1e39, 0, 0, 0]])]}, 422, "not-finite", "finite"),
    ("tiny-ae.interpolate", {"inputs": [tensor("samples", [SAMPLE])]}, 422, "wrong-shape", "expected 2 samples"),
    (
        "tiny-ae.encode",
        {"inputs": [tensor("samples", [SAMPLE])], "outputs": [{"name": "samples"}]},
        422,
        "invalid-input",
        "outputs: expected latents, got 'samples'",
    ),
    (
        "tiny-ae.encode",
        {"inputs": [tensor("samples", [SAMPLE])], "parameters": {"temperature": 2}},
        422,
        "invalid-parameter",
        "request parameter 'temperature'",
    ),
    (
        "tiny-ae.encode",
        {"inputs": [tensor("samples", [SAMPLE])], "parameters": {"triton_enable_empty_final_response": True}},
        422,
        "invalid-parameter",
        "request parameter 'triton_enable_empty_final_response'",
    ),
    ("tiny-vae.generate", {"parameters": {"x" * 61: 1}}, 422, "invalid-parameter", "at most 32 parameters"),
    ("tiny-vae.generate", {"parameters": {str(n): n for n in range(33)}}, 422, "invalid-parameter", "at most 32"),
    (
        "tiny-ae.encode",
        {"inputs": [tensor("samples", [SAMPLE])], "parameters": {"timeout": -1}},
        422,
        "invalid-parameter",
        "timeout: expected a whole number of microseconds",
    ),
    (
        "tiny-ae.encode",
        {"inputs": [tensor("samples", [SAMPLE])], "parameters": {"sample": True}},
        422,
        "invalid-parameter",
        "is deterministic",
    ),
    (
        "tiny-vae.encode",
        {"inputs": [tensor("samples", [SAMPLE])], "parameters": {"seed": 1}},
        422,
        "invalid-parameter",
        "",
    ),
    ("tiny-vae.generate", {"parameters": {"count": 0}}, 422, "invalid-parameter", "greater than or equal to 1, got 0"),
    ("tiny-vae.generate", {"parameters": {"count": [1]}}, 422, "invalid-parameter", "request parameter 'count'"),
    ("tiny-vae.generate", {"parameters": {"count": 17}}, 413, "too-many-rows", "at most 16 rows"),
    ("tiny-vae.generate", {"inputs": [COUNTED], "parameters": {"count": 3}}, 422, "invalid-input", "got both"),
    (
        "tiny-vae.generate",
        {"inputs": [COUNTED | {"shape": [1, 1]}]},
        422,
        "wrong-shape",
        "expected shape [1], got [1, 1]",
    ),
    (
        "tiny-vae.generate",
        {"inputs": [COUNTED | {"datatype": "FP32", "data": [2.5]}]},
        422,
        "invalid-parameter",
        "got 2.5",
    ),
    ("tiny-vae.generate", {"inputs": [COUNTED | {"datatype": "BYTES", "data": ["YQ=="]}]}, 422, "not-numbers", "count"),
]


@pytest.mark.parametrize(("model", "body", "status", "code", "detail"), REFUSED)
def test_what_is_refused_is_refused_readably(
    client: TestClient, model: str, body: dict[str, Any], status: int, code: str, detail: str
) -> None:
    answer = client.post(f"/v2/models/{model}/infer", json=body)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code)
    assert detail in problem["error"]
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("length", ["-1", "x", "1e3", "3.0", "9" * 30, " "])
def test_a_header_length_that_is_none_is_refused(client: TestClient, length: str) -> None:
    answer = client.post("/v2/models/tiny-ae.encode/infer", content=b"{}", headers={LENGTH: length})
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed-body")
    assert "Inference-Header-Content-Length" in answer.json()["error"]


def test_bodies_are_bounded(client: TestClient) -> None:
    answer = client.post("/v2/models/tiny-ae.encode/infer", content=bytes(4097))
    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_bodies_and_answers_may_be_compressed(client: TestClient, encoding: str) -> None:
    described = tensor("samples", [SAMPLE], parameters={"binary_data_size": 16})
    del described["data"]
    document = {"inputs": [described], "parameters": {"binary_data_output": True}, "padding": "-" * 900}
    sent = framed(document, struct.pack("<4f", *SAMPLE))
    pack = gzip.compress if encoding == "gzip" else zlib.compress
    headers = {**sent["headers"], "content-encoding": encoding, "accept-encoding": encoding}
    url = "/v2/models/tiny-ae.encode/infer"
    packed = pack(sent["content"])
    assert len(packed) < int(sent["headers"][LENGTH])  # which counts the bytes before they are compressed
    answer = client.post(url, content=packed, headers=headers)
    assert answer.headers["content-encoding"] == encoding
    assert answer.headers["vary"] == "Accept-Encoding"
    assert outputs(answer) == {"latents": [[1, 0.5]]}  # httpx has decompressed it; the length is of that


@pytest.mark.parametrize("accepted", ["gzip, deflate", "gzip, deflate, br", "br", "identity", "*", "gzip;q=0", ""])
def test_answers_are_compressed_for_those_alone_who_ask_for_it(client: TestClient, accepted: str) -> None:
    content = json.dumps({"inputs": [tensor("samples", [SAMPLE])]})
    headers = {"accept-encoding": accepted}
    answer = client.post("/v2/models/tiny-ae.encode/infer", content=content, headers=headers)
    assert "content-encoding" not in answer.headers
    for path in ("/v2", "/v2/models/tiny-ae.encode", "/v2/models/stats"):
        assert "content-encoding" not in client.get(path, headers={"accept-encoding": "gzip"}).headers


def test_compressed_bodies_are_bounded_and_checked(tiny_models: Path) -> None:
    settings = Settings(models_dir=tiny_models, max_decompressed_bytes=1000)
    url = "/v2/models/tiny-ae.encode/infer"
    with TestClient(create_app(settings)) as client:
        cases = [
            (gzip.compress(bytes(1001)), "gzip", 413, "decompressed-too-large"),
            (zlib.compress(bytes(10**8)), "deflate", 413, "decompressed-too-large"),
            (gzip.compress(b"{}")[:-1], "gzip", 400, "malformed-body"),
            (b"{}", "gzip", 400, "malformed-body"),
            (b"{}", "br", 415, "unsupported-encoding"),
        ]
        for content, encoding, status, code in cases:
            answer = client.post(url, content=content, headers={"content-encoding": encoding})
            assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer.headers["accept-encoding"] == "gzip, deflate"


def test_requests_of_both_protocols_share_a_run(tiny_models: Path) -> None:
    app = create_app(Settings(models_dir=tiny_models))

    async def ask() -> tuple[list[httpx.Response], httpx.Response]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            rows = [[n / 4, 0, 0, n / 4] for n in range(4)]
            first = [client.post("/v1/models/tiny-ae/encode", json={"samples": [row]}) for row in rows]
            url = "/v2/models/tiny-ae.encode/infer"
            second = [client.post(url, json={"inputs": [tensor("samples", [row])]}) for row in rows]
            answers = await asyncio.gather(*first, *second)
            return answers, await client.get("/v2/models/tiny-ae.encode/stats")

    answers, told = asyncio.run(ask())
    assert [answer.json()["latents"] for answer in answers[:4]] == [[[n / 4, n / 4]] for n in range(4)]
    assert [outputs(answer)["latents"] for answer in answers[4:]] == [[[n / 4, n / 4]] for n in range(4)]
    (statistics,) = told.json()["model_stats"]
    assert (statistics["inference_count"], statistics["execution_count"]) == (8, 1)
    app.state.service.close()


def test_statistics_count_requests_rows_and_runs(tiny_models: Path) -> None:
    with TestClient(create_app(Settings(models_dir=tiny_models))) as client:
        before = client.get("/v2/models/tiny-ae.encode/stats").json()["model_stats"][0]
        assert (before["inference_count"], before["last_inference"]) == (0, 0)
        for rows in (3, 3, 1):
            outputs(infer(client, "tiny-ae.encode", tensor("samples", [SAMPLE] * rows)))
        assert infer(client, "tiny-ae.encode", tensor("samples", [[1]])).status_code == 422
        (after,) = client.get("/v2/models/tiny-ae.encode/versions/2/stats").json()["model_stats"]
        assert (after["name"], after["version"]) == ("tiny-ae.encode", "2")
        assert (after["inference_count"], after["execution_count"]) == (7, 3)
        counts = {name: duration["count"] for name, duration in after["inference_stats"].items()}
        expected = {"success": 3, "fail": 1, "queue": 3, "compute_input": 3, "compute_infer": 3, "compute_output": 3}
        assert counts == {**expected, "cache_hit": 0, "cache_miss": 0}
        spent = {name: duration["ns"] for name, duration in after["inference_stats"].items()}
        parts = sum(spent[name] for name in ("compute_input", "compute_infer", "compute_output"))
        assert 0 < parts <= spent["success"]
        batches = {batch["batch_size"]: batch["compute_infer"]["count"] for batch in after["batch_stats"]}
        assert batches == {1: 1, 3: 2}
        assert after["last_inference"] > 1.7e12
        everything = client.get("/v2/models/stats").json()["model_stats"]
        assert len(everything) == len(client.post("/v2/repository/index").json())
        assert after in everything


@pytest.mark.parametrize("body", [b"", b"{}", b'{"ready": true}', b" "])
def test_the_index_takes_any_body_that_clients_send(client: TestClient, body: bytes) -> None:
    headers = {"content-type": "application/octet-stream"}
    assert client.post("/v2/repository/index", content=body, headers=headers).status_code == 200


@pytest.mark.parametrize("body", [b"[]", b'{"ready": "yes"}', b"{"])
def test_the_index_refuses_others(client: TestClient, body: bytes) -> None:
    assert client.post("/v2/repository/index", content=body).json()["code"] == "malformed-body"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v2/repository/models/tiny-ae.encode/load", 403),
        ("POST", "/v2/repository/models/tiny-ae.encode/unload", 403),
        ("GET", "/v2/trace/setting", 404),
        ("POST", "/v2/logging", 404),
        ("GET", "/v2/systemsharedmemory/status", 404),
        ("GET", "/v2/cudasharedmemory/status", 404),
        ("GET", "/v2/models/nobody", 404),
        ("GET", "/v2/models/nobody/ready", 404),
        ("GET", "/v2/models/tiny-ae.encode/versions/9/config", 404),
        ("GET", "/v2/models/tiny-ae.encode/infer", 405),
        ("DELETE", "/v2/models/tiny-ae.encode", 405),
    ],
)
def test_every_error_has_a_member_error(client: TestClient, method: str, path: str, status: int) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert isinstance(answer.json()["error"], str)


def test_a_request_that_takes_too_long_is_told_so(tiny_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(self: Any, samples: Any) -> Any:
        await asyncio.Event().wait()

    monkeypatch.setattr("app.engine.served.ServedModel.encode", never)
    with TestClient(create_app(Settings(models_dir=tiny_models))) as client:
        answer = infer(client, "tiny-ae.encode", tensor("samples", [SAMPLE]), parameters={"timeout": 1000})
    assert (answer.status_code, answer.json()["code"]) == (504, "expired")
    assert "0.001 s" in answer.json()["error"]


def test_parameters_that_change_nothing_here_are_passed_over(client: TestClient) -> None:
    parameters = {"sequence_id": 7, "sequence_start": True, "sequence_end": False, "priority": 2, "timeout": 2**63}
    answer = infer(client, "tiny-ae.encode", tensor("samples", [SAMPLE]), parameters=parameters)
    assert outputs(answer) == {"latents": [[1, 0.5]]}


def test_the_document_knows_the_routes(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    operation = document["paths"]["/v2/models/{name}/infer"]["post"]
    assert operation["operationId"] == "infer"
    assert {p["name"] for p in operation["parameters"]} == {"name", "Inference-Header-Content-Length"}
    assert set(operation["requestBody"]["content"]) == {"application/json", "application/octet-stream"}
    assert operation["responses"]["200"]["content"]["application/octet-stream"]["schema"]["format"] == "binary"
    assert {"400", "404", "413", "415", "422", "503", "504"} <= operation["responses"].keys()
    for path, methods in document["paths"].items():
        for operation in methods.values():
            for status, response in operation["responses"].items():
                if path.startswith("/v2") and status not in ("200", "503"):
                    assert list(response["content"]) == ["application/problem+json"], (path, status)
