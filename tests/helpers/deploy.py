"""The alerts and the dashboard in deploy/, for the tests that need Prometheus and those that do not."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
ALERTS_FILE = DEPLOY / "prometheus" / "alerts.yml"
ALERTS = yaml.safe_load(ALERTS_FILE.read_text())["groups"][0]["rules"]
DASHBOARD = json.loads((DEPLOY / "grafana" / "dashboards" / "hourglass.json").read_text())
THRESHOLD = re.compile(r"(==|<|>) [\d.]+$")
"""The end of an alert's expression."""
