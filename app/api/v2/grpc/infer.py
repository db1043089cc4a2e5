"""The method ModelInfer: the one of HTTP's `infer`, from the checked arrays on."""

from __future__ import annotations

from functools import partial

from starlette.types import Receive

from app.api.request_body import read_body
from app.api.state import State
from app.api.v2.answer import answer_query
from app.api.v2.grpc import open_inference_pb2 as pb
from app.api.v2.grpc.gathering import Gathering
from app.api.v2.grpc.messages import parse_message, read_message, render_message
from app.api.v2.models import Entries
from app.api.v2.query import read_query
from app.api.v2.shared_memory.reading import shared_reader
from app.engine.offload import LoopLimit
from app.formats.shared_memory import REGION
from app.server.budget import UNCOUNTED_BYTES
from app.server.gate import Exchange
from app.times import now


class InferMethod:
    """The requests for runs of models."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._gathering = Gathering()

    async def __call__(self, exchange: Exchange, receive: Receive) -> None:
        """Answer a request. Errors are raised for the gate."""
        state, times, exchange.task = self._state, exchange.times, ""
        content = await read_body(receive, exchange, state)
        if len(content) <= UNCOUNTED_BYTES:  # a larger one fills much of a run by itself
            await self._gathering.join()
        exchange.bytes_in, times.received = len(content), now()
        parse = partial(parse_message, pb.ModelInferRequest, content)
        message = await state.offload.run(len(content), LoopLimit.READ_BINARY_BYTES, parse)
        del content, parse  # the message has copies; neither is needed any more while the client reads
        entry = state.catalog.view(Entries).get(message.model_name, message.model_version or None)
        exchange.model, exchange.task = entry.served.manifest, entry.task_name
        requests = entry.served.requests[entry.task_name]
        try:
            read_shared = shared_reader(state) if state.regions.offered else None
            read = partial(read_query, entry, partial(read_message, read_shared=read_shared), message)
            query = await state.offload.run(*_reading_size(message, read_shared is not None), read)
            del message, read
            answer = await answer_query(query, entry, exchange, state, render_message)
            times.encoded = now()
        except BaseException:  # a cancelled request counts, too
            requests.add_failure(times)
            raise
        requests.add_success(times)
        del query
        await exchange.respond([], answer)


def _reading_size(message: pb.ModelInferRequest, may_share: bool) -> tuple[int, int]:
    """Return the size of the work of reading a message, and its limit on the event loop."""
    if may_share and any(REGION in item.parameters for item in message.inputs):
        return 1, 0  # the size of the tensors is not known
    limit = LoopLimit.READ_BINARY_BYTES if message.raw_input_contents else LoopLimit.READ_TYPED_BYTES
    return message.ByteSize(), limit
