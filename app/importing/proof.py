"""The rewritten graph compared with the original, in batches of several sizes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from app.engine.session import open_session
from app.errors import UnfitGraph
from app.importing.original import in_short, quietly
from app.importing.rewriting import Plan
from app.importing.tidy import Tolerance, largest_difference

Array = npt.NDArray[np.float32]

BATCHES = (1, 2, 3)
"""Sizes that the rewritten graph is run at, beside all rows at once."""
TOLERANCE, HALF_TOLERANCE = Tolerance(1e-6, 1e-4), Tolerance(1e-6, 1e-2)
"""For float32, whose sums may have another order, and for the coarser float16."""


def prove(plan: Plan, path: Path, rows: Array) -> float:
    """
    The largest difference between the graph of a file and what the original says to each row.

    Raises UnfitGraph where it is too large, or the graph cannot be run at a batch size.
    """
    session, original = open_session(path, threads=1), plan.original
    expected = plan.answers(rows)
    tolerance = HALF_TOLERANCE if original.kind == np.float16 else TOLERANCE
    inside = (
        f"its batch size, {original.batch}, is part of its inside" if original.batch else "its rows do not stay apart"
    )
    reason, worst = f"{original.name}: {inside}", 0.0
    for size in (*BATCHES, len(rows)):
        try:
            answers = session.run([port.name for port in plan.given], {plan.taken.name: rows[:size]}, quietly())
        except Exception as error:  # onnxruntime raises a class of its own for each failure
            raise UnfitGraph(f"{reason}: with {size} rows: {in_short(error)}") from error
        for port, answer, whole in zip(plan.given, answers, expected, strict=True):
            wanted = whole[:size]
            if answer.shape != wanted.shape:
                raise UnfitGraph(f"{reason}: {size} rows gave {port.inner} of shape {list(answer.shape)}")
            if not np.isfinite(wanted).all():
                raise UnfitGraph(f"{original.name}: {port.name} is not finite for a sample within the range")
            difference = largest_difference(answer, wanted)
            if not tolerance.allows(difference, wanted):
                raise UnfitGraph(
                    f"{original.name}: {port.name} of {size} rows at once differs by {difference:.2g} from what the "
                    f"graph gives for {'each row' if (original.batch or 1) == 1 else f'{original.batch} rows'} alone"
                )
            worst = max(worst, difference)
    return worst
