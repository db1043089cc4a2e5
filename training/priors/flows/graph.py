"""A flow as a network that makes latents of standard normal noise."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from training.priors.flows.fit import Flow
from training.priors.flows.network import FlowNetwork


class FlowGraph(nn.Module):
    """Noise to latents, row by row, without randomness."""

    shift: Tensor
    deviation: Tensor

    def __init__(self, flow: Flow) -> None:
        super().__init__()
        self.network: FlowNetwork = flow.network
        self.register_buffer("shift", torch.from_numpy(flow.scale.shift.astype(np.float32)))
        self.register_buffer("deviation", torch.from_numpy(flow.scale.deviation.astype(np.float32)))

    @property
    def noise_dim(self) -> int:
        """The columns of the noise."""
        return self.network.noise_dim

    def forward(self, noise: Tensor) -> Tensor:
        """Return latents. Shapes: (B, noise_dim) -> (B, D)."""
        codes: Tensor = self.network(noise)
        return self.shift + self.deviation * codes

    def example_inputs(self, rows: int, is_conditional: bool, seed: int) -> dict[str, Tensor]:
        """Return seeded noise by its name. A flow takes no labels."""
        assert not is_conditional
        noise = np.random.default_rng(seed).standard_normal((rows, self.noise_dim), dtype=np.float32)
        return {"noise": torch.from_numpy(noise)}
