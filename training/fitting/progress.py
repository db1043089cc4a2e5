"""The progress bar of a stage: Lightning's, without what only Lightning's own loggers need."""

from __future__ import annotations

from typing import Any

import lightning
from lightning.pytorch.callbacks import RichProgressBar


class EpochBar(RichProgressBar):
    """A bar that counts epochs from 1, as the log does, and has no version of a logger (`v_num`) beside it."""

    def get_metrics(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> dict[str, Any]:
        """Return the numbers beside the bar."""
        metrics: dict[str, Any] = super().get_metrics(trainer, pl_module)
        metrics.pop("v_num", None)
        return metrics

    def _get_train_description(self, current_epoch: int) -> str:
        """Return the text before the bar. Lightning 2.6 counts from 0; should it rename this method, it will again."""
        return f"epoch {current_epoch + 1}/{self.trainer.max_epochs}"
