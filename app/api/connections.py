"""HTTP connections as uvicorn serves them, but for the answer to what is no HTTP: a problem document, as all errors."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.api.problems import PROBLEM_JSON, problem_document
from app.api.tracing import new_id
from app.errors import MalformedRequest


class Connection(HttpToolsProtocol):
    """A connection to one client."""

    def send_400_response(self, msg: str) -> None:
        """Called where httptools cannot parse what came: nothing after it can be understood, so the connection ends."""
        request_id = new_id()
        document = problem_document(MalformedRequest(f"expected an HTTP request, but: {msg}"), request_id)
        headers = [
            *self.server_state.default_headers,
            (b"content-type", PROBLEM_JSON.encode()),
            (b"content-length", b"%d" % len(document)),
            (b"x-request-id", request_id),
            (b"connection", b"close"),
        ]
        head = b"".join(b"%s: %s\r\n" % header for header in headers)
        self.transport.write(b"HTTP/1.1 400 Bad Request\r\n" + head + b"\r\n" + document)
        self.transport.close()
