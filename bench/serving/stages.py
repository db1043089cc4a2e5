"""
The CPU time of the stages of a start, in milliseconds: a Markdown table to stdout.

    .venv/bin/python -m bench.serving.stages

The order is that of `hourglass serve` with the bundled models, and the garbage collector is off as it is there.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path

MODELS = Path(__file__).parents[2] / "models"
IMPORTS = {
    "pydantic": ("pydantic", "pydantic.fields", "pydantic.types"),
    "asyncio": ("asyncio",),
    "settings and command line": ("pydantic_settings", "app.cli"),
    "structlog": ("app.serving",),
    "numpy and onnxruntime": ("numpy", "app.engine", "onnxruntime"),
    "uvicorn": ("uvicorn", "uvicorn.protocols.http.httptools_impl", "uvloop"),
    "prometheus-client": ("prometheus_client",),
    "Pillow": ("PIL.Image", "PIL.PngImagePlugin", "PIL.JpegImagePlugin", "PIL.WebPImagePlugin"),
    "our other modules": ("app.serving.run", "app.main", "app.serving.server"),
}
"""The imports of each stage, in the order of a start."""


def main() -> int:
    """Print the table."""
    gc.disable()
    rows = [("interpreter", time.process_time())]
    for name, stage in stages():
        before = time.process_time()
        stage()
        rows.append((name, time.process_time() - before))
    sys.stdout.write("| stage | CPU, ms |\n|---|--:|\n")
    for name, seconds in rows:
        sys.stdout.write(f"| {name} | {seconds * 1e3:.0f} |\n")
    return 0


def stages() -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield the name and the function of each stage."""
    for name, modules in IMPORTS.items():
        yield name, partial(list, map(import_module, modules))
    from app.api.state import State  # imported above
    from app.logs import configure_logging
    from app.settings import Settings

    configure_logging("warning")
    states: list[State] = []
    yield "models", lambda: states.append(State.load(Settings(models_dir=MODELS)))
    yield "after the start: FastAPI", partial(import_module, "app.api.routes")
    states[0].close()


if __name__ == "__main__":
    sys.exit(main())
