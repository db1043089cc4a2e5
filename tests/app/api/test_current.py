"""A route gets the state of the application that received the request."""

from __future__ import annotations

from fastapi import FastAPI, Request

from app.api.current import current_state


def test_each_application_has_its_own_state() -> None:
    apps, states = [FastAPI(), FastAPI()], [object(), object()]
    for app, state in zip(apps, states, strict=True):
        app.state.hourglass = state
    found = [current_state(Request({"type": "http", "app": app})) for app in apps]
    assert found[0] is states[0]
    assert found[1] is states[1]
