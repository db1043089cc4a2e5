"""
One serving process on uvicorn: the only file that extends uvicorn's `Server`, as of 0.54.

uvicorn's own server stops listening at once on SIGTERM: load balancers send requests for seconds after it, the kernel
resets what it accepted in the last moment, and idle connections are closed under the next request. Here a signal begins
a drain instead, and the order of the shutdown is another one:

    signal ──► drain ──► refuse connections ──► accept the rest ──► answer ──► close idle ones ──► cut off
               HOURGLASS_DRAIN_SECONDS                              └─── HOURGLASS_SHUTDOWN_SECONDS ───┘
"""

from __future__ import annotations

import asyncio
import logging
import math
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

import structlog
import uvicorn
from uvicorn.server import Server as UvicornServer

from app.main import PROTOCOL
from app.server.connection import Connection
from app.server.gate import Gate
from app.server.lifecycle import Lifecycle
from app.serving.listener import HANDSHAKE_SECONDS, is_readable, listen_error
from app.serving.watchdog import Watchdog
from app.settings import Settings

log = structlog.get_logger(__name__)

POLL_SECONDS = 0.02
BACKLOG_SECONDS = 2.0
"""The longest time for accepting what waits, if new connections cannot be refused."""
FIRST_REQUEST_SECONDS = 1.0
"""The time in which a connection that was accepted last must have sent its request."""
CUT_OFF_SECONDS = 0.5
"""The time to send an error to the requests that are cut off."""
CLEAN_UP_SECONDS = 2.0
"""The time for threads to end after the last request; the process ends without those that do not."""


def create_server(
    app: Gate,
    settings: Settings,
    *,
    on_start: Callable[[], None],
    refuse: Callable[[], None] | None,
) -> Server:
    """
    Return the server of an application.

    `on_start` is called once it listens, and `refuse` when it shall get no new connections; without it, the server is
    one of several with a supervisor.
    """
    config = uvicorn.Config(
        app,
        http=PROTOCOL,
        ws="none",
        ssl_certfile=settings.ssl_certfile,
        ssl_keyfile=settings.ssl_keyfile,
        log_config=None,
        server_header=False,
        proxy_headers=False,  # nothing here depends on the client's address or scheme
        access_log=False,  # app.server.request_log writes a better line
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )
    return Server(config, app.lifecycle, settings, on_start, refuse)


