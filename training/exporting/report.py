"""Which pictures a model's report has, and of which samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from app.engine.autoencoder import Autoencoder
from app.manifest import FIGURES, ImageInput, Measurement
from training.data import DataSet, Split
from training.evaluation import NOISE_SEED, encode, reconstruct, to_unit, to_x
from training.evaluation.baselines import LinearAutoencoder
from training.exporting.figures import (
    COLUMNS,
    denoising_curves,
    latent_scatter,
    loss_curves,
    picture_grid,
    picture_rows,
    table_heatmap,
)

Array = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]

GENERATED = 64
MANIFOLD_SIDE = 20
MANIFOLD_EDGE = 0.02
"""The manifold spans the prior's quantiles from this one to its mirror."""
POINTS = 10_000
"""Test samples in the scatter; of more, a seeded choice."""
PLANE_ROWS = 20_000
"""Training samples that the axes of the scatter are fitted on."""


def draw_report(
    model: Autoencoder,
    data: DataSet,
    history: Mapping[str, Sequence[Mapping[str, float]]],
    metrics: Sequence[Measurement],
    folder: Path,
) -> dict[str, npt.NDArray[np.generic]]:
    """
    All figures that fit the model, into `folder/figures`; gives the arrays of latent_map.npz.

    Test rows are shown, since pictures of training rows would flatter the model.
    """
    figures = folder / FIGURES
    figures.mkdir(exist_ok=True)
    if history:
        loss_curves(history, figures / "loss.png")
    shown = data.test.take(_one_of_each(data.test))
    if isinstance(model.manifest.input, ImageInput):
        amounts = [m.values["noise_amount"] for m in metrics if "noise_amount" in m.values]
        _draw_images(model, data, shown, max(amounts, default=0.5), figures)
    else:
        samples = data.test.take(slice(4 * COLUMNS)).in_users_units()
        back = reconstruct(model, data, data.test.take(slice(4 * COLUMNS)))
        table_heatmap(to_x(samples, model.manifest), to_x(back, model.manifest), figures / "reconstructions.png")
    denoising_curves(metrics, figures / "denoising_levels.png")
    points = _some(data.test)
    plane, axis_names = latent_plane(model, data, points)
    latent_scatter(plane, points.labels, data.classes, axis_names, figures / "latents.png")
    coordinates: dict[str, npt.NDArray[np.generic]] = {"coordinates": plane.astype(np.float16)}
    if points.labels is not None:
        coordinates["labels"] = points.labels.astype(np.min_scalar_type(len(data.classes)))
    return coordinates


def _draw_images(model: Autoencoder, data: DataSet, shown: Split, noise: float, figures: Path) -> None:
    value_range = model.manifest.input.value_range
    assert value_range is not None

    def unit(samples: Array) -> Array:
        return to_unit(samples, value_range)

    samples = shown.in_users_units()
    back = reconstruct(model, data, shown)
    picture_rows({"input": unit(samples), "reconstruction": unit(back)}, figures / "reconstructions.png")
    if "denoise" in model.manifest.tasks:
        noisy = model.corrupt(samples, "gaussian", noise, NOISE_SEED)
        rows = {"clean": samples, f"noisy, std {noise:g}": noisy, "denoised": model.denoise(noisy)}
        picture_rows({name: unit(row) for name, row in rows.items()}, figures / "denoising.png")
    if "generate" in model.manifest.tasks:
        drawn, columns, title = generated(model)
        picture_grid(unit(drawn), columns, figures / "samples.png", title)
        if model.manifest.latent_dim == 2:
            told = model.manifest.labels[0] if model.manifest.labels else None
            grid = model.decode(prior_grid(MANIFOLD_SIDE), told)
            title = "decoded latent plane, at the prior's quantiles" + (f", label {told}" if told else "")
            picture_grid(unit(grid), MANIFOLD_SIDE, figures / "manifold.png", title)


def generated(model: Autoencoder) -> tuple[Array, int, str]:
    """Draws of the prior, how many columns they are shown in, and the title; for each label a row, where there are."""
    labels = model.manifest.labels[:COLUMNS]
    if not labels:
        return model.generate(GENERATED, seed=0), 8, "decoded draws of the prior"
    rows = [model.generate(8, seed=0, label=label) for label in labels]
    return np.concatenate(rows), 8, f"decoded draws of the prior, a row a label: {', '.join(labels)}"


def latent_plane(model: Autoencoder, data: DataSet, points: Split) -> tuple[Array, str]:
    """2-D coordinates of samples' latents and their name: the latents themselves, or their first two PCA axes."""
    latents = encode(model, points)
    if latents.shape[1] == 2:
        return latents, "latent dimension"
    if latents.shape[1] == 1:
        return np.concatenate([latents, np.zeros_like(latents)], axis=1), "latent dimension"
    train = encode(model, data.train.take(slice(PLANE_ROWS)))
    return LinearAutoencoder.fit(train, 2).encode(latents), f"principal axis of the {latents.shape[1]} latents"


def prior_grid(side: int) -> Array:
    """Points of the latent plane at evenly spaced quantiles of N(0, I), top row first. Shape: (side * side, 2)"""
    normal = NormalDist()
    quantiles = [normal.inv_cdf(q) for q in np.linspace(MANIFOLD_EDGE, 1 - MANIFOLD_EDGE, side)]
    return np.array([(x, y) for y in reversed(quantiles) for x in quantiles], np.float32)


def _some(split: Split) -> Split:
    if len(split) <= POINTS:
        return split
    return split.take(np.sort(np.random.default_rng(0).permutation(len(split))[:POINTS]))


def _one_of_each(split: Split) -> Labels:
    """Row numbers for a picture: the first of each label, then the next ones; without labels, evenly spaced rows."""
    if split.labels is None:
        return np.unique(np.linspace(0, len(split) - 1, COLUMNS).round().astype(np.int64))
    nth = np.zeros(len(split), np.int64)
    for label in np.unique(split.labels):
        rows = np.flatnonzero(split.labels == label)
        nth[rows] = np.arange(len(rows))
    return np.sort(np.lexsort((split.labels, nth))[:COLUMNS])
