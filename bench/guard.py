"""
Print what the guard costs a request, in µs of the processor, for several policies.

    python -m bench.guard
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from starlette.types import Receive, Scope, Send

from app.server.budget import Budget
from app.server.gate import EXCHANGE
from app.server.guard.cors import Cors
from app.server.guard.guard import Guard, Policy
from app.server.guard.hosts import AllowedHosts
from app.server.guard.keys import KeyFile, key_line, new_key
from app.server.guard.rate_limits import RateLimits

CALLS, REPETITIONS = 20_000, 40
OTHER_KEYS = 1000


def app(scope: Scope, receive: Receive, send: Send) -> Any:
    """Do nothing: only the guard before this application is measured."""


def microseconds(call: Callable[[], object]) -> float:
    """Return the least time of a call over all repetitions."""
    times = []
    for _ in range(REPETITIONS):
        start = time.process_time()
        for _ in range(CALLS):
            call()
        times.append(time.process_time() - start)
    return min(times) / CALLS * 1e6


def policies(keys: KeyFile) -> dict[str, Policy]:
    """Return the policies to measure."""
    rate = "100000000/second"
    return {
        "nothing set, on 0.0.0.0": Policy(),
        "nothing set, on 127.0.0.1": Policy(hosts=AllowedHosts()),
        "a root path": Policy(root_path="/hourglass"),
        "origins": Policy(cors=Cors(["https://app.example.com"])),
        f"{OTHER_KEYS + 1} keys": Policy(keys),
        "a rate limit": Policy(rate_limits=RateLimits(rate)),
        "keys, a rate limit, hosts and origins": Policy(
            keys, RateLimits(rate), AllowedHosts(["api.example.com"]), Cors(["https://app.example.com"])
        ),
    }


def main() -> None:
    """Print a line for each policy."""
    key = new_key()
    lines = [
        key_line("bench", "inference", key),
        *(key_line("other", "inference", new_key()) for _ in range(OTHER_KEYS)),
    ]
    headers = {b"host": b"127.0.0.1:8000", b"content-type": b"application/json", b"x-api-key": key.encode()}
    scope: Scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/models/mnist-vae/encode",
        "root_path": "",
        "client": ("127.0.0.1", 1),
        EXCHANGE: SimpleNamespace(headers=headers, extra_headers=[], budget=Budget()),
    }
    nothing: Any = None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "keys"
        path.write_text("\n".join(lines))
        plain = microseconds(lambda: app(scope, nothing, nothing))
        for name, policy in policies(KeyFile(path)).items():
            guard = Guard(app, policy)
            print(f"{name:40} {microseconds(lambda: guard(scope, nothing, nothing)) - plain:5.2f} µs")  # noqa: B023


if __name__ == "__main__":
    main()
