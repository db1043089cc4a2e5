"""The alerts and the dashboard in deploy/ are whole. tests/system/ tries them with Prometheus."""

from __future__ import annotations

import yaml

from tests.helpers.deploy import ALERTS, DASHBOARD, DEPLOY, THRESHOLD


def test_every_alert_ends_in_its_threshold_and_says_what_to_do() -> None:
    for rule in ALERTS:
        assert THRESHOLD.search(rule["expr"]), rule["alert"]
        assert {"summary", "description"} == rule["annotations"].keys()


def test_the_dashboard_is_whole() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    cells = [
        (x, y)
        for place in places
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))  # no panel lies on another
    assert max(x for x, _ in cells) < 24


def test_the_compose_file_mounts_what_is_there() -> None:
    services = yaml.safe_load((DEPLOY.parent / "docker-compose.yml").read_text())["services"]
    for name in ("prometheus", "grafana"):
        assert services[name]["profiles"] == ["monitoring"]
        folders = [volume.split(":")[0] for volume in services[name]["volumes"] if volume.startswith("./")]
        assert folders
        assert all((DEPLOY.parent / folder).is_dir() for folder in folders)
