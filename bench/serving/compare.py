"""
CPU time per request of two checkouts of this server, measured in turn: a Markdown table to stdout.

    .venv/bin/python -m bench.serving.compare --before DIR --after .

Both servers run on the same Python, the same core and the same copy of a model, each with its own checkout as
PYTHONPATH. In every round each load is measured on both, one right after the other, and the rounds take turns in which
one is first. The ratio is the median of the rounds' ratios, after over before, so that less than 1 is faster. Before
anything is timed, each answer of one checkout is compared with the other's; a difference is reported on stderr.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import median

import orjson

from app.manifest import MANIFEST
from bench.serving.loads import MODEL_NAMES, Inputs, Request, Workload, ask
from bench.serving.measure import pin_to_last_core
from bench.serving.pairs import Timings, measure_round
from bench.serving.processes import Server, running
from bench.serving.report import markdown
from bench.serving.servers import ROOT, Contender, hourglass_requests
from bench.serving.summary import Spread
from bench.serving.v2 import v2_requests
from bench.serving.wrk import LoadError, find_wrk

BEFORE, AFTER = "before", "after"


def main() -> int:
    """Print the table."""
    options = build_parser().parse_args()
    try:
        find_wrk()
    except LoadError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    cores = pin_to_last_core()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        command = [sys.executable, "-m", "bench.serving.models", str(folder)]
        subprocess.run(command, cwd=ROOT, stdout=sys.stderr, check=True)
        name = MODEL_NAMES[options.model][0]
        version = folder / options.model / name / "1"
        write_format_1(version)
        checkouts = {BEFORE: options.before, AFTER: options.after}
        servers = {
            checkout: stack.enter_context(running(checkout_server(checkout, path.resolve()), version, cores.server))
            for checkout, path in checkouts.items()
        }
        every_request = requests(Workload.read(version).inputs, name)
        chosen = {load: every_request[load] for load in options.loads or every_request}
        for load, request in chosen.items():
            report_difference(load, request, servers)
        timings: Timings = {}
        for number in range(options.rounds):
            measure_round(number, servers, chosen, options.connections, options.seconds, cores, timings)
    sys.stdout.write(f"{table(timings)}\n")
    return 0


def write_format_1(version: Path) -> None:
    """Write a version's manifest without the members of format 2, so that older checkouts can read it."""
    document = orjson.loads((version / MANIFEST).read_bytes()) | {"format": 1}
    del document["encoder_takes_labels"]
    members = ("kind", "shape", "channel_order", "value_range")
    document["input"] = {name: document["input"][name] for name in members}
    (version / MANIFEST).write_bytes(orjson.dumps(document))


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--before", type=Path, required=True, metavar="DIR", help="the older checkout")
    add("--after", type=Path, default=ROOT, metavar="DIR", help="the newer checkout (the one of this file)")
    add("--model", choices=["dense", "conv"], default="dense", help="the model (dense)")
    add("--loads", nargs="*", metavar="LOAD", help="loads, such as json-1 or v2-json-1 (all)")
    add("--connections", type=int, nargs="*", default=[1, 16], help="numbers of connections (1 16)")
    add("--seconds", type=float, default=1.0, help="seconds per measurement (1)")
    add("--rounds", type=int, default=5, help="rounds (5)")
    return parser


def checkout_server(name: str, path: Path) -> Contender:
    """Return this server from the code of a checkout."""

    def start(port: int, folder: Path) -> list[str]:
        variables = [f"PYTHONPATH={path}", f"HOURGLASS_PORT={port}", f"HOURGLASS_MODELS_DIR={folder.parent.parent}"]
        return ["env", f"--chdir={path}", *variables, sys.executable, "-m", "app", "serve"]

    return Contender(
        name,
        start,
        lambda _: {},
        environment={"HOURGLASS_LOG_LEVEL": "warning", "HOURGLASS_DRAIN_SECONDS": "0"},
        ready="/readyz",
    )


def requests(inputs: Inputs, model: str) -> dict[str, Request]:
    """Return the request of each load of `/v1` and, with `v2-` before the name, of `/v2`."""
    second = v2_requests(inputs, f"{model}.encode", f"{model}.decode", has_binary_data=True)
    return {
        **{str(load): request for load, request in hourglass_requests(model, inputs).items()},
        **{f"v2-{load}": request for load, request in second.items()},
    }


def report_difference(load: str, request: Request, servers: Mapping[str, Server]) -> None:
    """Ask both servers, and report on stderr if their answers differ. Raises WrongAnswer if one does not answer."""
    before, after = (ask(servers[name].address, request) for name in (BEFORE, AFTER))
    if before != after:
        sys.stderr.write(f"{load}: the answers differ: {before[:80]!r} and {after[:80]!r}\n")


def table(timings: Timings) -> str:
    """Return a table with the medians of both checkouts, and the median and range of the rounds' ratios."""
    rows = []
    for (load, connections), by_checkout in timings.items():
        before, after = ([timed.cpu_us for timed in by_checkout[name]] for name in (BEFORE, AFTER))
        ratio = Spread.of(new / old for old, new in zip(before, after, strict=True))
        assert ratio is not None
        medians = [f"{median(before):.1f}", f"{median(after):.1f}", f"{ratio.median:.3f}"]
        rows.append([load, str(connections), *medians, f"{ratio.lowest:.3f} to {ratio.highest:.3f}"])
    return markdown(["load", "connections", "before, µs", "after, µs", "ratio", "lowest to highest"], rows)


if __name__ == "__main__":
    sys.exit(main())
