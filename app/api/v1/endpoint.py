"""The endpoint of a task: one request from its headers to its answer."""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send

from app.api.adjusting import adjust
from app.api.holding import hold_rows
from app.api.negotiation import choose_encoding, choose_response_type
from app.api.request_body import read_body
from app.api.state import State
from app.api.v1.body import BodyTypes, check_no_body, read_array, request_types
from app.api.v1.reply import check_json_only, check_objects, render, response_types
from app.engine.served import ServedModel
from app.errors import UnsupportedTask
from app.options import Options
from app.parameters import parse_options
from app.server.gate import EXCHANGE, Exchange
from app.tasks import TASKS, Task
from app.times import now

ROUTES = ("/v1/models/{{model}}/{}", "/v1/models/{{model}}/versions/{{version}}/{}")


class TaskEndpoint:
    """A task of `/v1/models/{model}[/versions/{version}]/{task}`, as an ASGI application."""

    def __init__(self, name: str, task: Task, state: State) -> None:
        self.name = name
        self.task = task
        self._state = state
        self.routes = tuple(path.format(name) for path in ROUTES)
        """The templates of the task's paths: of the default version, and of any version."""
        self._defaults = task.options()
        self._check = task.check
        self._request_types = {images: request_types(images, task.takes) for images in (False, True)}
        self._response_types = {images: response_types(images, task) for images in (False, True)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request. Errors are raised for the gate."""
        exchange: Exchange = scope[EXCHANGE]
        task, state, times, headers = self.task, self._state, exchange.times, exchange.headers
        parameters, query = scope["path_params"], scope["query_string"]
        exchange.route, exchange.task = self.routes["version" in parameters], self.name
        model = self._find_model(**parameters)
        exchange.model = model.manifest
        response_type = choose_response_type(headers.get(b"accept"), self._response_types[model.takes_images])
        options = self._read_options(query, model, response_type) if query else self._defaults
        content = await read_body(receive, exchange, state)
        exchange.bytes_in = len(content)
        exchange.watched = exchange.watcher.add(receive)
        times.received = times.decoded = now()
        encoding = headers.get(b"content-encoding")
        if self._check:
            types = BodyTypes(headers.get(b"content-type"), self._request_types[model.takes_images])
            rows = await read_array(content, encoding, types, model.checks[self._check], model, state)
            del content  # it is not needed any more; neither are the rows and the result while the client reads
            if model.adjusts and task.takes == "samples":
                rows = await adjust(rows, model, exchange, task)
            times.decoded = now()
            exchange.rows = len(rows)
            if exchange.held or (options.answer_rows or len(rows)) > model.uncounted_rows:
                outputs = [(name, response_type) for name in task.computed]
                hold_rows(exchange, rows.nbytes, options.answer_rows or len(rows), outputs, model)
            result = await task.function(model, options, rows)
            del rows
        else:
            await check_no_body(content, encoding, state)
            if exchange.held or (options.answer_rows or 0) > model.uncounted_rows:
                hold_rows(exchange, 0, options.answer_rows or 0, ((task.gives, response_type),), model)
            result = await task.function(model, options)
            exchange.rows = len(result.array)
        times.computed = now()
        accepted = choose_encoding(headers.get(b"accept-encoding"))
        reply_headers, content = await render(result, response_type, accepted, task, options, model.manifest, state)
        del result
        times.encoded = now()
        await exchange.respond(reply_headers, content)

    def _read_options(self, query: bytes, model: ServedModel, response_type: str) -> Options:
        options = parse_options(self.task.options, _parse_query(query), "query")
        if options.gives_objects:
            check_objects(options, model, response_type)
        elif options.json_only:
            check_json_only(options, response_type)
        return options

    def _find_model(self, model: str, version: str | None = None) -> ServedModel:
        """Return the served model. Raises UnknownModel, UnknownVersion or UnsupportedTask."""
        served = self._state.catalog.get(model, version)
        if self.name not in served.tasks:
            able = [other.manifest.name for other in self._state.catalog.able_to(self.name)]
            raise UnsupportedTask(
                f"the model {model!r} cannot {self.name}; it can {', '.join(served.tasks)}; "
                f"models that can: {', '.join(able) or 'none'}"
            )
        return served


def task_endpoints(state: State) -> dict[str, TaskEndpoint]:
    """Return the endpoint of every task, by its name."""
    return {name: TaskEndpoint(name, task, state) for name, task in TASKS.items()}


def _parse_query(query: bytes) -> dict[str, str]:
    return dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))
