"""PCA, and a plain training loop as a competent user writes it."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.decomposition import PCA
from torch import Tensor, nn

Array = npt.NDArray[Any]
PLAIN_BATCH = 128
PLAIN_RATE = 1e-3
VALIDATION_SHARE = 0.1
EXACT_FEATURES = 4096


def pca(train: Array, test: Array, latent_dim: int) -> Array:
    """Return the test rows, flattened, from their first components. Shapes: (N, F), (M, F) -> (M, F)."""
    solver = "covariance_eigh" if train.shape[1] <= EXACT_FEATURES else "randomized"
    fitted = PCA(min(latent_dim, *train.shape), svd_solver=solver, random_state=0).fit(train)
    return np.asarray(fitted.inverse_transform(fitted.transform(test)))


def plain_network(shape: tuple[int, ...], latent_dim: int) -> nn.Module:
    """Build the encoder and the decoder of a tutorial, one after the other."""
    return nn.Sequential(*plain_parts(shape, latent_dim))


def plain_parts(shape: tuple[int, ...], latent_dim: int) -> tuple[nn.Module, nn.Module]:
    """Build what tutorials build: strided convolutions with BatchNorm and ReLU for images, dense layers for tables."""
    if len(shape) == 1:
        sizes = (shape[0], 128, 64)
        dense = [nn.Linear(sizes[0], sizes[1]), nn.ReLU(), nn.Linear(sizes[1], sizes[2]), nn.ReLU()]
        back = [nn.Linear(latent_dim, sizes[2]), nn.ReLU(), nn.Linear(sizes[2], sizes[1]), nn.ReLU()]
        return nn.Sequential(*dense, nn.Linear(sizes[2], latent_dim)), nn.Sequential(
            *back, nn.Linear(sizes[1], sizes[0])
        )
    channels, height, width = shape
    down: list[nn.Module] = []
    for before, after in ((channels, 32), (32, 64), (64, 128)):
        down += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
    small = (128, -(-height // 8), -(-width // 8))
    size = small[0] * small[1] * small[2]
    up: list[nn.Module] = []
    for before, after in ((128, 64), (64, 32)):
        up += [nn.ConvTranspose2d(before, after, 4, stride=2, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
    encoder = nn.Sequential(*down, nn.Flatten(), nn.Linear(size, latent_dim))
    last = nn.ConvTranspose2d(32, channels, 4, stride=2, padding=1)
    return encoder, nn.Sequential(nn.Linear(latent_dim, size), nn.Unflatten(1, small), *up, last)


def plain_loop(train: Array, test: Array, latent_dim: int, seconds: float, seed: int) -> Array:
    """Train with Adam for a time, keep the best epoch by a validation part, and return the test rows reconstructed."""
    torch.manual_seed(seed)
    shape = train.shape[1:]
    network = plain_network(shape, latent_dim)
    optimiser = torch.optim.Adam(network.parameters(), lr=PLAIN_RATE)
    rows = torch.from_numpy(train)[torch.randperm(len(train))]
    held_out = max(1, round(VALIDATION_SHARE * len(rows)))
    validation, rows = rows[:held_out], rows[held_out:]
    best, weights = float("inf"), network.state_dict()
    end = time.process_time() + seconds
    while time.process_time() < end:
        network.train()
        for chosen in torch.split(torch.randperm(len(rows)), PLAIN_BATCH):
            if len(chosen) == 1 and len(rows) > 1:
                continue  # a single row has no variance for BatchNorm
            optimiser.zero_grad()
            loss = nn.functional.mse_loss(reconstruct(network, rows[chosen]), rows[chosen])
            torch.autograd.backward(loss)
            optimiser.step()
        error = float(nn.functional.mse_loss(evaluated(network, validation), validation))
        if error < best:
            best, weights = error, {name: value.clone() for name, value in network.state_dict().items()}
    network.load_state_dict(weights)
    return np.asarray(evaluated(network, torch.from_numpy(test)).numpy())


def reconstruct(network: nn.Module, x: Tensor) -> Tensor:
    """Apply the network and crop odd sizes. Shapes: (B, *shape) -> (B, *shape)."""
    output: Tensor = network(x)
    return output if x.ndim == 2 else output[..., : x.shape[2], : x.shape[3]]


def evaluated(network: nn.Module, x: Tensor) -> Tensor:
    """Return reconstructions without gradients, with BatchNorm's stored statistics."""
    network.eval()
    with torch.no_grad():
        return torch.cat([reconstruct(network, rows) for rows in torch.split(x, 512)])
