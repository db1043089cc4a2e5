"""The table of drift has few false alarms, and power."""

from __future__ import annotations

import pytest

from bench import drift


def test_the_table_has_a_row_for_each_number_of_calibration_rows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"CALIBRATION_ROWS": (99, 999), "CALIBRATIONS": 3, "WINDOWS": 20, "POWER_WINDOWS": 5}.items():
        monkeypatch.setattr(drift, name, value)
    assert drift.main() == 0
    few, many = (
        [float(cell.strip(" %")) for cell in line.strip("|").split("|")]
        for line in capsys.readouterr().out.splitlines()[2:]
    )
    assert [few[0], many[0]] == [99, 999]
    assert max(few[1], many[1]) <= 2
    assert min(few[3], many[3]) > 5
    assert many[4] == 100
    assert few[4] < many[4]
