"""
Stages: what Lightning's Trainer is given. A run is one stage, or for a stacked denoising autoencoder one for each
layer and then the fine-tuning of the whole.

All randomness of a step is drawn from (seed, stage, step), so a run that is resumed equals one that never stopped.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import lightning
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from app.manifest import ValueRange
from training.batches import mixed_seed
from training.config import Config, DenoisingObjective, VariationalObjective
from training.corruption import gaussian_noise
from training.networks import Network, StackedDenoisingAutoencoder

log = logging.getLogger(__name__)

WARMUP = 0.05
"""Share of a stage's steps over which the learning rate rises."""
FINAL_RATE = 0.01
"""Share of the learning rate that the cosine schedule ends at."""
VALIDATION_STREAM = 2**40
"""Added to the batch number in place of a step, so that validation noise is fixed and no training step's."""


@dataclass(frozen=True)
class Plan:
    """Which stage of the run this is, how long it is, and the range of the samples that it is given."""

    name: str
    index: int
    epochs: int
    steps_per_epoch: int
    value_range: ValueRange


class Stage(lightning.LightningModule):
    """A network, some of its parameters to train, and the loss that trains them."""

    def __init__(self, network: Network, config: Config, plan: Plan) -> None:
        super().__init__()
        self.network = network
        self.config = config
        self.plan = plan
        self.history: list[dict[str, float]] = []
        self.seconds = 0.0
        self.device_name = "cpu"
        self._resumed_at = time.monotonic()
        self._sums: dict[str, float] = {}

    def trained(self) -> Iterable[nn.Parameter]:
        """The parameters that this stage trains."""
        return self.network.parameters()

    def terms(self, x: Tensor, generator: torch.Generator, validating: bool) -> dict[str, Tensor]:
        """The loss and its terms on a batch in [0, 1]."""
        raise NotImplementedError

    def training_step(self, samples: Tensor, batch_index: int) -> Tensor:
        """One batch, in the user's units."""
        terms = self.terms(self._to_unit(samples), self._generator(self.global_step), validating=False)
        self._add("train", terms, len(samples))
        return terms["loss"]

    def validation_step(self, samples: Tensor, batch_index: int) -> None:
        """The same objective on held-out rows, with the same noise in every epoch and with beta at its final value."""
        terms = self.terms(self._to_unit(samples), self._generator(VALIDATION_STREAM + batch_index), validating=True)
        self._add("validation", terms, len(samples))

    def on_train_epoch_start(self) -> None:
        """Forget the last epoch's sums, and what the sanity check left."""
        self._sums.clear()

    def on_validation_epoch_end(self) -> None:
        """Log the means; checkpoints and early stopping look at `validation/loss`."""
        self.log_dict(self._means("validation"))

    def on_train_epoch_end(self) -> None:
        """Keep the epoch's means and the time: they travel in the checkpoint, and one line goes to the log."""
        means = self._means("train")
        self.log_dict(means)
        means |= self._means("validation")
        self.seconds, self._resumed_at = self.elapsed(), time.monotonic()
        self.history.append({"epoch": self.current_epoch + 1, "seconds": self.seconds, **means})
        shown = "  ".join(f"{term} {value:.3f}" for term, value in means.items())
        log.info(
            "%s  epoch %d/%d  %s  %.0f s",
            self.plan.name, self.current_epoch + 1, self.plan.epochs, shown, self.seconds,
        )  # fmt: skip

    def elapsed(self) -> float:
        """Seconds of training in this stage, over all resumptions."""
        return self.seconds + time.monotonic() - self._resumed_at

    def on_fit_start(self) -> None:
        """Start the clock, and see what the stage is trained on."""
        self._resumed_at = time.monotonic()
        self.device_name = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "cpu"

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Put the history and the time into the checkpoint."""
        checkpoint["history"], checkpoint["seconds"] = list(self.history), self.elapsed()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take them out again."""
        self.history, self.seconds = checkpoint["history"], checkpoint["seconds"]

    def configure_optimizers(self) -> Any:
        """AdamW, and a learning rate that follows the step, not the epoch."""
        options = self.config.optimisation
        optimiser = torch.optim.AdamW(
            self.trained(), lr=options.learning_rate, weight_decay=options.weight_decay, betas=(0.9, 0.99)
        )
        schedule = LambdaLR(optimiser, self._rate)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _rate(self, step: int) -> float:
        """The factor on the learning rate: a linear rise, then a cosine down to FINAL_RATE or a constant."""
        steps = self.plan.epochs * self.plan.steps_per_epoch
        rise = max(1, round(WARMUP * steps))
        if step < rise:
            return (step + 1) / rise
        if self.config.optimisation.schedule == "constant":
            return 1.0
        progress = min(1.0, (step - rise) / max(1, steps - rise))
        return FINAL_RATE + (1 - FINAL_RATE) * 0.5 * (1 + math.cos(math.pi * progress))

    def _to_unit(self, samples: Tensor) -> Tensor:
        return (samples - self.plan.value_range.low) / self.plan.value_range.span

    def _generator(self, step: int) -> torch.Generator:
        seed = mixed_seed(self.config.optimisation.seed, self.plan.index, step, self.global_rank)
        return torch.Generator(self.device).manual_seed(seed)

    def _add(self, part: str, terms: dict[str, Tensor], rows: int) -> None:
        self._sums[f"{part}/rows"] = self._sums.get(f"{part}/rows", 0) + rows
        for term, value in terms.items():
            key = f"{part}/{term}"
            self._sums[key] = self._sums.get(key, 0.0) + rows * float(value.detach())

    def _means(self, part: str) -> dict[str, float]:
        rows = self._sums.get(f"{part}/rows", 0)
        return {
            key: value / rows
            for key, value in self._sums.items()
            if key.startswith(f"{part}/") and key != f"{part}/rows"
        }


