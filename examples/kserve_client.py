"""
Encode an image with KServe's client, over the Open Inference Protocol.

    pip install kserve
    python examples/kserve_client.py http://127.0.0.1:8000
"""

from __future__ import annotations

import asyncio
import sys

import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

MODEL = "mnist-vae-2d.encode"


async def main() -> None:
    address = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"
    client = InferenceRESTClient(config=RESTConfig(protocol="v2"))

    samples = InferInput("samples", [1, 784], "FP32")
    samples.set_data_from_numpy(np.zeros((1, 784), np.float32), binary_data=True)
    answer = await client.infer(address, InferRequest(MODEL, [samples]), model_name=MODEL)
    print("latents:", answer.outputs[0].as_numpy().tolist())

    too_short = InferInput("samples", [1, 3], "FP32")
    too_short.set_data_from_numpy(np.zeros((1, 3), np.float32), binary_data=False)
    try:
        await client.infer(address, InferRequest(MODEL, [too_short]), model_name=MODEL)
    except Exception as error:  # the client raises its HTTP library's error, with the server's reason in it
        print("refused:", error)


asyncio.run(main())
