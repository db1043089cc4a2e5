# mypy: disable-error-code="import-not-found, import-untyped, misc"
"""
MLServer, adaptive batching on; `mlserver_models` holds its settings.

Followed: the pages "Custom inference runtimes", "Adaptive batching" (max_batch_size counts requests) and "Parallel
inference" of its documentation; debug off, which switches its access log off, no metrics, no compression of answers.
It does not come with a runtime for ONNX.

Tried: batches of 4, 16 and 64 requests; max_batch_time 0.1, 1 and 5 ms, of which the shortest is as good for 16
connections and the best for one; no batching, which is not faster; one parallel worker, which is a third faster for
single samples, and slower for everything else and for one connection (and 1.7.1 needs uvloop 0.21 for it); uvicorn's
faster parser, which is kept.
"""

from __future__ import annotations

import os
from pathlib import Path

import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class OnnxModel(MLModel):
    """A model that runs the graph of its own name."""

    async def load(self) -> bool:
        """Open the graph."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        path = Path(os.environ["BENCH_FOLDER"]) / f"{self.name}.onnx"
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Run a batch that MLServer has assembled."""
        inputs = {tensor.name: NumpyCodec.decode_input(tensor) for tensor in payload.inputs}
        names = [output.name for output in self.session.get_outputs()]
        arrays = self.session.run(names, inputs)
        outputs = [NumpyCodec.encode_output(name, array) for name, array in zip(names, arrays, strict=True)]
        return InferenceResponse(model_name=self.name, outputs=outputs)
