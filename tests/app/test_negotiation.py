"""Which format does the client mean."""

from __future__ import annotations

import pytest

from app.api.negotiation import JSON, PNG, choose, require
from app.errors import NotAcceptable, UnsupportedMedia


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("image/png", PNG),
        ("IMAGE/PNG", PNG),
        ("image/*", PNG),
        ("image/webp, image/*;q=0.8, */*;q=0.1", PNG),
        ("application/json;q=0.5, image/png", PNG),
        ("application/json, image/png;q=0.9", JSON),
        ("image/png;q=0, */*", JSON),
        ("text/html, application/xhtml+xml, */*;q=0.8", JSON),
        ("application/json;q=nonsense, image/png", PNG),
    ],
)
def test_the_best_liked_format_is_given(accept: str | None, chosen: str) -> None:
    assert choose(accept if accept is None else accept.encode(), (JSON, PNG)) == chosen


@pytest.mark.parametrize("accept", ["text/html", "image/webp", "*/*;q=0", "image/*;q=0, text/plain"])
def test_what_cannot_be_given_is_told_with_what_can(accept: str) -> None:
    with pytest.raises(NotAcceptable) as caught:
        choose(accept.encode(), (JSON, PNG))
    assert caught.value.members == {"supported": [JSON, PNG]}


def test_content_types_are_compared_without_parameters_and_case() -> None:
    assert require(b"Application/JSON; charset=utf-8", (JSON,)) == JSON
    assert require(None, (JSON,)) == JSON
    with pytest.raises(UnsupportedMedia, match="got 'text/csv'"):
        require(b"text/csv", (JSON,))
