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
from training.config import Config, DenoisingObjective, VariationalObjective
from training.errors import InvalidConfiguration
from training.fitting.batches import Batches, mixed_seed
from training.fitting.corruption import binarise, corrupt
from training.fitting.draws import Draws
from training.fitting.ranks import Share, sum_over_ranks
from training.networks import Example, Network, StackedDenoisingAutoencoder
from training.preprocessing import Preprocessing

log = logging.getLogger(__name__)

WARMUP = 0.05
"""Share of a stage's steps over which the learning rate rises."""
FINAL_RATE = 0.01
"""Share of the learning rate that the cosine schedule ends at."""
VALIDATION_STREAM = 2**40
"""Added to the batch number in place of a step, so that validation noise is fixed and no training step's."""


@dataclass(frozen=True)
class Plan:
    """Which stage of the run this is, and how long."""

    name: str
    index: int
    epochs: int
    steps_per_epoch: int
    value_range: ValueRange | None
    """Of the samples; noise is measured in its span where there is one."""


class Stage(lightning.LightningModule):
    """A network, some of its parameters to train, and the loss that trains them."""

    def __init__(self, network: Network, preprocessing: Preprocessing, config: Config, plan: Plan) -> None:
        super().__init__()
        self.network = network
        self.preprocessing = preprocessing
        self.config = config
        self.plan = plan
        self.history: list[dict[str, float]] = []
        self.seconds = 0.0
        self.device_name = "cpu"
        self._resumed_at = time.monotonic()
        self._rows: dict[str, list[int]] = {}
        self._values: dict[str, list[Tensor]] = {}

    def trained(self) -> Iterable[nn.Parameter]:
        """The parameters that this stage trains."""
        return self.network.parameters()

    def terms(self, samples: Tensor, labels: Tensor, draws: Draws, validating: bool) -> dict[str, Tensor]:
        """The loss and its terms on a batch, in the user's units."""
        raise NotImplementedError

    def training_step(self, batch: tuple[Tensor, Tensor], batch_index: int) -> Tensor:
        """One batch, or this process's share of it: samples in the user's units, and labels."""
        samples, labels = batch
        share = self._share(self.trainer.train_dataloader, batch_index)
        terms = self.terms(samples, labels, self._draws(self.global_step, share), validating=False)
        self._add("train", terms, share.rows)
        return terms["loss"] * share.weight

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_index: int) -> None:
        """The same objective on held-out rows, with the same noise in every epoch and with beta at its final value."""
        samples, labels = batch
        share = self._share(self.trainer.val_dataloaders, batch_index)
        draws = self._draws(VALIDATION_STREAM + batch_index, share)
        self._add("validation", self.terms(samples, labels, draws, validating=True), share.rows)

    def on_train_epoch_start(self) -> None:
        """Forget the last epoch's sums, and what the sanity check left."""
        self._rows.clear()
        self._values.clear()

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

    @staticmethod
    def _share(loader: Batches | None, batch_index: int) -> Share:
        assert loader is not None
        return loader.share(batch_index)

    def _draws(self, step: int, share: Share) -> Draws:
        seed = mixed_seed(self.config.optimisation.seed, self.plan.index, step)
        return Draws(seed, self.device, share)

    def _add(self, part: str, terms: dict[str, Tensor], rows: int) -> None:
        """Keep the terms as they lie on the device: reading them would make every step wait for it."""
        self._rows.setdefault(part, []).append(rows)
        for term, value in terms.items():
            self._values.setdefault(f"{part}/{term}", []).append(value.detach())

    def _means(self, part: str) -> dict[str, float]:
        """Over all rows of the epoch so far, of all processes."""
        rows = torch.tensor(self._rows[part], dtype=torch.float64)
        values = {
            key: torch.stack(steps).cpu().double() for key, steps in self._values.items() if key.startswith(f"{part}/")
        }
        total, *sums = sum_over_ranks([rows.sum(), *((rows * steps).sum() for steps in values.values())])
        return {key: float(mean / total) for key, mean in zip(values, sums, strict=True)}

    def _noisy(self, samples: Tensor, draws: Draws) -> Tensor:
        """A corrupted batch, preprocessed; of a table without a value range, corrupted after its preprocessing."""
        objective, value_range = self.config.objective, self.plan.value_range
        assert isinstance(objective, DenoisingObjective)
        if value_range is None:
            return corrupt(self.preprocessing(samples), objective.noise, objective.interval, False, draws)
        unit = (samples - value_range.low) / value_range.span
        noisy = corrupt(unit, objective.noise, objective.interval, True, draws)
        given: Tensor = self.preprocessing(value_range.low + value_range.span * noisy)
        return given


class WholeNetwork(Stage):
    """Train encoder and decoder together on the family's objective."""

    def on_fit_start(self) -> None:
        """Say what beta weighs: the same number means hundreds of times more where a loss is a mean over pixels."""
        super().on_fit_start()
        objective = self.config.objective
        if isinstance(objective, VariationalObjective):
            log.info("the loss is in nats per sample, summed over numbers and latents; beta is %g", objective.beta)

    def terms(self, samples: Tensor, labels: Tensor, draws: Draws, validating: bool) -> dict[str, Tensor]:
        """The network's loss; a denoiser is given a noisy x and the clean target."""
        objective, x = self.config.objective, self.preprocessing(samples)
        if isinstance(objective, VariationalObjective):
            x = binarise(x, objective.binarisation, draws)
        given = self._noisy(samples, draws) if isinstance(objective, DenoisingObjective) else x
        return self.network.loss(Example(given, x, labels), draws, self._beta(validating))

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
        """This stage's layer, whose depth is the stage's index; the likelihood belongs to the outermost."""
        yield from self.network.stack.layer(self.plan.index).parameters()
        if self.plan.index == 0:
            yield from self.network.likelihood.parameters()

    def terms(self, samples: Tensor, labels: Tensor, draws: Draws, validating: bool) -> dict[str, Tensor]:
        """The layer's own denoising loss."""
        objective = self.config.objective
        assert isinstance(objective, DenoisingObjective)
        x, noisy = self.preprocessing(samples), self._noisy(samples, draws)
        return self.network.layer_loss(self.plan.index, x, noisy, objective.pretraining_noise_std, draws)


def stages(
    network: Network,
    preprocessing: Preprocessing,
    config: Config,
    steps_per_epoch: int,
    value_range: ValueRange | None,
) -> list[Stage]:
    """The stages of a run, in order. Raises InvalidConfiguration where the data do not allow the noise."""
    objective, epochs = config.objective, config.optimisation.epochs
    found: list[Stage] = []
    if isinstance(objective, DenoisingObjective):
        if objective.noise == "salt-and-pepper" and value_range is None:
            raise InvalidConfiguration(
                "objective.noise: salt-and-pepper sets numbers to the ends of the value range, and these data have "
                "none; use gaussian or masking, or set data.value_range"
            )
        for depth in range(len(network.stack) if objective.pretraining_epochs else 0):
            name = f"pretrain-layer-{depth + 1}"
            plan = Plan(name, depth, objective.pretraining_epochs, steps_per_epoch, value_range)
            found.append(LayerPretraining(network, preprocessing, config, plan))
    name = "fine-tune" if found else "train"
    plan = Plan(name, len(found), epochs, steps_per_epoch, value_range)
    found.append(WholeNetwork(network, preprocessing, config, plan))
    return found