class Server(UvicornServer):
    """
    A server that loses no request when it ends.

    Any thread may call `drain`, `end`, `advance` and `ask_reload`. A supervised server shares its sockets with other
    processes: its supervisor calls `drain` and `end`, and refuses new connections when all of them end.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        lifecycle: Lifecycle,
        settings: Settings,
        on_start: Callable[[], None],
        refuse: Callable[[], None] | None,
    ) -> None:
        super().__init__(config)
        self._on_start = on_start
        self._lifecycle = lifecycle
        self._settings = settings
        self._refuse = refuse
        """Called to refuse new connections; None if the supervisor does that."""
        self._drain_end: float | None = None
        self._reload_asked = False
        self._drain_logged = False
        self._watchdog = Watchdog()

    def drain(self, seconds: float) -> None:
        """Go on serving for these seconds, but refuse the readiness probe. Of two drains, the longer one counts."""
        self._lifecycle.drain()
        if self._drain_end is None or seconds == math.inf:
            self._drain_end = monotonic() + seconds
        if seconds != math.inf:
            self._watchdog.arm(seconds + self._end_seconds)

    def end(self) -> None:
        """Stop listening now, and end once the accepted requests are answered."""
        self._lifecycle.drain()
        self.should_exit = True
        self._watchdog.arm(self._end_seconds)

    def advance(self, force: bool) -> None:
        """Begin the drain, or end it. With `force`, a third call cuts off what is not answered yet."""
        if self._drain_end is None:
            self.drain(self._settings.drain_seconds)
        elif self._refuse is None:
            return  # a signal to the whole group; the supervisor decides
        elif self.should_exit:
            self.force_exit = self.force_exit or force
        else:
            self.end()

    def ask_reload(self) -> None:
        """Reload in the next tick of the event loop."""
        self._reload_asked = True

    @property
    def _end_seconds(self) -> float:
        """The longest time from the end of the drain to the end of the process."""
        waits = HANDSHAKE_SECONDS + BACKLOG_SECONDS + CUT_OFF_SECONDS + CLEAN_UP_SECONDS
        return waits + self._settings.shutdown_seconds

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to `app.serving.signals`."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen. Raises StartupError if another process began to listen on the address in the meantime."""
        try:
            await super().startup(sockets)
        except OSError as error:
            raise listen_error(self._settings.host, self._settings.port, error) from error
        for companion in self._lifecycle.companions:
            await companion.start(self.server_state.tasks)
        self._on_start()

    async def on_tick(self, counter: int) -> bool:
        """Do ten times a second what signals asked for; return True when the server must stop listening."""
        if self._reload_asked:
            self._reload_asked = False
            if self._lifecycle.on_reload is None:
                log.warning("nothing is reloaded: the models are not those of a repository")
            else:
                self._lifecycle.on_reload()
        if self._drain_end is not None and not self._drain_logged:
            self._drain_logged = True
            log.info("draining", seconds=None if self._drain_end == math.inf else self._settings.drain_seconds)
        drained = self._drain_end is not None and monotonic() >= self._drain_end
        return await super().on_tick(counter) or drained

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept and answer everything that the kernel has accepted, then end. Cut off what takes too long."""
        logging.getLogger("uvicorn.error").info("Shutting down")
        if not self.should_exit:
            self.end()
        for companion in self._lifecycle.companions:
            companion.stop_listening()
        await self._stop_listening(sockets or [])
        await self._answer(monotonic() + self._settings.shutdown_seconds)
        if self.server_state.connections or self.server_state.tasks:
            await self._cut_off()
        for companion in self._lifecycle.companions:
            await companion.close()
        self._watchdog.arm(CLEAN_UP_SECONDS)
        await self.lifespan.shutdown()
        self._watchdog.disarm()

    async def _stop_listening(self, listeners: list[socket.socket]) -> None:
        if self._refuse is not None:
            self._refuse()
            await asyncio.sleep(HANDSHAKE_SECONDS)
        end = monotonic() + BACKLOG_SECONDS
        while any(is_readable(listener) for listener in listeners) and monotonic() < end:
            await asyncio.sleep(POLL_SECONDS)
        for server in self.servers:
            server.close()
        for listener in listeners:
            listener.close()

    async def _answer(self, end: float) -> None:
        """Wait until all requests are answered, then close connections that are idle."""
        state = self.server_state
        end_of_first = monotonic() + FIRST_REQUEST_SECONDS
        while (state.connections or state.tasks) and monotonic() < end and not self.force_exit:
            answering = any(connection.is_answering() for connection in self._connections()) or state.tasks
            reading = monotonic() < end_of_first and any(
                connection.is_reading_head() for connection in self._connections()
            )
            if not answering and not reading:
                for connection in self._connections():
                    if not _has_unread_bytes(connection):
                        connection.transport.close()
            await asyncio.sleep(POLL_SECONDS)

    def _connections(self) -> list[Connection]:
        return [connection for connection in self.server_state.connections if isinstance(connection, Connection)]

    async def _cut_off(self) -> None:
        """Cancel requests that are not answered in time: the gate sends their clients an error."""
        state = self.server_state
        log.warning("requests cut off", requests=len(state.tasks), seconds=self._settings.shutdown_seconds)
        self._lifecycle.cut_off = True
        for task in list(state.tasks):
            task.cancel()
        end = monotonic() + CUT_OFF_SECONDS
        while (state.connections or state.tasks) and monotonic() < end:
            await asyncio.sleep(POLL_SECONDS)
        for connection in self._connections():
            connection.transport.abort()


def _has_unread_bytes(connection: Connection) -> bool:
    wire = connection.transport.get_extra_info("socket")
    return wire is not None and not connection.transport.is_closing() and is_readable(wire.fileno())
