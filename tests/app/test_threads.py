"""The number of cores is what the container was given."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.engine.threads import available_cores, cpu_quota


@pytest.mark.parametrize(
    ("text", "quota"), [("max 100000", None), ("150000 100000", 1.5), ("50000 100000", 0.5), ("nonsense", None)]
)
def test_version_2_of_control_groups(tmp_path: Path, text: str, quota: float | None) -> None:
    (tmp_path / "cpu.max").write_text(text + "\n")
    assert cpu_quota(tmp_path) == quota


@pytest.mark.parametrize(("limit", "quota"), [("-1", None), ("200000", 2.0)])
def test_version_1_of_control_groups(tmp_path: Path, limit: str, quota: float | None) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(limit)
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000")
    assert cpu_quota(tmp_path) == quota


def test_no_control_group_is_no_limit(tmp_path: Path) -> None:
    assert cpu_quota(tmp_path) is None


def test_a_fraction_of_a_core_is_one(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("50000 100000")
    assert available_cores(tmp_path) == 1


def test_the_affinity_mask_bounds_the_quota(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("9900000 100000")
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert available_cores(tmp_path) == 1
    finally:
        os.sched_setaffinity(0, before)
