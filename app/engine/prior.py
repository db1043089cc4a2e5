"""The prior of a model: the distribution of the latents that the task generate decodes."""

from __future__ import annotations

import numpy as np

from app.arrays import Array, Labels, Latents, Rows
from app.engine.graph import Graph
from app.engine.session import TensorSpec, run_graph
from app.manifest import Manifest

MAX_RUN_ROWS = 256
"""The most rows of one run of the graph."""
MAX_RUN_NUMBERS = 2**20
"""The most numbers of the matrices that one run gathers: a mixture multiplies each row's noise by a D x D matrix."""


class Prior:
    """
    A graph that makes latents of standard normal noise or, without one, N(0, I), whose draws are the noise itself.

        noise    (B, manifest.noise_dim)   float32
        labels   (B,)                      int64, indices into manifest.labels; only of a conditional model
        latents  (B, manifest.latent_dim)  float32

    Each row of noise makes one row of latents: draws do not depend on their number.
    """

    def __init__(self, manifest: Manifest, graph: Graph | None) -> None:
        self._dimension = manifest.noise_dim
        self._graph = graph
        self._rows_per_run = max(1, min(MAX_RUN_ROWS, MAX_RUN_NUMBERS // manifest.latent_dim**2))
        if graph:
            labels = [TensorSpec("labels", (), "int64")] if manifest.labels else []
            latents = TensorSpec("latents", (manifest.latent_dim,))
            graph.expect([TensorSpec("noise", (self._dimension,)), *labels], [latents])

    def noise(self, count: int, seed: int, temperature: float = 1.0) -> Array:
        """Return seeded noise, multiplied by the temperature. A larger count leaves the first rows as they were."""
        noise = np.random.default_rng(seed).standard_normal((count, self._dimension), dtype=np.float32)
        return np.float32(temperature) * noise

    def run(self, noise: Array, labels: Labels | None = None) -> Latents:
        """Return the latents that are made of noise. The graph of a conditional model needs a label for each row."""
        if self._graph is None:
            return noise
        inputs: dict[str, Rows] = {"noise": noise} if labels is None else {"noise": noise, "labels": labels}
        return run_graph(self._graph.open(), ("latents",), inputs, self._rows_per_run)[0]
