"""The marker `needs`: a program that is missing fails the test that needs it, unless ALLOW_MISSING is set."""

from __future__ import annotations

import os

import pytest

from tests.helpers.programs import find_program, remedy


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail a test, or skip it, if a program that it needs is missing."""
    for marker in item.iter_markers("needs"):
        for name in marker.args:
            if find_program(name) is None:
                missing = f"{name} is missing: {remedy(name)}"
                if os.environ.get("ALLOW_MISSING"):
                    pytest.skip(missing)
                pytest.fail(f"{missing}, or set ALLOW_MISSING=1 to skip its tests", pytrace=False)
