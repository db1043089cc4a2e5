"""
Encode an image with KServe's client, over the Open Inference Protocol and gRPC.

    pip install kserve
    python examples/kserve_grpc_client.py 127.0.0.1:8001
"""

from __future__ import annotations

import asyncio
import sys

import grpc.aio
import numpy as np
from kserve import InferenceGRPCClient, InferInput, InferRequest

MODEL = "mnist-vae-2d.encode"


async def main() -> None:
    address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:8001"
    client = InferenceGRPCClient(url=address)
    print("live, ready:", await client.is_server_live(), await client.is_server_ready())
    print("model ready:", await client.is_model_ready(MODEL), await client.is_model_ready("nobody"))

    for binary in (True, False):
        samples = InferInput("samples", [1, 784], "FP32")
        samples.set_data_from_numpy(np.zeros((1, 784), np.float32), binary_data=binary)
        answer = await client.infer(InferRequest(MODEL, [samples]))
        print("latents:", answer.outputs[0].as_numpy().tolist())

    too_short = InferInput("samples", [1, 3], "FP32")
    too_short.set_data_from_numpy(np.zeros((1, 3), np.float32), binary_data=False)
    try:
        await client.infer(InferRequest(MODEL, [too_short]))
    except grpc.aio.AioRpcError as error:
        print("refused:", error.code().name, error.details())
    await client.close()


asyncio.run(main())
