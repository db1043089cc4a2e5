"""Options of a configuration on the command line: `--set SECTION.OPTION=VALUE`, and options that have a flag."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import ValidationError

from training.config.load import Config
from training.config.problems import describe_problems, did_you_mean, known_options
from training.errors import InvalidConfiguration

EXAMPLE = "expected SECTION.OPTION=VALUE, such as optimisation.epochs=20"

FLAGS = {
    "--data": "data.path",
    "--kind": "data.kind",
    "--samples": "data.samples",
    "--label": "data.label",
    "--image-size": "data.image_size",
    "--background": "data.background",
    "--test": "data.test_path",
    "--columns": "data.columns",
    "--drop": "data.drop",
    "--missing": "data.missing",
    "--one-hot": "data.one_hot",
    "--separator": "data.separator",
    "--decimal": "data.decimal",
    "--encoding": "data.encoding",
    "--header": "data.header",
    "--name": "name",
    "--epochs": "optimisation.epochs",
    "--seed": "optimisation.seed",
}
"""Options of the command line that stand for one option of a configuration each."""


def with_settings(config: Config, settings: Sequence[str], flags: Mapping[str, Any]) -> Config:
    """
    Return the configuration with the values of `--set` and of flags in place of its own.

    `flags` has the values by flag; None stands for a flag that is not given. Raises InvalidConfiguration.
    """
    document = config.model_dump()
    places: dict[str, str] = {}
    for setting in settings:
        path = _apply(document, setting)
        places[path] = f"--set {setting}: "
    for flag, value in flags.items():
        if value is not None:
            _put(document, FLAGS[flag], value)
            places[FLAGS[flag]] = f"{flag} {value}: "
    if "data.path" in places and document["data"]["path"] is not None and "data.name" not in places:
        document["data"]["name"] = None
    try:
        return Config.model_validate(document)
    except ValidationError as error:
        raise InvalidConfiguration(
            describe_problems(error, known_options(Config, document), lambda path: _place(path, places))
        ) from error


def _place(path: str, places: Mapping[str, str]) -> str:
    """Return the words of the command line that gave an option, or a part of it, its value."""
    for option, place in places.items():
        if path == option or path.startswith(f"{option}."):
            return place
    given = [place.removesuffix(": ") for option, place in places.items() if option.startswith(f"{path}.")]
    return f"{' '.join(given) or path}: "


def _apply(document: dict[str, Any], setting: str) -> str:
    """Put one SECTION.OPTION=VALUE into a configuration's document and return the option's path."""
    import yaml  # one of the packages without which --help works

    path, equals, text = setting.partition("=")
    path = path.strip()
    options = known_options(Config, document)
    if not equals or not path:
        raise InvalidConfiguration(f"--set {setting}: {EXAMPLE}")
    if path not in options:
        hint = did_you_mean(path, options) or f"; {EXAMPLE}"
        raise InvalidConfiguration(f"--set {setting}: there is no option {path}{hint}")
    try:
        _put(document, path, parse_value(text, options[path].annotation))
    except yaml.YAMLError as error:
        raise InvalidConfiguration(f"--set {setting}: not YAML: {' '.join(str(error).split())}") from error
    return path


def _put(document: dict[str, Any], path: str, value: Any) -> None:
    *sections, option = path.split(".")
    for name in sections:
        document = document[name]
    document[option] = value


def parse_value(text: str, annotation: Any) -> Any:
    """
    Return a value for an option of a type, as YAML reads it.

    `64,64` is a list of two where a list belongs, and `64` a list of one; `7` is text where text belongs.
    """
    import yaml  # as in `_apply`

    kinds = _kinds(annotation)
    if set(kinds) <= {str, types.NoneType}:
        return None if text in ("", "null") and types.NoneType in kinds else text
    if any(text in get_args(kind) for kind in kinds if get_origin(kind) is Literal):
        return text
    value = yaml.safe_load(text)
    sequences = [kind for kind in kinds if get_origin(kind) is tuple]
    if value is None or isinstance(value, (list, dict)) or (isinstance(value, bool) and bool in kinds):
        return value
    if sequences and ("," in text or not {int, float} & set(kinds)):
        holds_text = str in _kinds(get_args(sequences[0])[0])
        return [part.strip() if holds_text else yaml.safe_load(part) for part in text.split(",")]
    return value


def _kinds(annotation: Any) -> list[Any]:
    """Return the types that a union is made of, without their constraints."""
    if get_origin(annotation) is Annotated:
        return _kinds(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [kind for part in get_args(annotation) for kind in _kinds(part)]
    return [annotation]
