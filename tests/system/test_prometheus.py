"""Prometheus accepts the configuration and the alerts in deploy/, and every query there has data."""

from __future__ import annotations

import math
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.helpers.deploy import ALERTS, ALERTS_FILE, DASHBOARD, DEPLOY, THRESHOLD
from tests.helpers.process import free_port, serving, wait_until_ready
from tests.helpers.programs import program
from tests.helpers.v1 import SAMPLE

QUERY_SECONDS = 60

pytestmark = pytest.mark.needs("prometheus", "promtool")


def dashboard_queries() -> list[str]:
    """Return every query of the dashboard for all models, with a window for tests."""
    queries = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    return [query.replace("$__rate_interval", "30s").replace("$model", ".*") for query in queries]


def alert_queries() -> list[str]:
    """Return the expression of every alert, so that it gives 0 where the alert is silent."""
    return [THRESHOLD.sub(lambda end: end[0].replace(end[1], f"{end[1]} bool"), rule["expr"]) for rule in ALERTS]


def test_promtool_accepts_the_configuration() -> None:
    for command in (["config", "prometheus.yml"], ["rules", "alerts.yml"]):
        ended = subprocess.run(
            [program("promtool"), "check", *command],
            cwd=DEPLOY / "prometheus",
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr


FIRING: dict[str, tuple[dict[str, str], str]] = {
    "HourglassDown": ({'up{job="hourglass"}': "0x20"}, "3m"),
    "HourglassFailing": (
        {
            'up{job="hourglass"}': "1x20",
            'hourglass_requests_total{code="200"}': "0+90x20",
            'hourglass_requests_total{code="500"}': "0+10x20",
        },
        "15m",
    ),
    "HourglassOverloaded": ({'hourglass_refusals_total{reason="overloaded"}': "0+5x20"}, "15m"),
    "HourglassQueueLong": ({"hourglass_queue_rows": "40000x20", "hourglass_workers": "4x20"}, "5m"),
    "HourglassManyBytesHeld": ({"hourglass_held_bytes": "600000000x20", "hourglass_workers": "4x20"}, "5m"),
    "HourglassWorkerMissing": ({"hourglass_workers": "4 4 3x18"}, "10m"),
    "HourglassModelRefused": ({'hourglass_model_loads_total{outcome="refused"}': "1x20"}, "2m"),
    "HourglassLogLinesLost": ({"hourglass_log_lines_dropped_total": "0+100x20"}, "15m"),
}
"""Series a minute apart, in promtool's notation, and the time at which an alert fires over them."""


@pytest.mark.parametrize("alert", FIRING)
def test_an_alert_fires_when_it_should(alert: str, tmp_path: Path) -> None:
    series, at = FIRING[alert]
    rule = next(rule for rule in ALERTS if rule["alert"] == alert)
    query = f'count(ALERTS{{alertname="{alert}", alertstate="firing"}})'
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [{"expr": query, "eval_time": at, "exp_samples": [{"labels": "{}", "value": 1}]}],
    }
    document = {"rule_files": [str(ALERTS_FILE)], "tests": [test]}
    (tmp_path / "test.yml").write_text(yaml.safe_dump(document))
    command = [program("promtool"), "test", "rules", str(tmp_path / "test.yml")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, (rule, ended.stdout + ended.stderr)


@contextmanager
def prometheus_over(address: str, folder: Path) -> Iterator[str]:
    """Run Prometheus with our alerts over a server, ten times as often as usual; give its address."""
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "500ms", "evaluation_interval": "500ms"}
    [scraping] = config["scrape_configs"]
    del scraping["dns_sd_configs"]
    scraping["static_configs"] = [{"targets": [address.removeprefix("http://")]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    shutil.copy(ALERTS_FILE, folder)
    port = free_port()
    options = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program("prometheus"), *options, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log
        )
    try:
        wait_until_ready(f"http://127.0.0.1:{port}", "/-/ready")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)


@contextmanager
def load(address: str) -> Iterator[None]:
    """Send requests, valid and invalid, until the end."""
    ended = threading.Event()

    def send() -> None:
        with httpx.Client(base_url=address, timeout=30) as client:
            while not ended.wait(0.01):
                client.post("/v1/models/tiny-ae/encode", json={"samples": [SAMPLE] * 3})
                client.post("/v1/models/tiny-vae/generate?count=4")
                client.post("/v1/models/tiny-ae/encode", json={"samples": [[1]]})
                client.post("/v1/models/tiny-ae/score", json={"samples": [SAMPLE] * 3})

    wait_until_ready(address)
    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def ask(address: str, query: str) -> list[Any]:
    """Return the numbers of a query's result. It must be valid."""
    answer = httpx.get(f"{address}/api/v1/query", params={"query": query}).json()
    assert answer["status"] == "success", (query, answer)
    return [float(series["value"][1]) for series in answer["data"]["result"]]


def test_every_query_has_data_while_a_server_is_loaded(tiny_models: Path, tmp_path: Path) -> None:
    with (
        serving(models_dir=str(tiny_models), workers="2") as (_, address, _lines),
        prometheus_over(address, tmp_path) as prometheus,
        load(address),
    ):
        deadline = time.monotonic() + QUERY_SECONDS
        waiting = [*dashboard_queries(), *alert_queries(), "hourglass_model_info"]
        assert len(waiting) > 25
        while waiting and time.monotonic() < deadline:
            time.sleep(0.5)
            waiting = [query for query in waiting if not any(map(math.isfinite, ask(prometheus, query)))]
        assert waiting == []
        rules = httpx.get(f"{prometheus}/api/v1/rules").json()["data"]["groups"][0]["rules"]
        assert [rule["name"] for rule in rules] == [rule["alert"] for rule in ALERTS]
        assert {rule["health"] for rule in rules} == {"ok"}
        assert [rule["name"] for rule in rules if rule["state"] == "firing"] == []
