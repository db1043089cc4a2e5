"""Errors have a sentence, and those for clients a status and a code."""

from __future__ import annotations

import re

from app.api.docs.errors import service_errors
from app.errors import HourglassError, NotFound, Overloaded, ServiceError, UnknownModel


def test_an_error_carries_its_sentence_headers_and_members() -> None:
    error = Overloaded("busy", headers={"Retry-After": "1"}, waiting=3)
    assert isinstance(error, HourglassError)
    assert (str(error), error.detail, error.headers, error.members) == (
        "busy",
        "busy",
        {"Retry-After": "1"},
        {"waiting": 3},
    )
    plain = UnknownModel("no model")
    assert (dict(plain.headers), dict(plain.members)) == ({}, {})


def test_every_client_error_has_a_status_and_a_code_of_its_own() -> None:
    errors = list(service_errors())
    assert len({error.code for error in errors}) == len(errors) > 25
    for error in errors:
        assert issubclass(error, ServiceError)
        assert 400 <= error.status < 600
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", error.code)


def test_a_class_inherits_the_facts_that_it_does_not_name() -> None:
    assert (UnknownModel.status, UnknownModel.code) == (NotFound.status, "unknown-model")
    assert NotFound.code == "not-found"
