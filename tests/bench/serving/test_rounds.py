"""The choice of contenders."""

from __future__ import annotations

import sys

import pytest

from bench.serving.rounds import choose
from bench.serving.servers import Contender


def contender(name: str, program: str = sys.executable) -> Contender:
    return Contender(name, lambda _, __: [program], lambda _: {})


def test_contenders_that_are_not_installed_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    chosen = choose([contender("a"), contender("b", "/missing/python")], ())
    assert [each.name for each in chosen] == ["a"]
    assert "b is not installed" in capsys.readouterr().err


def test_contenders_are_chosen_by_name() -> None:
    assert [each.name for each in choose([contender("a"), contender("b")], ("b",))] == ["b"]


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(SystemExit, match="unknown contender c; expected some of a, b"):
        choose([contender("a"), contender("b")], ("a", "c"))
