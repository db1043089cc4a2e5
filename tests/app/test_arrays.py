"""The arrays that tasks take and return."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.arrays import ARRAYS
from app.manifest import Manifest


@pytest.mark.parametrize(
    ("name", "shape"), [("samples", (1, 2, 2)), ("noisy", (1, 2, 2)), ("latents", (2,)), ("errors", ())]
)
def test_a_row_has_the_shape_that_the_model_gives_it(tiny_models: Path, name: str, shape: tuple[int, ...]) -> None:
    assert ARRAYS[name].row_shape(Manifest.read(tiny_models / "tiny-ae" / "1")) == shape
