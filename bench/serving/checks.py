"""Before anything is timed: does a contender answer what onnxruntime answers."""

from __future__ import annotations

import httpx
import numpy as np

from bench.serving.contender import Array, Contender, Load, Request
from bench.serving.questions import Questions

RELATIVE, ABSOLUTE = 1e-3, 1e-4


class WrongAnswer(Exception):
    """A contender answered, but not that."""


def ask(address: str, request: Request, timeout: float = 60.0) -> bytes:
    """The body of the answer. Raises WrongAnswer for any status but 200."""
    with httpx.Client(base_url=address, timeout=timeout) as client:
        answer = client.request(request.method, request.path, content=request.body, headers=dict(request.headers))
    if answer.status_code != 200:
        raise WrongAnswer(f"status {answer.status_code}: {answer.text[:200]}")
    return answer.content


def check(contender: Contender, address: str, load: Load, request: Request, questions: Questions) -> None:
    """Raise WrongAnswer, with what is wrong, unless the rows are onnxruntime's."""
    try:
        body = ask(address, request)
    except httpx.HTTPError as error:
        raise WrongAnswer(f"no answer: {error!r}") from error
    try:
        rows = contender.read(load, body)
    except Exception as error:  # a rival's answer may be anything
        raise WrongAnswer(f"not readable: {error!r}: {body[:80]!r}") from error
    compare(rows, questions.answers[load])


def compare(rows: Array, expected: Array) -> None:
    """Raise WrongAnswer unless the rows are close to what is expected."""
    if rows.shape != expected.shape:
        raise WrongAnswer(f"shape {rows.shape}, expected {expected.shape}")
    if not np.allclose(rows, expected, rtol=RELATIVE, atol=ABSOLUTE):
        raise WrongAnswer(f"differs from onnxruntime by {np.abs(rows - expected).max():.3g}")
