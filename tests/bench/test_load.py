"""What wrk says, and what it is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.serving.contender import Request
from bench.serving.load import LoadError, Outcome, lua, parse

REPORT = """Running 10m test @ http://127.0.0.1:1/encode
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     3.30ms    1.68ms  36.26ms   92.04%
    Req/Sec     4.99k   518.05     5.52k    90.00%
  15012 requests in 3.01s, 8.31MB read
Requests/sec:   4980.12
bench: {"requests": 15012, "seconds": 3.002400, "p50_us": 2987, "p99_us": 9321, "errors": ERRORS}
"""


def test_the_line_of_the_script_is_read() -> None:
    outcome = parse(REPORT.replace("ERRORS", "0"))
    assert outcome == Outcome(requests=15012, seconds=3.0024, p50_us=2987, p99_us=9321)
    assert outcome.rate == pytest.approx(5000)


def test_errors_make_a_measurement_worthless() -> None:
    with pytest.raises(LoadError, match="3 of 15015 requests failed"):
        parse(REPORT.replace("ERRORS", "3"))


def test_a_report_without_a_result_is_shown() -> None:
    with pytest.raises(LoadError, match="unable to connect"):
        parse("unable to connect to 127.0.0.1:1 Connection refused\n")


def test_no_answers_are_a_rate_of_zero() -> None:
    assert Outcome(requests=0, seconds=3.0, p50_us=0, p99_us=0).rate == 0


def test_the_script_quotes_headers_and_names_the_body() -> None:
    request = Request("/x", b"\x00\n", {"Content-Type": 'multipart/form-data; boundary="a b"'})
    script = lua(request, Path("/tmp/body"))
    assert 'wrk.method = "POST"\n' in script
    assert 'wrk.headers["Content-Type"] = "multipart/form-data; boundary=\\"a b\\""\n' in script
    assert 'io.open("/tmp/body", "rb")' in script
    assert '"errors": %d}\\n\'' in script
