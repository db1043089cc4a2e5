"""Options are parsed strictly, and an error names the option and its place."""

from __future__ import annotations

import pytest

from app.errors import InvalidParameter
from app.options import (
    DecodeOptions,
    DenoiseOptions,
    EncodeOptions,
    GenerateOptions,
    InterpolateOptions,
    Options,
    parse_options,
)


def test_options_are_parsed_from_text() -> None:
    options = parse_options(GenerateOptions, {"count": "3", "seed": "7", "temperature": "0.5"}, "query")
    assert (options.count, options.seed, options.temperature, options.label) == (3, 7, 0.5, None)


@pytest.mark.parametrize(
    ("kind", "values", "name", "problem"),
    [
        (EncodeOptions, {"sed": 1}, "sed", "there is no such option here; the options are sample, seed, label, got 1"),
        (EncodeOptions, {"seed": 1}, "seed", "has no meaning without sample=true: the mean is not random"),
        (EncodeOptions, {"sample": True, "seed": -1}, "seed", "greater than or equal to 0, got -1"),
        (EncodeOptions, {"sample": True, "seed": 2**53}, "seed", "less than or equal to 9007199254740991"),
        (DenoiseOptions, {"amount": 0.5}, "amount", "has no meaning without noise: denoising itself is not random"),
        (DenoiseOptions, {"seed": 1}, "seed", "has no meaning without noise"),
        (DenoiseOptions, {"noise": "pink"}, "noise", "got 'pink'"),
        (DenoiseOptions, {"noise": "masking", "amount": 1.5}, "amount", "less than or equal to 1"),
        (GenerateOptions, {"temperature": "nan"}, "temperature", "got 'nan'"),
        (GenerateOptions, {"count": "x" * 100}, "count", f"got '{'x' * 59}"),
        (InterpolateOptions, {"steps": 1}, "steps", "greater than or equal to 2"),
        (DecodeOptions, {"columns": 0}, "columns", "greater than or equal to 1"),
        (InterpolateOptions, {"scale": 0}, "scale", "greater than or equal to 1"),
        (GenerateOptions, {"scale": 33}, "scale", "less than or equal to 32"),
    ],
)
def test_a_wrong_option_is_named_with_its_place(
    kind: type[Options], values: dict[str, object], name: str, problem: str
) -> None:
    with pytest.raises(InvalidParameter) as caught:
        parse_options(kind, values, "query")
    assert caught.value.detail.startswith(f"query parameter {name!r}: ")
    assert problem in caught.value.detail
    parameters = caught.value.members["parameters"]
    assert isinstance(parameters, list)
    assert [(parameter["name"], parameter["in"]) for parameter in parameters] == [(name, "query")]


def test_every_wrong_option_is_named() -> None:
    with pytest.raises(InvalidParameter, match=r"request parameter 'count': .*; request parameter 'seed': "):
        parse_options(GenerateOptions, {"count": 0, "seed": -1}, "request")


@pytest.mark.parametrize(
    ("options", "columns"),
    [
        (EncodeOptions(), None),
        (DecodeOptions(), None),
        (DecodeOptions(columns=3), 3),
        (InterpolateOptions(), 8),
        (InterpolateOptions(steps=5), 5),
        (InterpolateOptions(steps=5, columns=2), 2),
    ],
)
def test_an_interpolation_is_one_row_of_a_picture_by_default(options: Options, columns: int | None) -> None:
    assert options.png_columns == columns
