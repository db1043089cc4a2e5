"""The stages that train encoder and decoder: layer by layer, and together."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from torch import Tensor, nn

from app.inputs import ValueRange
from training.config import Config, DenoisingObjective, VariationalObjective, settled
from training.errors import InvalidConfiguration
from training.fitting.corruption import binarise
from training.fitting.draws import Draws
from training.fitting.neighbours import keeps_neighbours
from training.fitting.schedules import kl_weight
from training.fitting.stages import Stage, StagePlan
from training.networks.base import Example, Network
from training.networks.stacked_denoising import StackedDenoisingAutoencoder
from training.preprocessing import Preprocessor

log = logging.getLogger(__name__)


class WholeNetwork(Stage):
    """The stage that trains encoder and decoder together on the family's objective."""

    @property
    def criterion(self) -> str:
        """Return the network's own criterion."""
        return f"validation/{self.network.criterion}"

    @property
    def warmup_epochs(self) -> int:
        """Return the epochs over which the weight of the KL term rises."""
        objective = self.config.objective
        return objective.warmup_epochs if isinstance(objective, VariationalObjective) else 0

    def on_fit_start(self) -> None:
        """Log the unit of the loss. Where a loss is a mean over pixels, the same beta weighs hundreds of times more."""
        super().on_fit_start()
        if isinstance(objective := self.config.objective, VariationalObjective):
            log.info("the loss is in nats per sample, summed over numbers and latents; beta is %g", objective.beta)

    def terms(self, samples: Tensor, labels: Tensor, draws: Draws, validating: bool) -> dict[str, Tensor]:
        """Return the network's loss. A denoiser gets a noisy x and the clean target."""
        objective, target = self.config.objective, self.preprocessing(samples)
        if isinstance(objective, VariationalObjective):
            target = binarise(target, objective.binarisation, draws)
        x = self._noisy(samples, draws) if isinstance(objective, DenoisingObjective) else target
        example = Example(x, target, labels, paired=keeps_neighbours(self.config) and not validating)
        return self.network.loss(example, draws, self.beta(validating))

    def beta(self, validating: bool) -> float:
        """Return the weight of the KL term at this step; 0 if the network is not variational."""
        objective = self.config.objective
        if not isinstance(objective, VariationalObjective):
            return 0.0
        return objective.beta if validating else kl_weight(self.global_step, self.plan.steps_per_epoch, objective)


class LayerPretraining(Stage):
    """A stage that trains one layer of a stacked denoising autoencoder to restore its clean input from a noisy one."""

    network: StackedDenoisingAutoencoder

    def trained_parameters(self) -> Iterable[nn.Parameter]:
        """Yield the layer's parameters. The layer's depth is the stage's index; the outermost has the likelihood."""
        yield from self.network.stack.layer(self.plan.index).parameters()
        if self.plan.index == 0:
            yield from self.network.likelihood.parameters()

    def terms(self, samples: Tensor, labels: Tensor, draws: Draws, validating: bool) -> dict[str, Tensor]:
        """Return the layer's denoising loss."""
        objective = self.config.objective
        assert isinstance(objective, DenoisingObjective)
        x, noisy = self.preprocessing(samples), self._noisy(samples, draws)
        return self.network.layer_loss(self.plan.index, x, noisy, objective.pretraining_noise_std, draws)


def plan_stages(
    network: Network,
    preprocessing: Preprocessor,
    config: Config,
    steps_per_epoch: int,
    value_range: ValueRange | None,
) -> list[Stage]:
    """Return the stages of a run, in order. Raises InvalidConfiguration if the data do not allow the noise."""
    objective, epochs = config.objective, settled(config.optimisation.epochs)
    stages: list[Stage] = []
    if isinstance(objective, DenoisingObjective):
        if objective.noise == "salt-and-pepper" and value_range is None:
            raise InvalidConfiguration(
                "objective.noise: salt-and-pepper sets numbers to the ends of the value range, and these data have "
                "none; use gaussian or masking, or set data.value_range"
            )
        for depth in range(len(network.stack) if objective.pretraining_epochs else 0):
            name = f"pretrain-layer-{depth + 1}"
            plan = StagePlan(name, depth, objective.pretraining_epochs, steps_per_epoch, value_range)
            stages.append(LayerPretraining(network, preprocessing, config, plan))
    plan = StagePlan("fine-tune" if stages else "train", len(stages), epochs, steps_per_epoch, value_range)
    stages.append(WholeNetwork(network, preprocessing, config, plan))
    return stages
