"""A client of openapi-generator's python: the program reads the path of its inputs, and prints its results as JSON."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

from hourglass_client import (
    ApiClient,
    ApiException,
    Configuration,
    ImagesIn,
    InputSamples,
    Latents,
    LatentsIn,
    ModelsApi,
    Problem,
    SamplesBody,
    SamplesIn,
    TasksApi,
)

MODEL = "mnist-vae-2d"
ENCODE = "/v1/models/{model}/encode"
task = json.loads(Path(sys.argv[1]).read_text())
image = Path(task["image"]).read_bytes()
client = ApiClient(Configuration(host=task["address"], api_key={"apiKey": task["key"]}))
models, tasks = ModelsApi(client), TasksApi(client)


def samples(rows: list[list[float]]) -> SamplesBody:
    """Return a body of samples as numbers."""
    return SamplesBody(SamplesIn(samples=InputSamples(rows)))


def encode_file(content_type: str, body: bytes | None, files: dict[str, list[tuple[str, bytes]]]) -> Latents:
    """Encode a body that the types leave out: they have one media type, JSON."""
    request = client.param_serialize(
        "POST",
        ENCODE,
        {"model": MODEL},
        header_params={"Content-Type": content_type, "Accept": "application/json"},
        body=body,
        files=files,
        auth_settings=["apiKey"],
    )
    response = client.call_api(*request)
    response.read()
    answer = client.response_deserialize(response, {"200": "Latents"}).data
    assert isinstance(answer, Latents)
    return answer


def problem_of(wrong: LatentsIn | None) -> tuple[str, int]:
    """Return the code and the status of the error that a wrong body, or no key, gives."""
    try:
        if wrong:
            tasks.decode(MODEL, wrong)
        else:
            ModelsApi(ApiClient(Configuration(host=task["address"]))).list_models()
    except ApiException as error:
        assert isinstance(error.data, Problem)
        return error.data.code, error.data.status
    raise AssertionError("expected an error")


def file_of(media_type: str) -> str:
    """Return an answer in a media type, as base64."""
    response = tasks.decode_without_preload_content(MODEL, latents, _headers={"Accept": media_type})
    return base64.b64encode(response.data).decode()


latents = LatentsIn(latents=task["latents"])
generated = tasks.generate(MODEL, count=2, seed=7)
results = {
    "models": [manifest.name for manifest in models.list_models().models],
    "encoded": tasks.encode(MODEL, samples(task["samples"])).latents,
    "decoded": tasks.decode(MODEL, latents).samples.actual_instance,
    "reconstructed": tasks.reconstruct(MODEL, samples(task["samples"])).errors,
    "generated": generated.samples.actual_instance,
    "seed": generated.seed,
    "imageInJson": tasks.encode(MODEL, SamplesBody(ImagesIn(images=[base64.b64encode(image).decode()]))).latents,
    "imageAsBody": encode_file("image/png", image, {}).latents,
    "imagesInForm": encode_file("multipart/form-data", None, {"images": [("1.png", image), ("2.png", image)]}).latents,
    "npy": file_of("application/x-npy"),
    "png": file_of("image/png"),
    "problem": problem_of(LatentsIn(latents=[[1, 2, 3]])),
    "unauthorized": problem_of(None),
}
sys.stdout.write(json.dumps(results))
