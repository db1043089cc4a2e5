"""Arrays to the tensors of an answer of the Open Inference Protocol."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from app.api.inference_models import InferenceModel, Stopwatch
from app.api.negotiation import JSON, NPY
from app.api.replies import ON_THE_LOOP, Answer
from app.api.service import Service
from app.api.tracing import Trace
from app.formats.compression import ENCODINGS, compress
from app.formats.inference import InferenceRequest, write_answer

Array = npt.NDArray[np.float32]
Headers = Mapping[bytes, bytes]

HEADER_LENGTH = b"inference-header-content-length"
OCTETS = "application/octet-stream"


class TensorReply:
    """What the tasks' functions ask of `app.api.replies.Reply`: here their answers become tensors."""

    def __init__(
        self,
        model: InferenceModel,
        service: Service,
        request: InferenceRequest,
        wanted: Mapping[str, bool],
        encoding: str | None,
        rows: Array | None,
        stopwatch: Stopwatch,
        trace: Trace,
    ) -> None:
        self._model = model
        self._service = service
        self._id = request.id
        self._wanted = wanted
        self._encoding = encoding
        self._sent = {} if rows is None else {"noisy": rows}
        """What outputs are that the task does not make: where there is no noise, what is denoised is what was sent."""
        self._stopwatch = stopwatch
        self._trace = trace

    async def array(
        self, array: Array, *, seed: int | None = None, columns: int | None = None, **members: Array
    ) -> Answer:
        """Samples or latents, and what else the task made, as far as it is wanted. `columns` is for pictures."""
        self._stopwatch.was_made()
        began = perf_counter()
        made = {**self._sent, self._model.spec.gives: array, **members}
        outputs = [(name, made[name], binary) for name, binary in self._wanted.items()]
        binary_size = sum(values.size for _, values, binary in outputs if binary)
        json_size = sum(values.size for _, values, binary in outputs if not binary)
        small = binary_size <= ON_THE_LOOP[NPY] and json_size <= ON_THE_LOOP[JSON]
        write = partial(self._write, outputs, seed)
        answer = write() if small and not self._encoding else await self._service.off_the_loop(write)
        self._trace.encode = perf_counter() - began
        return answer

    def bound_rows(self, rows: int) -> int:
        """The same number, of rows that an answer is asked to have. Raises TooManyRows."""
        return self._service.bound_rows(rows, self._model.served.manifest)

    def _write(self, outputs: list[tuple[str, Array, bool]], seed: int | None) -> Answer:
        head: dict[str, Any] = {"model_name": self._model.name, "model_version": self._model.version}
        if self._id is not None:
            head["id"] = self._id
        if seed is not None:
            head["parameters"] = {"seed": seed}
        content, header_length = write_answer(head, outputs)
        headers = [(b"content-type", (JSON if header_length is None else OCTETS).encode())]
        if header_length is not None:  # clients tell by its presence whether bytes follow the JSON
            headers.append((HEADER_LENGTH, b"%d" % header_length))
        if self._encoding:
            content = compress(content, self._encoding)
            headers += [(b"content-encoding", self._encoding.encode()), (b"vary", b"Accept-Encoding")]
        headers.append((b"content-length", b"%d" % len(content)))
        return Answer(content, headers)


def answer_encoding(headers: Headers) -> str | None:
    """
    The encoding that a client asks for by naming it alone, as tritonclient does where it is told to.

    Those that list what they could take, as most libraries do unasked, get answers as they are: numbers hardly shrink.
    """
    named = [part.strip().lower() for part in headers.get(b"accept-encoding", b"").decode("latin-1").split(",")]
    return named[0] if len(named) == 1 and named[0] in ENCODINGS else None
