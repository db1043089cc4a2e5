"""The committed models are complete, small enough, and as good as the documents promise."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image

from app.engine.autoencoder import Autoencoder
from app.engine.repository import load_version
from app.manifest import Manifest
from bench.strip import draw_strip
from training.config import DataConfig, load_config
from training.data.load import load_data
from training.evaluation.metrics import mse
from training.exporting.graphs import check_graph

NAMES = ["mnist-ae", "mnist-sdae", "mnist-vae", "mnist-vae-2d"]


def load(bundled: Path, name: str) -> Autoencoder:
    """Load version 1 of a model."""
    return load_version(bundled / name / "1", name, 1)


def measured(bundled: Path, name: str) -> list[dict[str, float]]:
    """Return the measured numbers in a model's manifest."""
    return [measurement.values for measurement in Manifest.read(bundled / name / "1").metrics]


def bound_of(bundled: Path, name: str) -> dict[str, float]:
    """Return the measured bound of a variational model, and its terms."""
    return next(values for values in measured(bundled, name) if "negative_elbo" in values)


def stated(document: dict[str, Any], stored: dict[str, Any]) -> dict[str, Any]:
    """
    Return the options of a configuration that a stored one has, too: those that are newer are left out.

    Options that were `auto`, and the blocks that come with widths of `auto`, have the values that the data decided.
    """

    def option(name: str, value: Any) -> Any:
        if isinstance(value, dict):
            return stated(document[name], value)
        is_open = document[name] == "auto" or (name == "residual_blocks" and document["widths"] == "auto")
        return value if is_open else document[name]

    return {name: option(name, value) for name, value in stored.items()}


@pytest.mark.parametrize("name", NAMES)
def test_the_models_are_complete_and_were_trained_by_the_bundled_configurations(bundled: Path, name: str) -> None:
    manifest = load(bundled, name).manifest
    assert manifest.training is not None
    assert stated(load_config(name).model_dump(mode="json"), manifest.training.configuration) == (
        manifest.training.configuration
    )
    for graph in ("encoder.onnx", "decoder.onnx"):
        check_graph(bundled / name / "1" / graph)
        assert onnx.load(bundled / name / "1" / graph).graph.input[0].type.tensor_type.shape.dim[0].dim_param
    assert {"card.md", "latent_map.npz", "figures/latents.png", "figures/loss.png"} <= manifest.files.keys()


def test_the_models_have_less_than_30_megabytes_together(bundled: Path) -> None:
    assert sum(path.stat().st_size for name in NAMES for path in (bundled / name).rglob("*.*")) < 30e6


@pytest.mark.parametrize("name", NAMES)
def test_each_model_beats_pca_of_its_size_and_an_untrained_network(bundled: Path, name: str) -> None:
    values = measured(bundled, name)[0]
    factor = 1.0 if name == "mnist-vae-2d" else 2.0
    assert values["mse"] * factor < values["pca_mse"]
    assert values["mse"] * 5 < values["untrained_mse"]


@pytest.mark.parametrize("name", NAMES)
def test_a_result_does_not_depend_on_the_other_rows_of_its_batch(bundled: Path, name: str) -> None:
    model, random = load(bundled, name), np.random.default_rng(0)
    samples = random.random((32, *model.manifest.input_shape), dtype=np.float32)
    latents = random.standard_normal((32, model.manifest.latent_dim), dtype=np.float32)
    for function, rows in ((model.encode, samples), (model.decode, latents)):
        together = function(rows)
        for size in (1, 5, 16):
            apart = np.concatenate([function(rows[at : at + size]) for at in range(0, len(rows), size)])
            np.testing.assert_allclose(apart, together, rtol=1e-4, atol=1e-4 * float(np.abs(together).max()))


def denoising(bundled: Path, amount: float) -> dict[str, float]:
    """Return the numbers that were measured with Gaussian noise of this standard deviation."""
    metrics = Manifest.read(bundled / "mnist-sdae" / "1").metrics
    return next(m.values for m in metrics if m.protocol.startswith("Gaussian") and m.values["noise_amount"] == amount)


def test_the_denoiser_beats_every_classical_denoiser(bundled: Path) -> None:
    values = denoising(bundled, 0.5)
    assert values["noisy_psnr"] < values["median_psnr"] < values["ridge_psnr"] < values["psnr"]
    rivals = [name for name in values if name.endswith(("_psnr", "_ssim"))]
    assert {"tv_psnr", "wavelet_psnr", "blur_psnr", "ridge_ssim"} <= set(rivals)
    assert all(values[name] < values[name.rpartition("_")[2]] for name in rivals)