class WholeNetwork(Stage):
    """Train encoder and decoder together on the family's objective."""

    def terms(self, x: Tensor, generator: torch.Generator, validating: bool) -> dict[str, Tensor]:
        """The network's loss; a denoiser is given a noisy x and the clean target."""
        given = x
        if isinstance(self.config.objective, DenoisingObjective):
            given = gaussian_noise(x, self.config.objective.noise_std, generator)
        return self.network.loss(given, target=x, beta=self._beta(validating), generator=generator)

    def _beta(self, validating: bool) -> float:
        objective = self.config.objective
        if not isinstance(objective, VariationalObjective):
            return 0.0
        if validating or not objective.warmup_epochs:
            return objective.beta
        return objective.beta * min(1.0, self.global_step / (objective.warmup_epochs * self.plan.steps_per_epoch))


class LayerPretraining(Stage):
    """Train one layer of a stacked denoising autoencoder to restore the clean code below it."""

    network: StackedDenoisingAutoencoder

    def trained(self) -> Iterable[nn.Parameter]:
        """The parameters of this stage's layer; the index of the stage is the depth of the layer."""
        return self.network.stack.layer(self.plan.index).parameters()

    def terms(self, x: Tensor, generator: torch.Generator, validating: bool) -> dict[str, Tensor]:
        """The layer's own denoising loss."""
        objective = self.config.objective
        assert isinstance(objective, DenoisingObjective)
        noisy = gaussian_noise(x, objective.noise_std, generator)
        return self.network.layer_loss(self.plan.index, x, noisy, objective.pretraining_noise_std, generator)


def stages(network: Network, config: Config, steps_per_epoch: int, value_range: ValueRange) -> list[Stage]:
    """The stages of a run, in order."""
    objective, epochs = config.objective, config.optimisation.epochs
    found: list[Stage] = []
    if isinstance(objective, DenoisingObjective) and objective.pretraining_epochs:
        for depth in range(len(network.stack)):
            name = f"pretrain-layer-{depth + 1}"
            plan = Plan(name, depth, objective.pretraining_epochs, steps_per_epoch, value_range)
            found.append(LayerPretraining(network, config, plan))
    name = "fine-tune" if found else "train"
    found.append(WholeNetwork(network, config, Plan(name, len(found), epochs, steps_per_epoch, value_range)))
    return found
