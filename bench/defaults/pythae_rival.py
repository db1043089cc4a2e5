"""
Train pythae's autoencoder for a time and write the test rows as it reconstructs them.

    PYTHON -m bench.defaults.pythae_rival train.npy test.npy output.npy LATENTS SECONDS SEED

PYTHON is that of an environment with bench/requirements/pythae.txt. The network is that of the plain loop: pythae's own
one is dense, and no user would take it for images. Optimiser, batches, the loss and the choice of the epoch are
pythae's; the learning rate is the plain loop's.
"""

from __future__ import annotations

import sys
import tempfile
import time

import numpy as np
import torch
from pythae.data.datasets import BaseDataset
from pythae.models import AE, AEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from pythae.trainers.training_callbacks import TrainingCallback

from bench.defaults.rivals import PLAIN_RATE, VALIDATION_SHARE, plain_parts

MAX_EPOCHS = 10**6


class TimeIsUp(Exception):
    """The end of the time, at the end of an epoch."""


class Deadline(TrainingCallback):
    """Ends the training at a CPU time of this process."""

    def __init__(self, end: float) -> None:
        self.end = end

    def on_epoch_end(self, training_config: BaseTrainerConfig, **options: object) -> None:
        """Raise TimeIsUp if it is."""
        if time.process_time() >= self.end:
            raise TimeIsUp


class Encoder(BaseEncoder):
    """The plain loop's encoder."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> ModelOutput:
        """Return the latents."""
        return ModelOutput(embedding=self.network(x))


class Decoder(BaseDecoder):
    """The plain loop's decoder, cropped to the size of the samples."""

    def __init__(self, network: torch.nn.Module, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.network, self.shape = network, shape

    def forward(self, z: torch.Tensor) -> ModelOutput:
        """Return the reconstructions."""
        output = self.network(z)
        return ModelOutput(reconstruction=output if output.ndim == 2 else output[..., : self.shape[1], : self.shape[2]])


def main() -> None:
    """Train, reconstruct and write."""
    train_path, test_path, output_path = sys.argv[1:4]
    latent_dim, seconds, seed = int(sys.argv[4]), float(sys.argv[5]), int(sys.argv[6])
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    train, test = (torch.from_numpy(np.load(path)) for path in (train_path, test_path))
    rows = train[torch.randperm(len(train))]
    held_out = max(1, round(VALIDATION_SHARE * len(rows)))
    shape = tuple(train.shape[1:])
    encoder, decoder = plain_parts(shape, latent_dim)
    model = AE(AEConfig(input_dim=shape, latent_dim=latent_dim), Encoder(encoder), Decoder(decoder, shape))
    with tempfile.TemporaryDirectory() as folder:
        options = BaseTrainerConfig(
            output_dir=folder, num_epochs=MAX_EPOCHS, learning_rate=PLAIN_RATE, seed=seed, no_cuda=True
        )
        parts = [BaseDataset(part, torch.ones(len(part))) for part in (rows[held_out:], rows[:held_out])]
        trainer = BaseTrainer(model, *parts, options, callbacks=[Deadline(time.process_time() + seconds)])
        try:
            trainer.train()
        except TimeIsUp:
            model = trainer._best_model
    model.eval()
    with torch.no_grad():
        answer = torch.cat([model({"data": part}).recon_x for part in torch.split(test, 512)])
    np.save(output_path, answer.reshape(len(test), -1).numpy(), allow_pickle=False)


if __name__ == "__main__":
    main()
