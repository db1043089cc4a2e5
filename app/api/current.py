"""The state of the application as a parameter of FastAPI's routes."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from app.api.state import State


def current_state(request: Request) -> State:
    """Return the state of the application that received the request."""
    state: State = request.app.state.hourglass
    return state


CurrentState = Annotated[State, Depends(current_state)]
