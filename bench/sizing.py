"""
The size of a server for a load: requests a second, memory and latency of several models; a Markdown table to stdout.

    .venv/bin/python -m bench.sizing [--models-dir DIR] [--model NAME] [--page docs/guides/sizing.md]

The models are the bundled ones and two untrained ones: a table of 20 columns, and colour images of 64 by 64 pixels,
convolutional. With `--models-dir`, those of a repository of your own are measured in their place. It needs wrk and
takes about five minutes.

"a second per core" divides the answers by the processor time of the server, so that it does not depend on what else
runs. Memory is the proportional set size of all processes, in MiB; the peak is that of their resident sizes.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bench.faults.server import Bench, Server
from bench.serving.loads import JSON, Request, rows_as_json, rows_as_npy
from bench.serving.report import fill
from bench.serving.wrk import REPORT, Wrk, lua_script
from bench.sizing_models import write_models

ROWS = 32
MAX_NUMBERS = 100_000
"""Numbers in a request, so that those of large images have fewer rows."""
CONNECTIONS = 16
PACED_CONNECTIONS = 32
MIN_ANSWERS, MAX_SECONDS = 50, 6.0
"""A measurement with fewer answers is made again for longer, up to these seconds."""
WORKERS = (1, 2)
NPY = {"Content-Type": "application/x-npy", "Accept": "application/x-npy"}
PNG = {"Content-Type": "image/png"}
PACE = "math.randomseed(1)\ndelay = function() return math.random(0, %d) end\n"
"""wrk calls `delay` before each request, and waits for that many milliseconds."""


@dataclass(frozen=True)
class Size:
    """One line of the table."""

    model: str
    request: str
    workers: int
    rate: float
    rate_per_core: float
    p50_ms: float
    p99_ms: float
    """At half of the rate."""
    peak_mib: float

    def markdown(self) -> str:
        """Return the line."""
        numbers = f"{self.rate:.0f} | {self.rate_per_core:.0f} | {self.p50_ms:.1f} | {self.p99_ms:.1f}"
        return f"| `{self.model}` | {self.request} | {self.workers} | {numbers} | {self.peak_mib:.0f} |\n"


HEADER = (
    "| model | request | workers | a second | a second per core | p50, ms, at half of it | p99, ms | peak, MiB |\n"
    "|---|---|--:|--:|--:|--:|--:|--:|\n"
)


class PacedWrk(Wrk):
    """The command wrk with pauses, so that its connections send a rate together."""

    def __init__(self, request: Request, address: str, core: int, scratch: Path, rate: float) -> None:
        super().__init__(request, address, core, scratch)
        mean_ms = 1000 * PACED_CONNECTIONS / rate
        self._script.write_text(lua_script(request, scratch / "body") + PACE % max(1, round(2 * mean_ms)))
        assert REPORT in self._script.read_text()


def requests(manifest: dict[str, Any]) -> Iterator[tuple[str, Request]]:
    """Yield requests to encode samples, by name: one row and many as JSON, many as `.npy`, and an image."""
    path = f"/v1/models/{manifest['name']}/encode"
    shape = manifest["input"]["shape"]
    low, high = (manifest["input"].get("value_range") or {"low": 0, "high": 1}).values()
    size = int(np.prod(shape))
    rows = max(1, min(ROWS, MAX_NUMBERS // size))
    samples = np.random.default_rng(0).uniform(low, high, (rows, size)).astype(np.float32)
    yield "JSON, 1 row", Request(path, rows_as_json("samples", samples[:1]), JSON)
    yield f"JSON, {rows} rows", Request(path, rows_as_json("samples", samples), JSON)
    yield f"`.npy`, {rows} rows", Request(path, rows_as_npy(samples), NPY)
    if len(shape) == 3:
        pixels = np.random.default_rng(0).integers(0, 256, (*shape[1:], 3), np.uint8)
        stream = io.BytesIO()
        Image.fromarray(pixels).convert("L" if shape[0] == 1 else "RGB").save(stream, "PNG")
        yield "PNG", Request(path, stream.getvalue(), PNG)


def measure(server: Server, request: Request, seconds: float, scratch: Path) -> tuple[float, float, float, float]:
    """Return answers a second, the same per core, and p50 and p99 at half of that, in milliseconds."""
    core = max(os.sched_getaffinity(0))
    wrk = Wrk(request, server.address, core, scratch)
    wrk.run(CONNECTIONS, seconds / 4)
    begin = server.cpu_seconds()
    outcome = wrk.run(CONNECTIONS, seconds)
    per_core = outcome.requests / max(0.01, server.cpu_seconds() - begin)
    if outcome.requests < MIN_ANSWERS and seconds < MAX_SECONDS:
        return measure(server, request, 4 * seconds, scratch)
    rate = max(1.0, outcome.rate)
    paced = PacedWrk(request, server.address, core, scratch, rate / 2).run(PACED_CONNECTIONS, seconds)
    return rate, per_core, paced.p50_us / 1000, paced.p99_us / 1000


def sizes(bench: Bench, model: str, workers: int, seconds: float) -> Iterator[Size]:
    """Yield the lines of one model."""
    manifest = json.loads((bench.models / model / "1" / "model.json").read_text())
    with bench.serve(only(bench, model), workers=workers, drain_seconds=0) as server:
        for name, request in requests(manifest):
            server.reset_peak()
            numbers = measure(server, request, seconds, bench.scratch)
            yield Size(model, name, workers, *numbers, server.resident_mib("VmHWM"))


def only(bench: Bench, model: str) -> Path:
    """Return a repository that holds only one model."""
    folder = bench.scratch / f"only-{model}"
    folder.mkdir(exist_ok=True)
    if not (folder / model).exists():
        (folder / model).symlink_to((bench.models / model).resolve())
    return folder


def starts(bench: Bench, names: list[str]) -> Iterator[str]:
    """Yield a line with the start and the memory at rest, for each model and for all of them."""
    yield "| models | workers | start to ready, s | at rest, MiB |\n|---|--:|--:|--:|\n"
    for name in [*names, None]:
        for workers in WORKERS:
            models = only(bench, name) if name else bench.models
            with bench.serve(models, workers=workers, drain_seconds=0) as server:
                memory = server.proportional_mib()
            yield f"| {f'`{name}`' if name else 'all'} | {workers} | {server.start_seconds:.1f} | {memory:.0f} |\n"


def main() -> int:
    """Print two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models-dir", type=Path, help="model repository to measure")
    parser.add_argument("--model", action="append", help="measure only this model; may be repeated")
    parser.add_argument("--page", type=Path, help="Markdown page whose blocks bench:sizing-… get the tables")
    parser.add_argument("--seconds", type=float, default=1.5, help="time of one measurement (1.5)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hourglass-sizing-") as scratch:
        folder = Path(scratch)
        models = options.models_dir or write_models(folder / "models")
        bench = Bench(folder, models=models.resolve())
        names = options.model or sorted(path.parent.parent.name for path in models.glob("*/1/model.json"))
        tables = {
            "sizing-starts": print_lines(starts(bench, names)),
            "sizing-loads": print_lines(loads(bench, names, options.seconds)),
        }
    if options.page:
        options.page.write_text(fill(options.page.read_text(), tables))
    return 0


def loads(bench: Bench, names: list[str], seconds: float) -> Iterator[str]:
    """Yield the lines of the second table."""
    yield HEADER
    for name in names:
        for workers in WORKERS:
            for size in sizes(bench, name, workers, seconds):
                yield size.markdown()


def print_lines(lines: Iterator[str]) -> str:
    """Print lines as they come, and return them without the last line's end."""
    table = ""
    for line in lines:
        table += line
        sys.stdout.write(line)
        sys.stdout.flush()
    sys.stdout.write("\n")
    return table.rstrip("\n")


if __name__ == "__main__":
    sys.exit(main())
