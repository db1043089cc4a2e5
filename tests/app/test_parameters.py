"""Parameters become options, and an error names every wrong one."""

from __future__ import annotations

import pytest

from app.errors import InvalidParameter
from app.options import GenerateOptions
from app.parameters import parse_options


def test_options_are_parsed_from_text() -> None:
    options = parse_options(GenerateOptions, {"count": "3", "seed": "7", "temperature": "0.5"}, "query")
    assert (options.count, options.seed, options.temperature, options.label) == (3, 7, 0.5, None)


def test_every_wrong_option_is_named() -> None:
    with pytest.raises(InvalidParameter, match=r"request parameter 'count': .*; request parameter 'seed': "):
        parse_options(GenerateOptions, {"count": 0, "seed": -1}, "request")
