"""The command `hourglass`: serve the models of a repository."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from importlib.metadata import version

import structlog
import uvicorn
from pydantic import ValidationError

from app.errors import StartupError
from app.logs import configure_logging
from app.main import PROTOCOL, create_process
from app.settings import PREFIX, Settings, unknown_variables


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or Ctrl-C; 1 and one sentence where the server cannot start."""
    build_parser().parse_args(arguments)
    try:
        settings = Settings()
    except ValidationError as error:
        for problem in error.errors():
            name = PREFIX + str(problem["loc"][0]).upper()
            print(f"hourglass: {name}: {problem['msg']}, got {problem['input']!r}", file=sys.stderr)
        return 1
    # Process 1 of a container has no default handlers: without this, SIGTERM would be lost while models are loaded.
    # uvicorn puts its own in place while it serves, and raises the signal again when it has finished.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    configure_logging(settings.log_level)
    for name in unknown_variables():
        structlog.get_logger(__name__).warning("unknown setting ignored", variable=name)
    try:
        return serve(settings)
    except StartupError as error:
        print(f"hourglass: {error}", file=sys.stderr)
        return 1


def serve(settings: Settings) -> int:
    """Load the models, then listen. Raises StartupError before anything listens."""
    app = create_process(settings)  # with several workers too: what cannot start must not be started again and again
    several = settings.workers > 1
    uvicorn.run(
        "app.main:create_worker" if several else app,
        factory=several,
        workers=settings.workers,
        host=settings.host,
        port=settings.port,
        http=PROTOCOL,
        log_config=None,
        server_header=False,
        proxy_headers=False,  # nothing here depends on who asked, or by which scheme
        access_log=settings.log_level in ("debug", "info"),
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )
    return 0


def build_parser() -> argparse.ArgumentParser:
    """One command; its options are environment variables, so that a shell and a container set them alike."""
    variables = "\n".join(
        f"  {PREFIX + name.upper():28} {field.description} [{field.default}]"
        for name, field in Settings.model_fields.items()
    )
    parser = argparse.ArgumentParser(
        prog="hourglass",
        description=__doc__,
        epilog=f"settings, from the environment:\n{variables}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", nargs="?", choices=["serve"], default="serve", help="what to do (serve)")
    parser.add_argument("--version", action="version", version=version("hourglass"))
    return parser


if __name__ == "__main__":
    sys.exit(main())
