"""The metrics of a server, read as Prometheus reads them."""

from __future__ import annotations

import httpx
from prometheus_client.parser import text_string_to_metric_families

Samples = dict[str, float]
"""Values by the name of the sample and its labels, such as `hourglass_requests_total{code="200"}`."""


def parse(text: str) -> Samples:
    """Return every sample of a scrape. Labels are sorted by name, and empty ones are left out."""
    samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()) if value)
            samples[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return samples


def scrape(address: str) -> Samples:
    """Return every sample of a server, from a connection of its own: any of the workers may answer."""
    answer = httpx.get(f"{address}/metrics")
    assert answer.status_code == 200, answer.text
    return parse(answer.text)


def total(samples: Samples, name: str, *labels: str) -> float:
    """Return the sum of the samples of this name that have these labels, each such as `code="200"`."""
    return sum(
        value for key, value in samples.items() if key.split("{")[0] == name and all(label in key for label in labels)
    )
