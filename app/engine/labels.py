"""Labels of a conditional model: from the name that a client gives to the numbers that the decoder takes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from app.errors import InvalidParameter
from app.manifest import Manifest

Labels = npt.NDArray[np.int64]

LISTED = 20
"""Labels that an error names; of more, the first ones."""


def label_rows(manifest: Manifest, label: str | None, rows: int) -> Labels | None:
    """
    The number of a label, once a row; None of a model without labels. Shape: (rows,)

    Raises InvalidParameter where a conditional model gets no label or an unknown one, and where another gets one.
    """
    known, name = manifest.labels, manifest.name
    if not known:
        if label is None:
            return None
        raise InvalidParameter(f"the model {name!r} is not conditional: expected no label, got {label!r:.60}")
    if label not in known:
        names = ", ".join(known[:LISTED]) + (f", … ({len(known)} in all)" if len(known) > LISTED else "")
        got = "" if label is None else f", got {label!r:.60}"
        raise InvalidParameter(f"the model {name!r} is conditional: expected label to be one of {names}{got}")
    return np.full(rows, known.index(label), np.int64)


def check_labels(manifest: Manifest, labels: Labels | None, rows: int) -> Labels | None:
    """
    The labels as int64; None of a model without labels. Shape: (rows,)

    Raises InvalidParameter unless there is one for each row, or none where the model takes none.
    """
    known = len(manifest.labels)
    if labels is None and not known:
        return None
    if labels is None or not known:
        expected, got = ("one label a row", "none") if known else ("no labels", "some")
        raise InvalidParameter(f"the model {manifest.name!r} has {known} labels: expected {expected}, got {got}")
    if labels.shape != (rows,) or labels.dtype.kind not in "iu":
        raise InvalidParameter(f"labels: expected {rows} integers, got {labels.dtype} of shape {list(labels.shape)}")
    if labels.min() < 0 or labels.max() >= known:
        raise InvalidParameter(f"labels: expected 0 to {known - 1}, got {labels.min()} to {labels.max()}")
    return labels.astype(np.int64)
