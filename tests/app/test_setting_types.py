"""Texts of settings have a form, and numbers have bounds."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from app.setting_types import HostNames, Origins, Port, RateLimits, RootPath, Seconds


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Port, 0),
        (Port, 65535),
        (Seconds, 0.0),
        (RateLimits, ""),
        (RateLimits, "100/second;5000/hour"),
        (Origins, "https://app.example.com, http://127.0.0.1:3000"),
        (HostNames, "*.example.com,api.example.com"),
        (RootPath, "/a/b"),
    ],
)
def test_a_value_of_the_form_is_taken(kind: Any, value: object) -> None:
    assert TypeAdapter(kind).validate_python(value) == value


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Port, 65536),
        (Seconds, -1),
        (Seconds, float("inf")),
        (RateLimits, "0/second"),
        (Origins, "https://app.example.com/path"),
        (HostNames, "api.example.com:80"),
        (RootPath, "/a/"),
    ],
)
def test_a_value_of_another_form_is_refused(kind: Any, value: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(value)
