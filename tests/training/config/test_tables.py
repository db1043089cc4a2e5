"""The options of tables refuse what no table can have."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from training.config import DataConfig, TableOptions
from training.config.load import load_config
from training.config.settings import with_settings


def test_the_data_section_has_the_options_of_tables() -> None:
    config = DataConfig(path="t.csv", columns=("a", "b"), one_hot={"a": ("x", "y")})
    assert isinstance(config, TableOptions)
    assert (config.missing, config.drop, config.one_hot) == ("refuse", (), {"a": ("x", "y")})
    assert DataConfig.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize(
    "options", [{"separator": ""}, {"separator": '"'}, {"separator": "\n"}, {"separator": "é"}, {"separator": ";;"},
                {"decimal": ";"}, {"missing": "mean"}, {"one_hot": 3}],
)  # fmt: skip
def test_impossible_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TableOptions(**options)


def test_any_option_can_be_set_by_its_path() -> None:
    settings = ["data.columns=a,b", "data.one_hot=true", "data.missing=drop", "data.separator=;", "data.header=false"]
    data = with_settings(load_config("table-ae"), settings, {}).data
    assert (data.columns, data.one_hot, data.missing, data.separator, data.header) == (
        ("a", "b"), True, "drop", ";", False,
    )  # fmt: skip
    assert with_settings(load_config("table-ae"), ["data.one_hot=a,b"], {}).data.one_hot == ("a", "b")
