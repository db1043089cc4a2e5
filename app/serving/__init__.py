"""
Processes, from the bound socket to the exit.

Its modules are run, listener, unix_socket, grpc_port, server, signals, watchdog, supervisor and worker.

Each process imports this folder first, and structlog here: with `rich` out of its sight, if that is installed, such as
by the extra train. structlog would import it for tracebacks in colour, which our log does not have
(`app.logs`), and a start would take 40 ms longer.
"""

import sys

if "rich" not in sys.modules:
    sys.modules["rich"] = None  # type: ignore[assignment]
    try:
        import structlog  # noqa: F401
    finally:
        del sys.modules["rich"]
