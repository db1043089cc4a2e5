"""Tensors in shared memory count as a body does."""

from __future__ import annotations

from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import pytest

from app.api.state import State
from app.api.v2.shared_memory.reading import shared_reader
from app.errors import BodyTooLarge, Overloaded
from app.formats.shared_memory import Span
from app.settings import Settings


def test_the_limits_of_bodies_hold(tiny_models: Path) -> None:
    limits = {"max_body_bytes": 40, "max_decompressed_bytes": 40, "max_held_bytes": 80}
    state = State.load(Settings(models_dir=tiny_models, shared_memory=True, **limits))  # type: ignore[arg-type]
    memory = SharedMemory(create=True, size=64)
    try:
        state.regions.register("region", memory.name, 0, 64)
        read = shared_reader(state)
        assert read(Span("region", 0, 24)) == bytes(24)
        with pytest.raises(BodyTooLarge, match="expected tensors of at most 40 bytes in shared memory, got 48"):
            read(Span("region", 0, 24))
        assert state.budget.total == 0
        state.budget.add(60)
        with pytest.raises(Overloaded):
            shared_reader(state)(Span("region", 0, 24))
    finally:
        state.close()
        memory.close()
        memory.unlink()
