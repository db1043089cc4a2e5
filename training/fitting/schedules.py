"""Numbers that change from step to step: the learning rate and the weight of the KL term."""

from __future__ import annotations

import math
from typing import Literal

from training.config import VariationalObjective

WARMUP_SHARE = 0.05
"""Share of a stage's steps over which the learning rate rises."""
FINAL_RATE = 0.01
"""Factor on the learning rate at the end of the cosine schedule."""


def learning_rate_factor(step: int, steps: int, schedule: Literal["cosine", "constant"]) -> float:
    """Return the factor at a step, counted from 0: a linear rise, then a constant or half a cosine."""
    rise = max(1, round(WARMUP_SHARE * steps))
    if step < rise:
        return (step + 1) / rise
    if schedule == "constant":
        return 1.0
    progress = min(1.0, (step - rise) / max(1, steps - rise))
    return FINAL_RATE + (1 - FINAL_RATE) * 0.5 * (1 + math.cos(math.pi * progress))


def kl_weight(step: int, steps_per_epoch: int, objective: VariationalObjective) -> float:
    """Return the weight of the KL term at a step, from 0: a linear rise to beta over the warm-up epochs."""
    if not objective.warmup_epochs:
        return objective.beta
    return objective.beta * min(1.0, step / (objective.warmup_epochs * steps_per_epoch))
