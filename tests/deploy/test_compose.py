"""The compose file and nginx's configuration agree with the server and with each other. docker/ tries them."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from app.settings import Settings

ROOT = Path(__file__).parents[2]
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
NGINX = (ROOT / "deploy" / "nginx" / "nginx.conf").read_text()
SERVERS = ("hourglass", "replica")
WITH_A_CHECK_IN_THE_IMAGE = set(SERVERS)


def seconds(text: str) -> float:
    """Return a time such as `45s` in seconds."""
    assert text.endswith("s")
    return float(text.removesuffix("s"))


def directive(name: str) -> str:
    """Return the value of a directive that nginx's configuration has once."""
    [value] = re.findall(rf"^\s*{name} (\S+);", NGINX, re.MULTILINE)
    return str(value)


def test_every_service_has_a_health_check_and_time_to_end() -> None:
    """`docker compose up --wait` fails without the first."""
    assert {name for name, service in SERVICES.items() if "healthcheck" not in service} == WITH_A_CHECK_IN_THE_IMAGE
    assert "HEALTHCHECK" in (ROOT / "Dockerfile").read_text()
    settings = Settings()
    for name in SERVERS:
        assert seconds(SERVICES[name]["stop_grace_period"]) > settings.drain_seconds + settings.shutdown_seconds


def test_only_the_proxy_of_the_profile_publishes_a_port() -> None:
    assert "ports" not in SERVICES["replica"]
    assert SERVICES["replica"]["profiles"] == SERVICES["proxy"]["profiles"] == ["scale"]
    published = [port.rpartition(":")[0] for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(published) == len(set(published)) == 4
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_a_replica_is_the_server_without_its_port() -> None:
    hourglass = {key: value for key, value in SERVICES["hourglass"].items() if key != "ports"}
    replica = {key: value for key, value in SERVICES["replica"].items() if key not in ("profiles", "networks")}
    assert hourglass == replica
    assert SERVICES["replica"]["networks"]["default"]["aliases"] == ["hourglass"]


def test_nginx_asks_the_replicas_where_they_listen() -> None:
    assert f"set $replicas http://replica:{Settings().port};" in NGINX
    assert f"/dev/tcp/127.0.0.1/{directive('listen')}" in SERVICES["proxy"]["healthcheck"]["test"][-1]
    assert SERVICES["proxy"]["ports"] == [f"127.0.0.1:8080:{directive('listen')}"]


def test_nginx_is_more_patient_and_more_generous_than_the_server() -> None:
    settings = Settings()
    assert int(directive("client_max_body_size").removesuffix("m")) * 2**20 > settings.max_body_bytes
    assert seconds(directive("proxy_read_timeout")) > settings.queue_seconds + settings.run_seconds
    assert seconds(SERVICES["proxy"]["stop_grace_period"]) >= 60


def test_nginx_repeats_only_requests_that_change_nothing() -> None:
    [(path, block)] = re.findall(r"location ~ (\S+) \{([^}]*)\}", NGINX)
    assert "non_idempotent" in block
    assert NGINX.count("non_idempotent") == 1
    assert re.match(path, "/v1/models/mnist-vae/encode")
    assert re.match(path, "/v2/models/mnist-vae.encode/infer")
    assert not re.match(path, "/v2/repository/models/mnist-vae/load")
