"""The settings as options of the command line: `--max-rows` is the setting `max_rows`, or HOURGLASS_MAX_ROWS."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from difflib import get_close_matches

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import CliSettingsSource

from app.errors import StartupError
from app.settings import PREFIX, Settings, variable

NONE = "none"
"""The value that takes back a variable, such as --keys-file none."""


class SettingOptions:
    """The options of a parser: one for each setting, and two for each that is true or false."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._source: CliSettingsSource[argparse.ArgumentParser] = CliSettingsSource(
            Settings,
            root_parser=parser,
            add_argument_method=_add_option,
            cli_kebab_case=True,
            cli_implicit_flags=True,
            cli_hide_none_type=True,
            cli_avoid_json=True,
            cli_parse_none_str=NONE,
        )

    def read(self, options: argparse.Namespace) -> Settings:
        """Return the settings: options, then variables, then defaults. Raises StartupError with a line per problem."""
        typed = typed_settings(options)
        try:
            return Settings(_cli_settings_source=self._source(parsed_args=dict(typed)))
        except ValidationError as error:
            raise StartupError(
                "\n".join(
                    _describe(str(problem["loc"][0]), problem["msg"], problem["input"], typed)
                    for problem in error.errors()
                )
            ) from error


def typed_settings(options: argparse.Namespace) -> dict[str, str]:
    """Return the settings that were typed as options, with their texts."""
    return {name: value for name, value in vars(options).items() if name in Settings.model_fields and value is not None}


def name_origins(message: str, typed: Mapping[str, object]) -> str:
    """Return a message about settings with the option in place of the variable, where an option was typed."""
    return re.sub(rf"\b{PREFIX}([A-Z_]+)\b", lambda match: _origin(match[1].lower(), typed), message)


def similar_option(text: str) -> str | None:
    """Return the option of a setting that resembles a misspelt one."""
    known = ["--" + name.replace("_", "-") for name in Settings.model_fields]
    known += ["--no-" + name.replace("_", "-") for name, field in Settings.model_fields.items() if _is_flag(field)]
    matches = get_close_matches(text.partition("=")[0].replace("_", "-"), known, n=1)
    return matches[0] if matches else None


def _origin(name: str, typed: Mapping[str, object]) -> str:
    return "--" + name.replace("_", "-") if name in typed else variable(name)


def _describe(name: str, problem: str, value: object, typed: Mapping[str, object]) -> str:
    return f"{_origin(name, typed)}: {problem}, got {typed.get(name, value)!r}"


def _is_flag(field: FieldInfo) -> bool:
    return field.annotation in (bool, bool | None)


def _add_option(parser: argparse.ArgumentParser, *names: str, **about: object) -> None:
    """Add an option as pydantic-settings derives it, with a value named for its last word and our form of help."""
    name = str(about["dest"])
    field = Settings.model_fields[name]
    if about.get("metavar") in ("str", "int", "float", "Path"):
        about["metavar"] = name.rpartition("_")[2].upper()
    value = field.default if field.default_factory is None else "models"
    default = "empty" if value == "" else NONE if value is None else value
    about["help"] = f"{field.description} [{default}] {variable(name)}".replace("%", "%%")
    parser.add_argument(*names, **about)  # type: ignore[arg-type]