def test_the_noise_in_the_denoisers_numbers_agrees_with_published_references(bundled: Path) -> None:
    """Compare with linear references of others: 9.38 dB noisy, 14.21 median, 17.64 ridge."""
    values = denoising(bundled, 0.5)
    assert values["noisy_psnr"] == pytest.approx(9.38, abs=0.05)
    assert values["median_psnr"] == pytest.approx(14.21, abs=0.1)
    assert values["ridge_psnr"] == pytest.approx(17.64, abs=0.15)
    assert values["ridge_ssim"] == pytest.approx(0.645, abs=0.01)


def test_the_models_are_better_than_published_small_models(bundled: Path) -> None:
    """Compare with keras-io's denoiser (BCE 0.0839), IWAE-50 (84.8 nats) and keras-io's two latents (loss 146.95)."""
    ae, plane = measured(bundled, "mnist-ae"), measured(bundled, "mnist-vae-2d")
    assert ae[0]["mse"] <= 0.0022
    assert ae[0]["bce"] <= 0.075
    milder, stronger = denoising(bundled, 0.4), denoising(bundled, 0.5)
    assert milder["bce"] <= 0.080
    assert milder["psnr"] >= 22.8
    assert milder["ssim"] >= 0.92
    assert stronger["psnr"] >= 21.4
    assert stronger["ssim"] >= 0.89
    bound = bound_of(bundled, "mnist-vae")
    assert bound["importance_samples"] >= 5000
    assert bound["nll"] + 2 * bound["nll_standard_error"] <= 81.0
    assert plane[1]["knn_accuracy"] >= 0.80
    assert plane[2]["negative_elbo"] <= 146


@pytest.mark.parametrize(("name", "latents", "pca"), [("mnist-ae", 32, 0.01689), ("mnist-vae-2d", 2, 0.05572)])
def test_the_linear_baseline_agrees_with_published_numbers(bundled: Path, name: str, latents: int, pca: float) -> None:
    assert load(bundled, name).manifest.latent_dim == latents
    assert measured(bundled, name)[0]["pca_mse"] == pytest.approx(pca, rel=0.01)


@pytest.mark.parametrize("name", NAMES)
def test_each_model_generates_and_has_a_scorer_that_keeps_its_word(bundled: Path, name: str) -> None:
    manifest = load(bundled, name).manifest
    assert {"generate", "score"} <= set(manifest.tasks)
    assert manifest.has_prior
    rates = next(values for values in measured(bundled, name) if "false_positive_rate_0.1" in values)
    for alpha in ("0.1", "0.05", "0.01"):
        rate = f"false_positive_rate_{alpha}"
        assert rates[f"{rate}_low"] <= rates[rate] <= rates[f"{rate}_high"]


@pytest.mark.parametrize("name", ["mnist-vae", "mnist-vae-2d"])
def test_no_posterior_has_collapsed(bundled: Path, name: str) -> None:
    model = load(bundled, name)
    bound = bound_of(bundled, name)
    assert bound["active_units"] >= min(10, model.manifest.latent_dim)
    assert bound["kl"] > 5


def test_samples_of_the_vae_look_like_digits_to_the_autoencoder(bundled: Path) -> None:
    """Check that mnist-ae, which has never seen them, reconstructs samples nearly like test digits, and noise badly."""
    ae, vae = load(bundled, "mnist-ae"), load(bundled, "mnist-vae")
    samples = vae.generate(256, seed=0)
    on_digits = measured(bundled, "mnist-ae")[0]["mse"]
    assert mse(ae.reconstruct(samples).samples, samples) < 3 * on_digits
    noise = np.random.default_rng(0).random(samples.shape).astype(np.float32)
    assert mse(ae.reconstruct(noise).samples, noise) > 20 * on_digits
    assert samples.std(axis=0).max() > 0.3  # they differ from each other


def test_the_picture_of_the_readme_has_five_rows(bundled: Path, tmp_path: Path) -> None:
    digits = load(bundled, "mnist-vae").generate(10, seed=1)
    draw_strip(digits, bundled, tmp_path / "strip.png")
    strip = np.asarray(Image.open(tmp_path / "strip.png").convert("L"))
    rows = np.array_split(strip[:, strip.shape[1] // 5 :], 5)  # without the names
    brightness = [row.mean() for row in rows]
    assert np.argmax(brightness) == 2  # the noisy one
    assert all(row.std() > 40 for row in rows)


@pytest.mark.parametrize("name", NAMES)
def test_the_manifests_numbers_can_be_measured_again(bundled: Path, name: str) -> None:
    folder = os.environ.get("HOURGLASS_DATA_DIR")
    if not folder:
        pytest.skip("HOURGLASS_DATA_DIR names no folder with MNIST")
    data = load_data(DataConfig(name="mnist"), Path(folder), seed=0)
    samples = data.test.in_users_units()
    model = load(bundled, name)
    assert mse(model.reconstruct(samples).samples, samples) == pytest.approx(
        measured(bundled, name)[0]["mse"], rel=1e-3
    )
