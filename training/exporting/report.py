"""Choose the figures of a model's report and their samples; `figures` draws them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import NormalDist

import numpy as np

from app.arrays import Array, Labels, Latents, Rows, Samples
from app.engine.autoencoder import Autoencoder
from app.inputs import ImageInput
from app.manifest import FIGURES, Measurement
from training.data.dataset import DataSet, Split
from training.evaluation.baselines import LinearAutoencoder
from training.evaluation.evaluate import encode, reconstruct
from training.evaluation.measures.denoising import NOISE_SEED
from training.evaluation.units import to_unit, to_x
from training.exporting.figures import (
    COLUMNS,
    denoising_curves,
    latent_scatter,
    loss_curves,
    picture_grid,
    picture_rows,
    table_heatmap,
)

GENERATED_COUNT, GENERATED_COLUMNS = 64, 8
MANIFOLD_SIDE = 20
"""Samples per row and per column of the latent plane."""
MANIFOLD_EDGE = 0.02
"""The manifold spans the prior's quantiles from this one to 1 minus this one."""
MAX_SCATTER_POINTS = 10_000
"""Test samples in the scatter; of a larger test part, a seeded choice."""
MAX_PLANE_ROWS = 20_000
"""Training samples that the axes of the scatter are fitted on."""


def draw_report(
    model: Autoencoder,
    data: DataSet,
    history: Mapping[str, Sequence[Mapping[str, float]]],
    metrics: Sequence[Measurement],
    folder: Path,
) -> dict[str, Rows]:
    """
    Draw all figures that fit the model into `folder/figures`, and return the arrays of latent_map.npz.

    The figures show test rows: training rows would flatter the model.
    """
    figures = folder / FIGURES
    figures.mkdir(exist_ok=True)
    if history:
        loss_curves(history, figures / "loss.png")
    shown = data.test.take(choose_rows(data.test))
    if isinstance(model.manifest.input, ImageInput):
        amounts = [m.values["noise_amount"] for m in metrics if "noise_amount" in m.values]
        _draw_images(model, data, shown, max(amounts, default=0.5), figures)
    else:
        rows = data.test.take(slice(4 * COLUMNS))
        samples, reconstructed = rows.in_users_units(), reconstruct(model, data, rows)
        x, output = to_x(samples, model.manifest), to_x(reconstructed, model.manifest)
        table_heatmap(x.reshape(len(x), -1), output.reshape(len(x), -1), figures / "reconstructions.png")
    denoising_curves(metrics, figures / "denoising_levels.png")
    points = _choose_points(data.test)
    plane, axis_names = latent_plane(model, data, points)
    latent_scatter(plane, points.labels, data.classes, axis_names, figures / "latents.png")
    latent_map: dict[str, Rows] = {"coordinates": plane.astype(np.float16)}
    if points.labels is not None:
        latent_map["labels"] = points.labels.astype(np.min_scalar_type(len(data.classes)))
    return latent_map


def _draw_images(model: Autoencoder, data: DataSet, shown: Split, noise: float, figures: Path) -> None:
    value_range = model.manifest.input.value_range
    assert value_range is not None

    def unit(samples: Samples) -> Array:
        return to_unit(samples, value_range)

    samples = shown.in_users_units()
    reconstructed = reconstruct(model, data, shown)
    picture_rows({"input": unit(samples), "reconstruction": unit(reconstructed)}, figures / "reconstructions.png")
    if "denoise" in model.manifest.tasks:
        noisy = model.corrupt(samples, "gaussian", noise, NOISE_SEED)
        rows = {"clean": samples, f"noisy, std {noise:g}": noisy, "denoised": model.denoise(noisy)}
        picture_rows({name: unit(row) for name, row in rows.items()}, figures / "denoising.png")
    draw_samples(model, figures)


def draw_samples(model: Autoencoder, figures: Path) -> None:
    """Draw decoded samples of the prior and, of two latents, their plane, if the model generates images."""
    value_range = model.manifest.input.value_range
    if "generate" not in model.manifest.tasks or not isinstance(model.manifest.input, ImageInput) or not value_range:
        return
    generated, title = generate(model)
    picture_grid(to_unit(generated, value_range), GENERATED_COLUMNS, figures / "samples.png", title)
    if model.manifest.latent_dim == 2 and model.manifest.latent.kind == "gaussian":
        label = model.manifest.labels[0] if model.manifest.labels else None
        grid = model.decode(prior_grid(MANIFOLD_SIDE), label)
        title = "decoded latent plane, at the quantiles of N(0, I)" + (f", label {label}" if label else "")
        picture_grid(to_unit(grid, value_range), MANIFOLD_SIDE, figures / "manifold.png", title)


def generate(model: Autoencoder) -> tuple[Samples, str]:
    """Return decoded samples of the prior and the figure's title; a conditional model fills one row per label."""
    labels = model.manifest.labels[:COLUMNS]
    if not labels:
        return model.generate(GENERATED_COUNT, seed=0), "decoded samples of the prior"
    rows = [model.generate(GENERATED_COLUMNS, seed=0, label=label) for label in labels]
    return np.concatenate(rows), f"decoded samples of the prior, one row per label: {', '.join(labels)}"


def latent_plane(model: Autoencoder, data: DataSet, points: Split) -> tuple[Array, str]:
    """Return 2-D coordinates of samples and the name of an axis: two latents, or the first two PCA axes of more."""
    latents = encode(model, data, points)
    if latents.shape[1] == 2:
        return latents, "latent dimension"
    if latents.shape[1] == 1:
        return np.concatenate([latents, np.zeros_like(latents)], axis=1), "latent dimension"
    train = encode(model, data, (data.train if len(data.train) else points).take(slice(MAX_PLANE_ROWS)))
    plane = LinearAutoencoder.fit(train, 2).encode(latents)
    plane = np.pad(plane, ((0, 0), (0, 2 - plane.shape[1])))  # one training row has one axis
    return plane, f"principal axis of the {latents.shape[1]} latents"


def prior_grid(side: int) -> Latents:
    """Return the latent plane at evenly spaced quantiles of N(0, I), top row first. Shape: (side * side, 2)."""
    normal = NormalDist()
    quantiles = [normal.inv_cdf(q) for q in np.linspace(MANIFOLD_EDGE, 1 - MANIFOLD_EDGE, side)]
    return np.array([(x, y) for y in reversed(quantiles) for x in quantiles], np.float32)


def _choose_points(split: Split) -> Split:
    if len(split) <= MAX_SCATTER_POINTS:
        return split
    return split.take(np.sort(np.random.default_rng(0).permutation(len(split))[:MAX_SCATTER_POINTS]))


def choose_rows(split: Split) -> Labels:
    """Return row numbers: the first row of each label, then the second, and so on; without labels, evenly spaced."""
    if split.labels is None:
        return np.unique(np.linspace(0, len(split) - 1, COLUMNS).round().astype(np.int64))
    nth = np.zeros(len(split), np.int64)
    for label in np.unique(split.labels):
        rows = np.flatnonzero(split.labels == label)
        nth[rows] = np.arange(len(rows))
    return np.sort(np.lexsort((split.labels, nth))[:COLUMNS])
