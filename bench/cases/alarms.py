"""Alarms about a run: none for variational networks that rightly leave latents unused, one for runs cut short."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from bench.cases.case import Case
from bench.cases.programs import train

CONFIG = """
name: t
description: A table of a few factors.
network: {{architecture: dense, latent_dim: {latents}, widths: [32], shortcut: false}}
objective: {{family: {family}, warmup_epochs: 5}}
optimisation: {{epochs: {epochs}, batch_size: 32, learning_rate: 0.01, ema_decay: 0.9}}
"""
CALM = r"^exit 0(?!.*(does not beat|collapsed)).*models/t/1"
ALARMED = r"^exit 0.*the network does not beat"


def factors(
    count: int, columns: int, *, latents: int = 4, noise: float = 0.1, epochs: int = 60, seed: int = 0
) -> Callable[[Path], str]:
    """Return a trial with 400 rows of normal factors times a fixed matrix, plus noise; the last column is noise."""

    def trial(scratch: Path) -> str:
        draws = np.random.default_rng(seed)
        weights = draws.choice([-1, 1], (count, columns)) * draws.uniform(0.5, 1, (count, columns))
        weights[:, -1] = 0.03
        rows = draws.normal(size=(400, count)) @ weights + noise * draws.normal(size=(400, columns))
        header = ",".join(f"c{column}" for column in range(columns))
        np.savetxt(scratch / "t.csv", rows, "%.5f", ",", header=header, comments="")
        config = CONFIG.format(latents=latents, epochs=epochs, family="variational-autoencoder")
        (scratch / "c.yaml").write_text(config)
        return train(
            scratch, "c.yaml", "--data", "t.csv", "--models-dir", "models", "--epochs", str(epochs), "--run-dir", "run"
        )

    return trial


CASES = [
    Case("15.1", "2 factors in 5 columns, 4 latents", factors(2, 5), CALM),
    Case("15.2", "3 factors in 8 columns, 6 latents", factors(3, 8, latents=6), CALM),
    Case("15.3", "2 factors in 6 columns, more noise", factors(2, 6, noise=0.2, seed=1), CALM),
    Case("15.4", "15.1, cut short after 3 epochs", factors(2, 5, epochs=3), ALARMED),
]
