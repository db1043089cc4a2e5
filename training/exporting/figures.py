"""Draw the figures of a report, one file per function."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from PIL import Image

from app.arrays import Array, Labels, Samples
from app.manifest import Measurement

COLUMNS = 16
"""Samples in a row of images."""
DOTS_PER_INCH = 150
CHART_COLOURS = 256
"""The colours of a chart's file: a third of the bytes, and no difference to the eye."""
MAX_LEGEND_LABELS = 20
"""More labels get a colour bar."""
MIN_LINE_POINTS = 8
"""Fewer points of a curve get markers."""


def save(figure: Figure, path: Path, colours: int | None = None) -> None:
    """Write a figure as a PNG: with so many colours or, without a number, with all; a grey one has one channel."""
    stream = io.BytesIO()
    figure.savefig(stream, dpi=DOTS_PER_INCH, format="png")
    picture = Image.open(stream).convert("RGB")
    red, *others = picture.split()
    if all(other.tobytes() == red.tobytes() for other in others):
        picture = red
    elif colours:
        picture = picture.quantize(colours, dither=Image.Dither.NONE)
    picture.save(path, optimize=True)


def loss_curves(history: Mapping[str, Sequence[Mapping[str, float]]], path: Path) -> None:
    """Draw one panel per stage: the loss on training rows, and on validation rows with the averaged weights."""
    figure = Figure(figsize=(4 * len(history), 3.2), layout="constrained")
    for axes, (stage, records) in zip(figure.subplots(1, len(history), squeeze=False)[0], history.items(), strict=True):
        for part, style in (("train", "--"), ("validation", "-")):
            key = f"{part}/loss"
            points = [(record["epoch"], record[key]) for record in records if key in record]
            axes.plot(
                *zip(*points, strict=True), style, label=part, marker="." if len(points) < MIN_LINE_POINTS else None
            )
        settled = [record[key] for record in records[1:] or records for key in ("train/loss", "validation/loss")]
        margin = 0.05 * (max(settled) - min(settled)) or 1.0
        axes.set_ylim(min(settled) - margin, max(settled) + margin)  # the first epoch would flatten the rest
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set(title=stage, xlabel="epoch", ylabel="loss, nats per sample")
        axes.legend(frameon=False)
    save(figure, path, colours=CHART_COLOURS)


def picture_rows(rows: Mapping[str, Samples], path: Path) -> None:
    """Draw several batches of images in [0, 1] above each other, one column per sample."""
    figure = Figure(figsize=(COLUMNS * 0.55, len(rows) * 0.62), layout="constrained")
    for axes, (name, samples) in zip(figure.subplots(len(rows), 1, squeeze=False)[:, 0], rows.items(), strict=True):
        show(axes, tile(samples, len(samples)))
        axes.set_title(name, fontsize=8, loc="left", pad=2)
    save(figure, path)


def picture_grid(samples: Samples, columns: int, path: Path, title: str) -> None:
    """Draw a batch of images in [0, 1] as one picture, in rows of `columns`."""
    figure = Figure(figsize=(6, 6.2), layout="constrained")
    axes = figure.subplots()
    show(axes, tile(samples, columns))
    axes.set_title(title, fontsize=9, wrap=True)
    save(figure, path)


def table_heatmap(rows: Array, reconstructed: Array, path: Path) -> None:
    """Draw rows of a table, their reconstructions and the difference. Shapes: (N, features) each."""
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    panels = {"input": rows, "reconstruction": reconstructed, "difference": rows - reconstructed}
    limit = float(np.quantile(np.abs(rows), 0.99)) or 1.0  # with the maximum, one outlier would bleach the rest
    for axes, (name, values) in zip(figure.subplots(1, 3), panels.items(), strict=True):
        image = axes.imshow(values, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto", interpolation="nearest")
        axes.set(title=name, xlabel="column", ylabel="test row")
    figure.colorbar(image, ax=figure.axes, label="preprocessed units")
    save(figure, path, colours=CHART_COLOURS)


def denoising_curves(metrics: Sequence[Measurement], path: Path) -> None:
    """Draw PSNR against the amount of noise, one panel per kind; draw nothing if there are fewer than two amounts."""
    levels = [m.values for m in metrics if {"noise_amount", "psnr"} <= m.values.keys()]
    kinds = sorted({m.protocol.partition(" ")[0] for m in metrics if "noise_amount" in m.values})
    if len({values["noise_amount"] for values in levels}) < 2:
        return
    figure = Figure(figsize=(1.2 + 4 * len(kinds), 3.6), layout="constrained")
    for axes, kind in zip(figure.subplots(1, len(kinds), squeeze=False)[0], kinds, strict=True):
        shown = [m.values for m in metrics if m.protocol.startswith(f"{kind} ") and "noise_amount" in m.values]
        shown.sort(key=lambda values: values["noise_amount"])
        for measure in [name for name in shown[0] if name.endswith("psnr")]:
            name = measure.removesuffix("psnr").strip("_") or "this model"
            points = [(values["noise_amount"], values[measure]) for values in shown]
            axes.plot(*zip(*points, strict=True), "-" if name == "this model" else "--", marker=".", label=name)
        axes.set(title=kind, xlabel="amount of noise", ylabel="PSNR, dB")
    figure.axes[-1].legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    save(figure, path, colours=CHART_COLOURS)


def latent_scatter(plane: Array, labels: Labels | None, classes: Sequence[str], axis_name: str, path: Path) -> None:
    """Draw samples in two dimensions, coloured by their labels if they have any. Shapes: (N, 2) and (N,)."""
    figure = Figure(figsize=(6.4, 5.6), layout="constrained")
    axes = figure.subplots()
    size = float(np.clip(30_000 / len(plane), 3, 24))
    colour_map = "tab10" if len(classes) <= 10 else "tab20" if len(classes) <= MAX_LEGEND_LABELS else "viridis"
    points = axes.scatter(plane[:, 0], plane[:, 1], s=size, alpha=0.6, linewidths=0)
    if labels is not None:
        points.set_array(labels)
        points.set_cmap(colour_map)
    if labels is not None and len(classes) <= MAX_LEGEND_LABELS:
        points.set_clim(0, max(len(classes), 10) - 1 if len(classes) <= 10 else MAX_LEGEND_LABELS - 1)
        handles = [
            Line2D([], [], marker="o", linestyle="", color=tuple(points.to_rgba(np.array(float(number)))), label=name)
            for number, name in enumerate(classes)
        ]
        axes.legend(handles=handles, title="label", frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    elif labels is not None:
        figure.colorbar(points, label="label's number")
    axes.set(xlabel=f"first {axis_name}", ylabel=f"second {axis_name}", title=f"{len(plane)} test samples")
    save(figure, path, colours=CHART_COLOURS)


def tile(samples: Samples, columns: int) -> Array:
    """
    Join a batch of images in [0, 1] into one image, with white lines of one pixel between them.

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
    """Draw an image without axes, in grey if it has one channel. Shape: (H, W, C)."""
    axes.imshow(image.squeeze(-1) if image.shape[-1] == 1 else image, cmap="gray", vmin=0, vmax=1)
    axes.set_axis_off()
