"""Compare the rewritten graph with the original, in batches of several sizes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from app.arrays import Array, Rows
from app.engine.session import open_session
from app.errors import UnfitGraph
from app.importing.original import Original, short_message, silent_run_options
from app.importing.rewriting import GraphPlan
from app.importing.surgery.causes import cause_of_differences
from app.importing.tidy import Tolerance, largest_difference
from app.inputs import ValueRange

BATCH_SIZES = (1, 2, 3)
"""Batch sizes at which the rewritten graph is run, besides all rows at once."""
TOLERANCE, HALF_TOLERANCE = Tolerance(1e-6, 1e-4), Tolerance(1e-6, 1e-2)
"""For float32, whose sums may have another order, and for the coarser float16."""


def prove(plan: GraphPlan, path: Path, rows: Array, labels: Rows | None = None) -> None:
    """Raise UnfitGraph unless the graph of a file gives the original's outputs for each row, at every batch size."""
    session, original = open_session(path, threads=1), plan.original
    expected = plan.expected_outputs(rows, labels)
    arrays = plan.arrays(rows, labels)
    names = [port.name for port in plan.outputs]
    cause = f"{original.name}: {cause_of_differences(original.model, original.batch_size)}"
    for size in (*BATCH_SIZES, len(rows)):
        try:
            batch = {name: array[:size] for name, array in arrays.items()}
            outputs = session.run(names, batch, silent_run_options())
        except Exception as error:  # onnxruntime raises a class of its own for each failure
            raise UnfitGraph(f"{cause} (with {size} rows: {short_message(error)})") from error
        for port, output, all_expected in zip(plan.outputs, outputs, expected, strict=True):
            if output.shape != all_expected[:size].shape:
                raise UnfitGraph(f"{cause} ({size} rows gave {port.graph_name} of shape {list(output.shape)})")
            _check_output(original, port.name, output, all_expected[:size], cause)


def check_finite_answers(original: Original, name: str, outputs: Rows, value_range: ValueRange | None) -> None:
    """Raise UnfitGraph if an output for the golden samples is not finite, with the option that may help."""
    if np.isfinite(outputs).all():
        return
    if value_range is None:
        raise UnfitGraph(
            f"{original.name}: {name} is not finite for numbers from -2 to 2, which an import tries if it knows no "
            "range: pass --range LOW HIGH, such as --range 0 HIGH for counts"
        )
    raise UnfitGraph(
        f"{original.name}: {name} is not finite for a sample within the range, "
        f"{value_range.low:g} to {value_range.high:g}: pass the --range of its data"
    )


def _check_output(original: Original, name: str, output: Rows, expected: Rows, cause: str) -> None:
    """Raise UnfitGraph unless an output is finite and near the original's."""
    if not np.isfinite(expected).all():
        raise UnfitGraph(f"{original.name}: {name} is not finite for a sample within the range")
    difference = largest_difference(output, expected)
    tolerance = HALF_TOLERANCE if original.input_type == np.float16 else TOLERANCE
    if not tolerance.allows(difference, expected):
        single = "each row" if (original.batch_size or 1) == 1 else f"{original.batch_size} rows"
        raise UnfitGraph(
            f"{cause} ({name} of {len(output)} rows at once differs by {difference:.2g} from that of {single} at a "
            "time)"
        )
