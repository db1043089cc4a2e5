"""The model card: what a version is, trained on what, how, how good, and what it is not for."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from app.manifest import FIGURES, Manifest, Training
from training.data import DataSet

PICTURES = {
    "loss.png": "Loss by epoch; validation with the averaged weights.",
    "reconstructions.png": "Test samples over their reconstructions.",
    "denoising.png": "Test samples, with noise, and denoised.",
    "denoising_levels.png": "PSNR over the amount of noise, beside the baselines.",
    "samples.png": "Decoded draws of the prior, seed 0.",
    "manifold.png": "The latent plane, decoded at evenly spaced quantiles of the prior.",
    "latents.png": "The test set's latents, coloured by label.",
}

NOT_FOR = (
    "Samples that are not like the training data: the model gives an answer for any input of the right shape, and an "
    "input of another kind comes back as something that resembles the training data. It is no classifier, and its "
    "reconstruction error is no calibrated anomaly score."
)


def write_card(manifest: Manifest, training: Training, data: DataSet, folder: Path) -> str:
    """The card's Markdown; the pictures that are there are shown."""
    shape = " x ".join(map(str, manifest.input.shape))
    lines = [
        f"# {manifest.name}, version {manifest.version}",
        "",
        manifest.description,
        "",
        f"- Family: {manifest.family}. Tasks: {', '.join(manifest.tasks)}.",
        f"- Input: {manifest.input.kind}, {shape}, {_range(manifest)}.",
        f"- Latent space: {manifest.latent.kind}, {manifest.latent_dim} dimensions{_told(manifest)}.",
        f"- Likelihood of the preprocessed samples: {manifest.likelihood.kind if manifest.likelihood else 'unknown'}.",
        "",
        *_warnings(training),
        "## How good",
        "",
    ]
    for measurement in manifest.metrics:
        lines += [f"{measurement.data_set}: {measurement.protocol}.", "", "| measure | value |", "|---|---|"]
        lines += [f"| {name} | {value:.5g} |" for name, value in measurement.values.items()]
        lines += [""]
    lines += [
        "## How it was trained",
        "",
        f"Data set: {data.name}; {len(data.train)} rows to train on, {len(data.validation)} more to choose the "
        f"checkpoint, {len(data.test)} to measure on.",
        f"Seed {training.seed}, {training.minutes:.1f} minutes on {training.hardware}, finished {training.finished}.",
        f"Libraries: {', '.join(f'{name} {version}' for name, version in training.libraries.items())}.",
        f"Data fingerprint (SHA-256): `{training.data_fingerprint}`.",
        "The whole configuration is in `model.json`, under `training.configuration`.",
        "",
        "## What it is not for",
        "",
        NOT_FOR,
        "",
        *_pictures(folder),
    ]
    return "\n".join(lines)


def _told(manifest: Manifest) -> str:
    return f"; the decoder is told one of {len(manifest.labels)} labels" if manifest.labels else ""


def _warnings(training: Training) -> Iterable[str]:
    if training.warnings:
        yield from ("## What went wrong", "", *(f"- {warning}" for warning in training.warnings), "")


def _range(manifest: Manifest) -> str:
    value_range = manifest.input.value_range
    return f"values from {value_range.low:g} to {value_range.high:g}" if value_range else "any finite values"


def _pictures(folder: Path) -> Iterable[str]:
    yield "## Pictures"
    yield ""
    for name, caption in PICTURES.items():
        if (folder / FIGURES / name).is_file():
            yield f"![{caption}]({FIGURES}/{name})"
            yield ""
            yield caption
            yield ""
