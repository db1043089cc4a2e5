"""Settings as options: their texts arrive as typed, and messages name them."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from app.setting_options import SettingOptions, name_origins, similar_option
from app.settings import Settings


def read(*arguments: str) -> Settings:
    """Return the settings that a parser with only their options reads."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    options = SettingOptions(parser)
    return options.read(parser.parse_args(arguments))


@pytest.mark.parametrize("text", ["a,b", '"quoted"', "[a]", "{a: 1}", "a b", "1", "null", "-", "100%"])
def test_a_path_is_taken_as_typed(text: str) -> None:
    assert read("--models-dir", text).models_dir == Path(text)


def test_lists_are_texts_with_separators() -> None:
    settings = read("--cors-origins", "https://a.example, https://b.example", "--rate-limit", "1/second;2/hour")
    assert settings.cors_origins == "https://a.example, https://b.example"
    assert settings.rate_limit == "1/second;2/hour"


def test_the_last_of_two_equal_options_counts() -> None:
    assert read("--port", "1", "--port", "2", "--control", "--no-control").model_dump(include={"port", "control"}) == {
        "port": 2,
        "control": False,
    }


def test_every_setting_has_an_option_with_a_value_or_two_without() -> None:
    parser = argparse.ArgumentParser()
    SettingOptions(parser)
    text = "".join(parser.format_help().split())
    for name, field in Settings.model_fields.items():
        option = "--" + name.replace("_", "-")
        if "bool" in str(field.annotation):
            assert f"{option},--no-{option[2:]}" in text
        else:
            assert f"{option}{name.split('_')[-1].upper()}" in text or f"{option}{{debug," in text


def test_messages_name_the_option_only_where_it_was_typed() -> None:
    message = "HOURGLASS_HOST and HOURGLASS_PORT set both; HOURGLASS_PORTS and _HOURGLASS_PORT are none"
    assert name_origins(message, {"port": "1"}) == message.replace(" HOURGLASS_PORT ", " --port ")


@pytest.mark.parametrize(
    ("text", "similar"), [("--prot=1", "--port"), ("--no-batch", "--no-batching"), ("x", None), ("--quiet", None)]
)
def test_a_similar_option_is_found(text: str, similar: str | None) -> None:
    assert similar_option(text) == similar
