"""A file that is measured as a whole: all rows are the test part, and none are split away."""

from __future__ import annotations

import numpy as np

from training.config import DataConfig
from training.data.dataset import DataSet, Split
from training.data.labels import number_labels
from training.data.prepare import check_span, describe_input, gather, unit_and_range
from training.data.source import Source
from training.data.survey import survey_rows


def prepare_whole(name: str, source: Source, config: DataConfig, fill: tuple[float, ...]) -> DataSet:
    """
    Build a data set whose test part is every row of a source; the other parts are empty.

    `fill` has the numbers that a model puts in the place of missing values, one per feature, or none. Raises DataError.
    """
    stated_range = config.value_range or source.value_range
    survey = survey_rows(source, stated_range)
    check_span(source, survey.low.astype(np.float64), survey.high.astype(np.float64))
    low, high = float(survey.low.min()), float(survey.high.max())
    classes, (labels,) = number_labels([source])
    unit, value_range = unit_and_range(source, stated_range, low, high)
    rows = gather(source, labels, np.arange(len(source.samples)), unit)
    if source.missing is not None and fill:
        np.copyto(rows.samples, np.array(fill, np.float32), where=source.missing, casting="unsafe")
    is_found = source.kind == "image" and value_range is None
    if is_found:
        value_range = (low, high if high > low else low + 1)
    nothing = Split(rows.samples[:0], None if labels is None else labels[:0], unit)
    return DataSet(
        name=name,
        input=describe_input(source, value_range, is_found, fill if source.feature_names else ()),
        classes=classes,
        train=nothing,
        validation=nothing,
        test=rows,
        is_whole=True,
    )
