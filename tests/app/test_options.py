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
    ScoreOptions,
)
from app.parameters import parse_options


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
        (ScoreOptions, {"alpha": 0.1, "fdr": 0.1}, "fdr", "expected alpha or fdr, got both"),
        (ScoreOptions, {"fdr": 0}, "fdr", "greater than 0, got 0"),
        (ScoreOptions, {"heat": 0}, "heat", "greater than 0, got 0"),
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


@pytest.mark.parametrize(
    ("options", "lacks", "hides"),
    [
        (ScoreOptions(), {"anomalous": "alpha or fdr"}, {"attributions"}),
        (ScoreOptions(alpha=0.1), {}, {"attributions"}),
        (ScoreOptions(fdr=0.1, attribution=True), {}, set()),
        (DecodeOptions(), {}, set()),
    ],
)
def test_scores_have_verdicts_and_attributions_only_on_request(
    options: Options, lacks: dict[str, str], hides: set[str]
) -> None:
    assert options.lacks == lacks
    assert options.hides == hides
