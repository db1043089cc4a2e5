"""
The log: lines of this process and of uvicorn on stderr, as JSON for machines, in columns on a terminal.

A reader that stops must not stop the server, so nothing here waits for one: see `app.log_writer`.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TextIO

import orjson
import structlog

from app.log_writer import LogWriter

FLUSH_SECONDS = 1.0
"""Time for what is queued to be written when the server stops, and again when the process ends."""


class LogHandler(logging.Handler):
    """Sends records to a writer that never waits."""

    def __init__(self, writer: LogWriter) -> None:
        super().__init__()
        self.writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        try:
            self.writer.write_now((self.format(record) + "\n").encode(errors="backslashreplace"))
        except Exception:
            self.handleError(record)

    def flush(self) -> None:
        """Wait until all lines are written, within limits. The logging module calls this when the process ends."""
        self.writer.flush(FLUSH_SECONDS)


def configure_logging(level: str) -> None:
    """Send every log record of this process to stderr through structlog."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    render: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if sys.stderr.isatty()
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = _open_handler(sys.stderr)
    remove_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[remove_meta, *render])
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    logging.getLogger("PIL").setLevel(logging.WARNING)


def installed_writer() -> LogWriter | None:
    """Return the writer of this process's log, or None if it has none."""
    handlers = logging.getLogger().handlers
    return next((handler.writer for handler in handlers if isinstance(handler, LogHandler)), None)


def flush_log() -> None:
    """Wait until all lines are written, at most FLUSH_SECONDS: uvicorn ends its workers with a signal."""
    if writer := installed_writer():
        writer.flush(FLUSH_SECONDS)


def line_writer() -> Callable[[dict[str, Any]], object] | None:
    """
    Return a function that writes a line of level info from its fields, or None if the log has no such lines.

    It skips structlog: a line costs 4 µs in all (`python -m bench.observation`), where uvicorn's access log through
    structlog cost 50 µs and more.
    """
    writer = installed_writer()
    if writer is None or not logging.getLogger().isEnabledFor(logging.INFO):
        return None
    if sys.stderr.isatty():
        log = structlog.get_logger("request")
        return lambda fields: log.info(**{name: value for name, value in fields.items() if name not in STANDARD})
    return lambda fields: writer.write(orjson.dumps(fields, option=LINE_OPTIONS))


STANDARD = ("level", "timestamp")
"""Fields that structlog adds itself."""
LINE_OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z


def _open_handler(stream: TextIO) -> logging.Handler:
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):  # a stream in memory
        return logging.StreamHandler(stream)
    return LogHandler(LogWriter(descriptor, _drop_notice))


def _drop_notice(count: int) -> bytes:
    fields = {"event": "log lines dropped", "level": "warning", "timestamp": datetime.now(UTC), "count": count}
    return orjson.dumps(fields, option=LINE_OPTIONS)
