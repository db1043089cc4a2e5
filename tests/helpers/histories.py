"""Loss curves of training runs, compared without the time that each epoch took."""

from __future__ import annotations

from training.fitting.runs import RunRecord

History = dict[str, list[dict[str, float]]]


def history_without_seconds(record: RunRecord) -> History:
    """Return the history of a run without the seconds."""
    return {
        stage: [{key: value for key, value in epoch.items() if key != "seconds"} for epoch in epochs]
        for stage, epochs in record.history.items()
    }
