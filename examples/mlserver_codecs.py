"""
Encode samples with MLServer's codecs, over the Open Inference Protocol.

    pip install mlserver httpx
    python examples/mlserver_codecs.py http://127.0.0.1:8000
"""

from __future__ import annotations

import sys

import httpx
import numpy as np
from mlserver.codecs import NumpyCodec, NumpyRequestCodec
from mlserver.types import InferenceRequest, InferenceResponse

INFER = "/v2/models/mnist-vae-2d.encode/infer"


def infer(address: str, request: InferenceRequest) -> None:
    """Send a request and print its latents."""
    answer = httpx.post(address + INFER, content=request.model_dump_json(exclude_none=True))
    answer.raise_for_status()
    outputs = InferenceResponse.model_validate_json(answer.content).outputs
    print("latents:", NumpyCodec.decode_output(outputs[0]).tolist())


def main() -> None:
    address = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"
    samples = np.zeros((1, 784), np.float32)
    infer(address, InferenceRequest(inputs=[NumpyCodec.encode_input(name="samples", payload=samples)]))
    # this codec names the input `input-0`, and adds the parameter `content_type` to the request
    infer(address, NumpyRequestCodec.encode_request(samples))


main()
