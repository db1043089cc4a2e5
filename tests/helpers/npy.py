"""`.npy` files as numpy writes and reads them."""

from __future__ import annotations

import io
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt

NPY = "application/x-npy"


def saved(array: npt.ArrayLike, version: tuple[int, int] | None = None) -> bytes:
    """Return the file that numpy writes, in a version of the format."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asanyarray(array), version=version)
    return stream.getvalue()


def loaded(response: httpx.Response) -> npt.NDArray[Any]:
    """Return the array of an answer, which must be a `.npy` file."""
    assert response.headers["content-type"] == NPY, response.text
    array: npt.NDArray[Any] = np.load(io.BytesIO(response.content), allow_pickle=False)
    return array
