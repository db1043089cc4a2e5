"""Write answers of the Open Inference Protocol, version 2: JSON, which binary tensors may follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from app.arrays import Rows
from app.formats.json_answer import decimals, write_object
from app.formats.shared_memory import Form, Span, WriteShared, write_span
from app.formats.tensors import output_bytes, output_datatype


def write_answer(
    members: Mapping[str, Any],
    outputs: Sequence[tuple[str, Rows, Form]],
    write_shared: WriteShared,
    pixels: tuple[int, ...] | None,
) -> tuple[bytes, int | None]:
    """
    Return an answer, and the length of its JSON if binary tensors follow, else None.

    `outputs` holds the name of each, its float32 numbers or booleans, and their form. `members` join the JSON. Rows of
    the shape `pixels` are images, whose numbers may be rounded as `decimals` does.
    """
    tensors, blobs = [], []
    for name, values, form in outputs:
        tensor: dict[str, Any] = {"name": name, "shape": values.shape, "datatype": output_datatype(values)}
        if isinstance(form, Span):
            tensor["parameters"] = write_span(values, form, write_shared)
        elif form:
            blob = output_bytes(values)
            tensor["parameters"] = {"binary_data_size": len(blob)}
            blobs.append(blob)
        else:
            numbers = np.ascontiguousarray(values).reshape(-1)
            tensor["data"] = decimals(numbers) if values.shape[1:] == pixels else numbers
        tensors.append(tensor)
    header = write_object({**members, "outputs": tensors})
    return b"".join([header, *blobs]), len(header) if blobs else None
