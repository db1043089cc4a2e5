"""Metrics count what happened, by bounded labels, and add up over workers."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import threading
from collections import Counter
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient
from starlette.types import Message

from app.server.counters import Counters
from app.server.gate import Gate
from app.server.lifecycle import Lifecycle
from app.server.metrics import ROWS, SECONDS, Metrics, server_timing
from tests.helpers.metrics import Samples, parse, scrape, total
from tests.helpers.process import serving, wait_for_workers
from tests.helpers.v1 import LATENT, SAMPLE

ENCODE = "/v1/models/tiny-ae/encode"
PARTS = ("decode", "queue", "compute", "encode")


def rendered(metrics: Metrics) -> Samples:
    """Return every sample of these metrics."""
    return parse(metrics.render("")[0].decode())


def test_a_request_is_counted_by_route_model_and_status() -> None:
    metrics = Metrics()
    for status in (200, 200, 422):
        metrics.count_request("/r", "m", status, (0.0, 0.0, 0.0, 0.0, 0.003), answered_task=status == 200)
    samples = rendered(metrics)
    assert samples['hourglass_requests_total{code="200",model="m",route="/r"}'] == 2
    assert samples['hourglass_requests_total{code="422",model="m",route="/r"}'] == 1
    assert samples['hourglass_request_seconds_count{model="m",route="/r"}'] == 3
    assert samples['hourglass_request_seconds_sum{model="m",route="/r"}'] == pytest.approx(0.009)
    assert samples['hourglass_decode_seconds_count{model="m"}'] == 2


def test_buckets_count_what_is_at_most_their_bound() -> None:
    metrics = Metrics()
    for seconds in (0.0001, 0.00011, 0.01, 99.0):
        metrics.count_request("/r", "", 200, (0.0, 0.0, 0.0, 0.0, seconds), answered_task=False)
    samples = rendered(metrics)
    buckets = {
        bound: samples[f'hourglass_request_seconds_bucket{{le="{bound}",route="/r"}}']
        for bound in ("0.0001", "0.00025", "0.005", "0.01", "30.0", "+Inf")
    }
    assert buckets == {"0.0001": 1, "0.00025": 2, "0.005": 2, "0.01": 3, "30.0": 3, "+Inf": 4}


def test_the_parts_of_a_task_have_histograms() -> None:
    metrics = Metrics()
    metrics.count_request("/r", "m", 200, (0.1, 0.2, 0.3, 0.4, 5.0), answered_task=True)
    samples = rendered(metrics)
    assert [samples[f'hourglass_{part}_seconds_sum{{model="m"}}'] for part in PARTS] == [0.1, 0.2, 0.3, 0.4]


def test_rows_of_runs_refusals_and_loads_are_counted() -> None:
    metrics = Metrics()
    for rows in (1, 32, 5000):
        metrics.count_run("m", rows)
    metrics.count_refusal("overloaded")
    metrics.count_load("loaded")
    metrics.count_load("refused")
    samples = rendered(metrics)
    assert samples['hourglass_run_rows_bucket{le="1.0",model="m"}'] == 1
    assert samples['hourglass_run_rows_bucket{le="32.0",model="m"}'] == 2
    assert samples['hourglass_run_rows_sum{model="m"}'] == 5033
    assert samples['hourglass_refusals_total{reason="overloaded"}'] == 1
    assert samples['hourglass_model_loads_total{outcome="loaded"}'] == 1
    assert samples['hourglass_model_loads_total{outcome="refused"}'] == 1


def test_runs_of_many_threads_are_all_counted() -> None:
    metrics = Metrics()

    def count_many() -> None:
        for _ in range(2000):
            metrics.count_run("m", 1)

    threads = [threading.Thread(target=count_many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rendered(metrics)['hourglass_run_rows_count{model="m"}'] == 8000


def test_a_client_that_disconnects_is_counted_as_499() -> None:
    async def cancelled(*_: object) -> None:
        raise asyncio.CancelledError

    async def unused(*_: object) -> Message:
        raise AssertionError("nothing is received or sent")

    gate = Gate(cancelled, lambda *_: None, Lifecycle())
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(gate({"type": "http", "method": "GET", "path": "/x", "headers": []}, unused, unused))  # type: ignore[arg-type]
    assert rendered(gate.metrics)['hourglass_requests_total{code="499",route="unknown"}'] == 1


def test_bounds_ascend() -> None:
    for bounds in (SECONDS, ROWS):
        assert all(low < high for low, high in itertools.pairwise(bounds))


def test_registered_values_of_all_workers_add_up(tmp_path: Path) -> None:
    workers = [Metrics(Counters(tmp_path)) for _ in range(2)]
    for metrics in workers:
        metrics.add_gauge("rows", "Rows.", lambda: 5)
        metrics.add_counter("drops", "Drops.", lambda: 2)

    async def publish() -> None:
        workers[1].start()
        workers[1].stop()

    asyncio.run(publish())
    samples = rendered(workers[0])
    assert (samples["rows"], samples["drops_total"], samples["hourglass_workers"]) == (10, 4, 2)


def test_openmetrics_is_written_for_those_who_ask() -> None:
    text, media_type = Metrics().render("application/openmetrics-text; version=1.0.0")
    assert media_type.startswith("application/openmetrics-text")
    assert text.endswith(b"# EOF\n")


def test_the_route_of_metrics_has_the_models(client: TestClient) -> None:
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    samples = parse(answer.text)
    assert samples['hourglass_model_info{family="autoencoder",name="tiny-ae",version="2"}'] == 1
    assert samples['hourglass_model_loads_total{outcome="loaded"}'] == 5
    assert samples["hourglass_queue_rows"] == 0


REQUESTS = [
    ("POST", ENCODE, {"samples": [SAMPLE]}, "/v1/models/{model}/encode", "tiny-ae"),
    (
        "POST",
        "/v1/models/tiny-ae/versions/1/encode",
        {"samples": [SAMPLE]},
        "/v1/models/{model}/versions/{version}/encode",
        "tiny-ae",
    ),
    ("POST", ENCODE, {"samples": []}, "/v1/models/{model}/encode", "tiny-ae"),
    ("POST", "/v1/models/nobody-7/encode", {}, "/v1/models/{model}/encode", "unknown"),
    ("POST", "/v2/models/tiny-ae.encode/infer", {}, "/v2/models/{name}/infer", "tiny-ae"),
    ("POST", "/v2/models/nobody-7/infer", {}, "/v2/models/{name}/infer", "unknown"),
    ("GET", "/v1/models/tiny-ae", None, "/v1/models/{model}", ""),
    ("GET", "/v1/models/nobody-7", None, "/v1/models/{model}", ""),
    ("GET", "/nobody-7", None, "unknown", ""),
    ("DELETE", "/v1/models", None, "/v1/models", ""),
    ("GET", "/docs/assets/swagger-ui.css", None, "/docs/assets", ""),
    ("GET", "/docs/assets/nobody-7.css", None, "/docs/assets", ""),
]


@pytest.mark.parametrize(("method", "path", "body", "route", "model"), REQUESTS)
def test_labels_are_templates_and_served_names(
    method: str, path: str, body: object, route: str, model: str, client: TestClient
) -> None:
    def count(code: int) -> float:
        name = f'{{code="{code}",model="{model}",route="{route}"}}' if model else f'{{code="{code}",route="{route}"}}'
        text = client.get("/metrics").text
        assert "nobody-7" not in text
        return parse(text).get(f"hourglass_requests_total{name}", 0)

    counts = {code: count(code) for code in (200, 400, 404, 405, 422)}
    status = client.request(method, path, json=body).status_code
    assert count(status) == counts[status] + 1


@pytest.mark.parametrize("workers", [2, 4])
def test_the_metrics_of_several_workers_equal_what_clients_counted(workers: int, tiny_models: Path) -> None:
    bodies = [
        (ENCODE, {"samples": [SAMPLE] * 3}),
        ("/v1/models/tiny-vae/decode", {"latents": [LATENT]}),
        (ENCODE, {"samples": [[1]]}),
        ("/v1/models/nobody/encode", {"samples": [SAMPLE]}),
    ]
    counted: Counter[tuple[str, int]] = Counter()
    lock = threading.Lock()
    with serving(models_dir=str(tiny_models), workers=str(workers)) as (_, address, log):
        wait_for_workers(workers, log)

        def ask(connections: int) -> None:
            for _ in range(connections):  # any worker may accept one
                with httpx.Client(base_url=address, verify=False) as client:
                    for path, body in bodies:
                        status = client.post(path, json=body).status_code
                        with lock:
                            counted[path, status] += 1

        threads = [threading.Thread(target=ask, args=(25,)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        samples = scrape(address)
        assert samples["hourglass_workers"] == workers
        assert samples['hourglass_model_loads_total{outcome="loaded"}'] == 5 * workers
    encode, decode = 'route="/v1/models/{model}/encode"', 'route="/v1/models/{model}/decode"'
    by_name = {
        (ENCODE, 200): total(samples, "hourglass_requests_total", encode, 'model="tiny-ae"', 'code="200"'),
        (ENCODE, 422): total(samples, "hourglass_requests_total", encode, 'model="tiny-ae"', 'code="422"'),
        (bodies[1][0], 200): total(samples, "hourglass_requests_total", decode, 'model="tiny-vae"', 'code="200"'),
        (bodies[3][0], 404): total(samples, "hourglass_requests_total", encode, 'model="unknown"', 'code="404"'),
    }
    assert by_name == counted
    assert sum(counted.values()) == 6 * 25 * len(bodies)
    assert total(samples, "hourglass_refusals_total", 'reason="wrong-shape"') == counted[ENCODE, 422]
    assert total(samples, "hourglass_refusals_total", 'reason="unknown-model"') == counted[bodies[3][0], 404]
    for part in PARTS:
        assert total(samples, f"hourglass_{part}_seconds_count", 'model="tiny-ae"') == counted[ENCODE, 200]
    assert total(samples, "hourglass_run_rows_sum", 'model="tiny-ae"') == 3 * counted[ENCODE, 200]


def test_the_counts_of_a_killed_worker_stay(tiny_models: Path) -> None:
    with serving(models_dir=str(tiny_models), workers="2") as (process, address, log):
        wait_for_workers(2, log)
        for _ in range(40):
            assert httpx.post(address + ENCODE, json={"samples": [SAMPLE]}).status_code == 200
        before = total(scrape(address), "hourglass_requests_total", 'code="200"', "encode")
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        workers = [pid for pid in children if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()]
        assert len(workers) == 2
        os.kill(int(workers[0]), signal.SIGKILL)
        after = [total(scrape(address), "hourglass_requests_total", 'code="200"', "encode") for _ in range(3)]
    assert (before, after) == (40, [40, 40, 40])


def test_the_parts_are_in_the_header_in_milliseconds() -> None:
    assert server_timing((0.001, 0.0, 0.0123456, 2.0, 0.1)) == (
        b"decode;dur=1.000, queue;dur=0.000, compute;dur=12.346, encode;dur=2000.000, total;dur=100.000"
    )
