"""The stage that trains the denoiser, after the stages of the stack, whose reconstructions it sees."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from training.choices.budget import choose_passes, denoiser_rows
from training.config import Config, DenoisingObjective, settled
from training.data.dataset import DataSet
from training.fitting.batches import Batches
from training.fitting.corruption import TrainingNoise
from training.fitting.draws import Draws
from training.fitting.ranks import world
from training.fitting.stages import Stage, StagePlan
from training.networks.base import Network
from training.networks.likelihoods import Bernoulli
from training.preprocessing import Preprocessor

MAX_PASSES = 1_000
"""The most passes over few rows. Its noise is new in each pass; if it learns their details, patience ends it."""
PATIENCE_SHARE = 0.25
"""Share of the stage's epochs without an improvement after which it stops."""
LEVEL_POWER = 2.0
"""Small levels are the likelier ones: of an interval from 0 to 0.5, a third of the samples get a level below 0.05."""


class DenoiserTraining(Stage):
    """A stage that trains the denoiser to return the clean samples for noise from none to the objective's most."""

    def trained_parameters(self) -> Iterable[nn.Parameter]:
        """Return the denoiser's parameters."""
        assert self.network.denoiser is not None
        return self.network.denoiser.parameters()

    def terms(self, samples: Tensor, labels: Tensor, draws: Draws, validating: bool) -> dict[str, Tensor]:
        """Return the denoiser's loss."""
        objective, denoiser = self.config.objective, self.network.denoiser
        assert isinstance(objective, DenoisingObjective)
        assert denoiser is not None
        interval = 0.0, objective.interval[1]
        noise = TrainingNoise(objective.noise, interval, self.plan.value_range, LEVEL_POWER)
        noisy = noise.add(samples, self.preprocessing, draws)
        with torch.no_grad():  # the stack is finished
            guide = self.network.reconstruct(noisy)
        crowded = isinstance(self.network.likelihood, Bernoulli)
        return denoiser.loss(noisy, guide, self.preprocessing(samples), self._bounds(samples), crowded)

    def _bounds(self, samples: Tensor) -> tuple[Tensor, Tensor] | None:
        """Return the ends of the value range, preprocessed, if there is one. Shapes: (*shape) each."""
        value_range = self.plan.value_range
        if value_range is None:
            return None
        low, high = (torch.full_like(samples[:1], end) for end in (value_range.low, value_range.high))
        return self.preprocessing(low)[0], self.preprocessing(high)[0]


def plan_denoiser(
    network: Network, preprocessing: Preprocessor, config: Config, data: DataSet, index: int
) -> list[Stage]:
    """Return the stage of the denoiser at its place in the run, or no stage if the network has no denoiser."""
    objective, options = config.objective, config.optimisation
    if network.denoiser is None or not isinstance(objective, DenoisingObjective):
        return []
    rows = max(1, denoiser_rows(tuple(data.input.shape), settled(options.batch_size) * world()) // world())
    steps_per_pass = len(Batches(data.train, rows, seed=None, world=world()))
    passes = choose_passes(len(data.train), rows * world())
    steps_per_epoch = passes * steps_per_pass
    epochs = min(MAX_PASSES // passes, -(-settled(objective.denoiser_steps) // steps_per_epoch))
    patience = max(settled(options.patience), round(PATIENCE_SHARE * epochs))
    own = options.model_copy(update={"batch_size": rows, "passes": passes, "patience": patience})
    plan = StagePlan("denoiser", index, epochs, steps_per_epoch, data.input.value_range)
    return [DenoiserTraining(network, preprocessing, config.model_copy(update={"optimisation": own}), plan)]
