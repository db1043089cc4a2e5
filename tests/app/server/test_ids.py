"""Request ids differ."""

from __future__ import annotations

import re
import subprocess
import sys

from app.server.ids import new_request_id


def test_ids_of_one_process_differ_in_their_count() -> None:
    ids = [new_request_id().decode() for _ in range(300)]
    assert len(set(ids)) == 300
    assert all(re.fullmatch(r"[0-9a-f]{12}-[0-9a-f]+", one) for one in ids)
    assert len({one.partition("-")[0] for one in ids}) == 1


def test_ids_of_two_processes_differ_in_their_beginning() -> None:
    program = "from app.server.ids import new_request_id; print(new_request_id().decode())"
    first, second = (subprocess.check_output([sys.executable, "-c", program], text=True) for _ in range(2))
    assert first.partition("-")[0] != second.partition("-")[0]
