"""The model card in Markdown: what the model is, its measurements, its training, and its limits."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from app.manifest import DENOISER, FIGURES, PRIOR, SCORER, Manifest, Training
from training.data.dataset import DataSet
from training.evaluation.rounding import describe_uncertainty, shown

CAPTIONS = {
    "loss.png": "Loss by epoch; validation uses the averaged weights.",
    "reconstructions.png": "Test samples above their reconstructions.",
    "denoising.png": "Test samples, with noise, and denoised.",
    "denoising_levels.png": "PSNR against the amount of noise, beside the baselines.",
    "samples.png": "Decoded samples of the prior, seed 0.",
    "manifold.png": "The latent plane, decoded at evenly spaced quantiles of N(0, I).",
    "latents.png": "The test set's latents, coloured by label.",
}
"""The caption of each figure, in the order of the card."""

LIMITS = (
    "Samples that are not like the training data: the model gives an answer for any input of the right shape, and an "
    "input of another kind comes back as something that resembles the training data. It is not a classifier, and its "
    "reconstruction error is not a calibrated anomaly score."
)


def write_card(manifest: Manifest, training: Training, data: DataSet, folder: Path) -> str:
    """Return the card, which shows the figures that the folder has."""
    return "\n".join(
        [
            *_summary(manifest),
            *_warnings(training),
            *_measurements(manifest, len(data.test)),
            *_training(training, data),
            "## What it is not for",
            "",
            LIMITS,
            "",
            *_figures(folder),
        ]
    )


def _summary(manifest: Manifest) -> list[str]:
    shape = " x ".join(map(str, manifest.input.shape))
    labels = f"; the decoder takes one of {len(manifest.labels)} labels" if manifest.labels else ""
    return [
        f"# {manifest.name}, version {manifest.version}",
        "",
        manifest.description,
        "",
        f"- Family: {manifest.family}. Tasks: {', '.join(manifest.tasks)}.",
        f"- Input: {manifest.input.kind}, {shape}, {_range(manifest)}.",
        f"- Latent space: {manifest.latent.kind}, {manifest.latent_dim} dimensions{labels}.",
        f"- Denoising: {_denoising(manifest)}.",
        f"- Generation: {describe_prior(manifest)}.",
        f"- Anomalies: {describe_scorer(manifest)}.",
        f"- Likelihood of the preprocessed samples: {manifest.likelihood.kind if manifest.likelihood else 'unknown'}.",
        "",
    ]


def _denoising(manifest: Manifest) -> str:
    if "denoise" not in manifest.tasks:
        return "none"
    if manifest.has_denoiser:
        return f"by `{DENOISER}`, which predicts the noise and keeps the rest; the latents play no part"
    return "by the encoder and the decoder"


def describe_prior(manifest: Manifest) -> str:
    """Return a phrase about the distribution that new samples are drawn from."""
    prior = manifest.prior
    if prior is None:
        return "from draws of N(0, I)" if "generate" in manifest.tasks else "none"
    likelihood = f"{prior.log_likelihood:.2f} nats per held-out code"
    if prior.standard_normal_log_likelihood is not None:
        likelihood += f", against {prior.standard_normal_log_likelihood:.2f} of N(0, I)"
    return f"by `{PRIOR}`, {prior.summary}, fitted on {prior.fitted_on}; chosen by the {prior.chosen_by}; {likelihood}"


def describe_scorer(manifest: Manifest) -> str:
    """Return a phrase about the scorer: its parts, and the rows behind it."""
    scorer = manifest.scorer
    if scorer is None:
        return "no scorer"
    bank = f", the nearest of {scorer.bank_rows} rows" if scorer.bank_rows else ""
    return (
        f"by `{SCORER}`, from {', '.join(scorer.parts)}{bank}; fitted on {scorer.fitted_on}, so that no p-value is "
        f"below {1 / (scorer.calibration_rows + 1):.2g}"
    )


def _range(manifest: Manifest) -> str:
    value_range = manifest.input.value_range
    return f"values from {value_range.low:g} to {value_range.high:g}" if value_range else "any finite values"


def _warnings(training: Training) -> Iterable[str]:
    if training.warnings:
        yield from ("## What went wrong", "", *(f"- {warning}" for warning in training.warnings), "")


def _measurements(manifest: Manifest, rows: int) -> Iterable[str]:
    yield from ("## How good", "")
    if manifest.metrics:
        yield from (describe_uncertainty(manifest.metrics[0].values, rows), "")
    for measurement in manifest.metrics:
        yield from (f"{measurement.data_set}: {measurement.protocol}.", "", "| measure | value |", "|---|---|")
        yield from (f"| {name} | {shown(name, value, rows)} |" for name, value in measurement.values.items())
        yield ""


def _training(training: Training, data: DataSet) -> list[str]:
    return [
        "## How it was trained",
        "",
        f"Data set: {data.name}; {len(data.train)} rows to train on, {len(data.validation)} more to choose the "
        f"checkpoint, {len(data.test)} to measure on.",
        f"Seed {training.seed}, {training.minutes:.1f} minutes on {training.hardware}, finished {training.finished}.",
        f"Libraries: {', '.join(f'{name} {version}' for name, version in training.libraries.items())}.",
        f"Data fingerprint (SHA-256): `{training.data_fingerprint}`.",
        "The whole configuration is in `model.json`, under `training.configuration`.",
        "",
    ]


def _figures(folder: Path) -> Iterable[str]:
    yield from ("## Pictures", "")
    for name, caption in CAPTIONS.items():
        if (folder / FIGURES / name).is_file():
            yield from (f"![{caption}]({FIGURES}/{name})", "", caption, "")
