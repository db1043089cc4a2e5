"""Reports and scripts of wrk."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.serving.loads import Request
from bench.serving.wrk import LoadError, Outcome, lua_script, parse

REPORT = """Running 10m test @ http://127.0.0.1:1/encode
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     3.30ms    1.68ms  36.26ms   92.04%
    Req/Sec     4.99k   518.05     5.52k    90.00%
  15012 requests in 3.01s, 8.31MB read
Requests/sec:   4980.12
bench: {"requests": 15012, "seconds": 3.002400, "p50_us": 2987, "p99_us": 9321, "errors": ERRORS}
"""


def test_our_line_of_the_report_is_parsed() -> None:
    outcome = parse(REPORT.replace("ERRORS", "0"))
    assert outcome == Outcome(requests=15012, seconds=3.0024, p50_us=2987, p99_us=9321)
    assert outcome.rate == pytest.approx(5000)


def test_a_report_with_errors_is_rejected() -> None:
    with pytest.raises(LoadError, match="3 of 15015 requests failed"):
        parse(REPORT.replace("ERRORS", "3"))


def test_a_report_without_a_result_is_quoted_in_the_error() -> None:
    with pytest.raises(LoadError, match="unable to connect"):
        parse("unable to connect to 127.0.0.1:1 Connection refused\n")


def test_the_rate_without_answers_is_zero() -> None:
    assert Outcome(requests=0, seconds=3.0, p50_us=0, p99_us=0).rate == 0


def test_the_script_quotes_headers_and_reads_the_body_from_its_file() -> None:
    request = Request("/x", b"\x00\n", {"Content-Type": 'multipart/form-data; boundary="a b"'})
    script = lua_script(request, Path("/tmp/body"))
    assert 'wrk.method = "POST"\n' in script
    assert 'wrk.headers["Content-Type"] = "multipart/form-data; boundary=\\"a b\\""\n' in script
    assert 'io.open("/tmp/body", "rb")' in script
    assert '"errors": %d}\\n\'' in script
