"""The types of settings: numbers with bounds and texts with a form. `app.settings` uses them."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def _items_like(item: str, separator: str, expected: str) -> AfterValidator:
    """Return a check that a text is empty, or has items of a form between separators."""
    pattern = re.compile(rf"({item})({separator} *({item}))*")

    def check(text: str) -> str:
        if text and not pattern.fullmatch(text):
            raise ValueError(f"expected {expected}")
        return text

    return AfterValidator(check)


RateLimits = Annotated[
    str, _items_like(r"[1-9][0-9]{0,8}/(second|minute|hour|day)", ";", "100/second or 100/second;5000/hour")
]
Origins = Annotated[
    str, _items_like(r"\*|https?://[^,/\s]+", ",", "origins without a path, such as https://app.example.com")
]
HostNames = Annotated[
    str, _items_like(r"\*|(\*\.)?[A-Za-z0-9._-]+", ",", "names without a port, such as api.example.com")
]
RootPath = Annotated[
    str, _items_like(r"(/[A-Za-z0-9._~-]+)+", "(?!)", "a path such as /hourglass, without / at its end")
]
