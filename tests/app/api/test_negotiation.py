"""Media types are chosen as the client's headers ask."""

from __future__ import annotations

import pytest

from app.api.negotiation import JSON, PNG, check_request_type, choose_response_type
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
def test_the_preferred_supported_type_is_chosen(accept: str | None, chosen: str) -> None:
    assert choose_response_type(accept if accept is None else accept.encode(), (JSON, PNG)) == chosen


@pytest.mark.parametrize("accept", ["text/html", "image/webp", "*/*;q=0", "image/*;q=0, text/plain"])
def test_unsupported_types_are_refused_with_the_supported_ones(accept: str) -> None:
    with pytest.raises(NotAcceptable) as caught:
        choose_response_type(accept.encode(), (JSON, PNG))
    assert caught.value.members == {"supported": [JSON, PNG]}


def test_content_types_are_compared_without_parameters_and_case() -> None:
    assert check_request_type(b"Application/JSON; charset=utf-8", (JSON,)) == JSON
    assert check_request_type(None, (JSON,)) == JSON
    with pytest.raises(UnsupportedMedia, match="got 'text/csv'"):
        check_request_type(b"text/csv", (JSON,))
