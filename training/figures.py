"""Pictures for people. Each function draws one file; nothing here measures anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from app.engine.autoencoder import Autoencoder
from app.manifest import FIGURES, ValueRange
from training.baselines import LinearAutoencoder
from training.data import DataSet
from training.evaluation import NOISE_SEED, to_unit

Array = npt.NDArray[np.float32]

COLUMNS = 16
MANIFOLD_SIDE = 20
MANIFOLD_EDGE = 0.02
"""The manifold spans the prior's quantiles from this one to its mirror."""
DOTS = 150


def draw_report(
    model: Autoencoder, data: DataSet, history: Mapping[str, Sequence[Mapping[str, float]]], folder: Path
) -> tuple[Array, npt.NDArray[np.int64]]:
    """
    All figures that fit the model, into `folder/figures`; gives the 2-D coordinates and labels of the scatter.

    Test rows are shown, since pictures of training rows would flatter the model.
    """
    figures = folder / FIGURES
    figures.mkdir(exist_ok=True)
    value_range = data.input.value_range
    shown = data.test.take(_one_of_each(data.test.labels)).in_users_units()
    loss_curves(history, figures / "loss.png")
    rows = {"input": shown, "reconstruction": model.reconstruct(shown).samples}
    picture_rows(rows, value_range, figures / "reconstructions.png")
    if "denoise" in model.manifest.tasks:
        noisy = model.corrupt(shown, "gaussian", 0.5, NOISE_SEED)
        rows = {"clean": shown, "noisy, std 0.5": noisy, "denoised": model.denoise(noisy)}
        picture_rows(rows, value_range, figures / "denoising.png")
    if "generate" in model.manifest.tasks:
        picture_grid(model.generate(64, seed=0), 8, value_range, figures / "samples.png", "decoded draws of the prior")
        if model.manifest.latent_dim == 2:
            grid = model.decode(prior_grid(MANIFOLD_SIDE))
            title = "decoded latent plane, at the prior's quantiles"
            picture_grid(grid, MANIFOLD_SIDE, value_range, figures / "manifold.png", title)
    plane, axis_names = latent_plane(model, data)
    latent_scatter(plane, data.test.labels, axis_names, figures / "latents.png")
    return plane, data.test.labels


def latent_plane(model: Autoencoder, data: DataSet) -> tuple[Array, str]:
    """2-D coordinates of the test set's latents and their name: the latents themselves, or their first two PCA axes."""
    latents = model.encode(data.test.in_users_units())
    if latents.shape[1] == 2:
        return latents, "latent dimension"
    if latents.shape[1] == 1:
        return np.concatenate([latents, np.zeros_like(latents)], axis=1), "latent dimension"
    train = model.encode(data.train.in_users_units())
    return LinearAutoencoder.fit(train, 2).encode(latents), f"principal axis of the {latents.shape[1]} latents"


def prior_grid(side: int) -> Array:
    """Points of the latent plane at evenly spaced quantiles of N(0, I), top row first. Shape: (side * side, 2)"""
    normal = NormalDist()
    quantiles = [normal.inv_cdf(q) for q in np.linspace(MANIFOLD_EDGE, 1 - MANIFOLD_EDGE, side)]
    return np.array([(x, y) for y in reversed(quantiles) for x in quantiles], np.float32)


def loss_curves(history: Mapping[str, Sequence[Mapping[str, float]]], path: Path) -> None:
    """One panel a stage: the loss on training rows, and on validation rows with the averaged weights."""
    figure = Figure(figsize=(4 * len(history), 3.2), layout="constrained")
    for axes, (stage, records) in zip(figure.subplots(1, len(history), squeeze=False)[0], history.items(), strict=True):
        for part, style in (("train", "--"), ("validation", "-")):
            key = f"{part}/loss"
            points = [(record["epoch"], record[key]) for record in records if key in record]
            axes.plot(*zip(*points, strict=True), style, label=part, marker="." if len(points) < 8 else None)
        settled = [record[key] for record in records[1:] or records for key in ("train/loss", "validation/loss")]
        margin = 0.05 * (max(settled) - min(settled)) or 1.0
        axes.set_ylim(min(settled) - margin, max(settled) + margin)  # the first epoch would flatten the rest
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set(title=stage, xlabel="epoch", ylabel="loss, nats per sample")
        axes.legend(frameon=False)
    figure.savefig(path, dpi=DOTS)


def picture_rows(rows: Mapping[str, Array], value_range: ValueRange, path: Path) -> None:
    """Several batches above each other, a column a sample."""
    figure = Figure(figsize=(COLUMNS * 0.55, len(rows) * 0.62), layout="constrained")
    for axes, (name, samples) in zip(figure.subplots(len(rows), 1, squeeze=False)[:, 0], rows.items(), strict=True):
        show(axes, tile(to_unit(samples, value_range), len(samples)))
        axes.set_title(name, fontsize=8, loc="left", pad=2)
    figure.savefig(path, dpi=DOTS)


def picture_grid(samples: Array, columns: int, value_range: ValueRange, path: Path, title: str) -> None:
    """A batch as one picture, in rows of `columns`."""
    figure = Figure(figsize=(6, 6.2), layout="constrained")
    axes = figure.subplots()
    show(axes, tile(to_unit(samples, value_range), columns))
    axes.set_title(title, fontsize=9)
    figure.savefig(path, dpi=DOTS)


def latent_scatter(plane: Array, labels: npt.NDArray[np.int64], axis_name: str, path: Path) -> None:
    """The test set in two dimensions, coloured by label."""
    figure = Figure(figsize=(6.4, 5.6), layout="constrained")
    axes = figure.subplots()
    points = axes.scatter(plane[:, 0], plane[:, 1], c=labels, cmap="tab10", s=3, alpha=0.6, linewidths=0)
    classes = np.unique(labels)
    colours = points.to_rgba(classes.astype(float))
    handles = [
        Line2D([], [], marker="o", linestyle="", color=tuple(colour), label=str(label))
        for label, colour in zip(classes, colours, strict=True)
    ]
    axes.legend(handles=handles, title="digit", frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    axes.set(xlabel=f"first {axis_name}", ylabel=f"second {axis_name}", title=f"{len(plane)} test samples")
    figure.savefig(path, dpi=DOTS)


def tile(samples: Array, columns: int) -> Array:
    """
    A batch of images in [0, 1] as one image with a white line between them.

    Shapes: (N, C, H, W) -> (rows * (H + 1) - 1, columns * (W + 1) - 1, C)
    """
    count, channels, height, width = samples.shape
    rows = -(-count // columns)
    canvas = np.ones((rows * (height + 1) - 1, columns * (width + 1) - 1, channels), np.float32)
    for index, sample in enumerate(samples):
        top, left = index // columns * (height + 1), index % columns * (width + 1)
        canvas[top : top + height, left : left + width] = sample.transpose(1, 2, 0)
    return canvas


def show(axes: Axes, image: Array) -> None:
    """An image without axes; grey where it has one channel."""
    axes.imshow(image.squeeze(-1) if image.shape[-1] == 1 else image, cmap="gray", vmin=0, vmax=1)
    axes.set_axis_off()


def _one_of_each(labels: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Row numbers for a picture: the first of each label, then the next ones, up to COLUMNS."""
    nth = np.zeros(len(labels), np.int64)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        nth[rows] = np.arange(len(rows))
    return np.sort(np.lexsort((labels, nth))[:COLUMNS])
