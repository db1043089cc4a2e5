"""A prior is fitted to a version's latents and written beside its graphs, and the server loads it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from app.engine.repository import load_version
from app.importing.tidy import Tolerance
from app.inputs import VectorInput
from app.manifest import GOLDEN, PRIOR, Manifest
from tests.helpers import tiny
from tests.helpers.configurations import bundled_config
from tests.helpers.training_evaluation import tiny_images
from training.config import PriorConfig, ScorerConfig
from training.data.dataset import DataSet, Split
from training.errors import DataError, ExportError, InvalidConfiguration
from training.evaluation.subject import Subject
from training.exporting.export import export
from training.exporting.prior import describe_gain, fit_prior, write_prior
from training.fitting.trainer import fit
from training.networks.variational import VAE
from training.priors.choice import Choice
from training.priors.codes import draw_codes
from training.priors.flows.stored import read_flow


def images(classes: tuple[str, ...] = ()) -> DataSet:
    """Return 200 images to fit on and 200 more in the validation part."""
    data = tiny_images(classes, rows=400)
    return replace(data, validation=data.test)


def fitted(folder: Path, data: DataSet, **options: object) -> Choice | None:
    """Fit a prior to the version in a folder."""
    return fit_prior(folder, Manifest.read(folder), data, PriorConfig.model_validate(options), seed=0)


def add(folder: Path, data: DataSet, **options: object) -> Manifest:
    """Fit and write a prior, and write the manifest."""
    choice = fitted(folder, data, **options)
    assert choice is not None
    manifest = Manifest.model_validate(write_prior(folder, Manifest.read(folder), data, choice).model_dump())
    manifest.write(folder)
    return manifest


@pytest.mark.parametrize("covariance", ["full", "diagonal"])
def test_a_deterministic_model_generates_latents_like_those_of_the_training_part(
    tmp_path: Path, covariance: str
) -> None:
    folder, data = tiny.write_version(tmp_path), images()
    manifest = add(folder, data, components=2, covariance=covariance)
    assert manifest.prior is not None
    assert (manifest.format, manifest.noise_dim, manifest.prior.components) == (2, 3, (2,))
    assert manifest.tasks == ("encode", "decode", "reconstruct", "generate", "interpolate")
    assert manifest.prior.standard_normal_log_likelihood is None
    assert manifest.prior.fitted_on == "200 codes of tiny, training part: the latents of the samples"
    model = load_version(folder, "tiny", 1)
    codes = draw_codes(Subject.of(model, data), data.train, 200, seed=0).latents
    draws = model.prior.run(model.prior.noise(20_000, seed=0))
    np.testing.assert_allclose(draws.mean(axis=0), codes.mean(axis=0), atol=0.02)
    np.testing.assert_allclose(np.cov(draws.T), np.cov(codes.T), atol=0.01)


def test_a_variational_model_is_fitted_to_draws_from_its_posteriors(tmp_path: Path) -> None:
    folder = tiny.write_version(tmp_path, family="variational-autoencoder")
    manifest = add(folder, images())
    assert manifest.prior is not None
    assert "one draw from the posterior of each sample" in manifest.prior.fitted_on
    assert manifest.prior.standard_normal_log_likelihood is not None
    assert manifest.prior.log_likelihood > manifest.prior.standard_normal_log_likelihood
    model = load_version(folder, "tiny", 1)
    assert model.prior.run(model.prior.noise(20_000, seed=0)).std() > 0.5  # the posterior's deviation and the samples'


def test_a_conditional_model_has_a_mixture_for_each_label(tmp_path: Path) -> None:
    """The images of the third label are brighter."""
    folder, data = tiny.write_version(tmp_path, labels=tiny.LABELS), images(tiny.LABELS)
    for part in (data.train, data.validation):
        assert part.labels is not None
        part.samples[part.labels == 2] *= 0.1
    manifest = add(folder, data, covariance="diagonal", components=1)
    assert manifest.prior is not None
    assert manifest.prior.components == (1, 1, 1)
    model = load_version(folder, "tiny", 1)
    noise = model.prior.noise(5_000, seed=0)
    low, high = (model.prior.run(noise, np.full(5_000, label)).mean() for label in (0, 2))
    assert (low, high) == (pytest.approx(1, abs=0.05), pytest.approx(0.1, abs=0.02))


@pytest.mark.parametrize(("kind", "layers"), [("realnvp", 10), ("flow-matching", 16)])
def test_a_flow_is_written_described_and_served(tmp_path: Path, kind: str, layers: int) -> None:
    folder, data = tiny.write_version(tmp_path), images()
    manifest = add(folder, data, kind=kind, steps=100)
    assert manifest.prior is not None
    assert (manifest.prior.kind, manifest.prior.layers, manifest.noise_dim) == (kind, layers, 2)
    assert (manifest.prior.components, manifest.prior.covariance) == ((), None)
    assert "200 codes of the validation part" in manifest.prior.chosen_by
    model = load_version(folder, "tiny", 1)  # which checks the golden samples
    codes = draw_codes(Subject.of(model, data), data.train, 200, seed=0).latents
    draws = model.prior.run(model.prior.noise(5_000, seed=0))
    np.testing.assert_allclose(draws.mean(axis=0), codes.mean(axis=0), atol=0.05)
    np.testing.assert_allclose(np.cov(draws.T), np.cov(codes.T), atol=0.03)


def test_a_flow_of_a_conditional_model_is_refused(tmp_path: Path) -> None:
    folder = tiny.write_version(tmp_path, labels=tiny.LABELS)
    with pytest.raises(InvalidConfiguration, match=r"prior\.kind: a conditional model has a mixture for each label"):
        fitted(folder, images(tiny.LABELS), kind="realnvp")


def test_the_gain_of_a_flow_names_it(tmp_path: Path) -> None:
    folder, data = standard_normal_version(tmp_path)
    choice = fitted(folder, data, kind="realnvp", steps=5)
    assert choice is not None
    assert describe_gain(choice).startswith("realnvp's ")


def standard_normal_version(root: Path) -> tuple[Path, DataSet]:
    """Write a variational model whose posterior is N(0, I) for each of its samples, and return its data."""
    kind = VectorInput(shape=(3,))
    split = Split(np.zeros((300, 3), np.float32), None, 1.0)
    return tiny.write_mirror(root, "mirror", kind), DataSet("zeros", kind, (), split, split, split)


def test_a_variational_model_keeps_n01_where_a_mixture_is_no_better(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder, data = standard_normal_version(tmp_path)
    with caplog.at_level("INFO"):
        assert fitted(folder, data) is None
    assert "the prior stays N(0, I): the mixture's" in caplog.text
    forced = fitted(folder, data, kind="gmm")
    assert forced is not None
    assert not forced.is_better
    assert "are not better by more than chance than the" in describe_gain(forced)


@pytest.mark.parametrize(
    ("kind", "variational", "there"), [("none", False, False), ("normal", False, True), ("normal", True, False)]
)
def test_the_kind_of_the_configuration_is_obeyed(tmp_path: Path, kind: str, variational: bool, there: bool) -> None:
    folder = tiny.write_version(tmp_path, family="variational-autoencoder" if variational else "autoencoder")
    choice = fitted(folder, images(), kind=kind)
    assert (choice is not None) == there
    if choice:
        assert choice.mixture.components == (1,)


def test_the_test_part_plays_no_role(tmp_path: Path) -> None:
    folder, data = tiny.write_version(tmp_path), images()
    other = replace(data, test=replace(data.test, samples=np.zeros_like(data.test.samples)))
    first, second = fitted(folder, data), fitted(folder, other)
    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(first.mixture.parts[0].means_, second.mixture.parts[0].means_)


def test_a_part_without_rows_is_refused(tmp_path: Path) -> None:
    data = images()
    with pytest.raises(DataError, match="a prior needs a training and a validation part"):
        fitted(tiny.write_version(tmp_path), replace(data, validation=data.validation.take(slice(0))))


def test_the_golden_samples_gain_noise_and_draws_and_keep_the_others(tmp_path: Path) -> None:
    folder = tiny.write_version(tmp_path)
    with np.load(folder / GOLDEN) as archive:
        before = {name: archive[name] for name in archive.files}
    manifest = add(folder, images())
    with np.load(folder / GOLDEN) as archive:
        after = {name: archive[name] for name in archive.files}
    assert after.keys() - before.keys() == {"noise", "draws"}
    assert all(np.array_equal(after[name], rows) for name, rows in before.items())
    assert after["noise"].shape == (64, 3)
    assert manifest.files[PRIOR].bytes == (folder / PRIOR).stat().st_size


def test_a_graph_that_differs_from_torch_is_refused(tmp_path: Path) -> None:
    folder, data = tiny.write_version(tmp_path), images()
    choice = fitted(folder, data, components=1)
    assert choice is not None
    with pytest.raises(ExportError, match=r"prior\.onnx: torch and onnxruntime differ"):
        write_prior(folder, Manifest.read(folder), data, choice, Tolerance(absolute=-1.0, relative=0.0))


def test_a_prior_that_is_trained_with_the_network_is_served_and_measured(tmp_path: Path, digits: DataSet) -> None:
    prior, scorer = PriorConfig(kind="realnvp", joint=True, couplings=3), ScorerConfig(kind="none")
    config = bundled_config("digits-vae", epochs=5).model_copy(update={"prior": prior, "scorer": scorer})
    run = fit(config, digits, tmp_path / "run", accelerator="cpu")
    folder = export(run, digits, tmp_path / "models")
    manifest = Manifest.read(folder)
    assert (manifest.latent.model_dump()["prior"], manifest.has_trained_prior) == ("trained", True)
    assert manifest.prior is not None
    assert (manifest.prior.kind, manifest.prior.layers) == ("realnvp", 3)
    assert isinstance(run.network, VAE)
    assert run.network.prior is not None
    served = load_version(folder, "digits-vae", 1)
    noise = served.prior.noise(50, seed=0)
    with torch.no_grad():
        np.testing.assert_allclose(
            served.prior.run(noise), run.network.prior(torch.from_numpy(noise)).numpy(), rtol=1e-2, atol=1e-3
        )
    assert served.generate(5, seed=0).shape == (5, 1, 8, 8)
    (bound,) = (measured for measured in manifest.metrics if "kl" in measured.values)
    kept = min(run.record.history["train"], key=lambda record: record["validation/loss"])
    assert bound.values["negative_elbo"] == pytest.approx(kept["validation/loss"], rel=0.1)
    assert "the prior is the flow of prior.onnx" in bound.protocol


def test_a_flow_over_several_gaussians_takes_the_place_of_the_one_in_training(tmp_path: Path, digits: DataSet) -> None:
    prior = PriorConfig(kind="realnvp", joint=True, couplings=2, components=4, steps=30)
    options = {"prior": prior, "scorer": ScorerConfig(kind="none")}
    config = bundled_config("digits-vae", epochs=2).model_copy(update=options)
    folder = export(fit(config, digits, tmp_path / "run", accelerator="cpu"), digits, tmp_path / "models")
    manifest = Manifest.read(folder)
    assert manifest.has_trained_prior
    assert manifest.prior is not None
    assert (manifest.prior.components, manifest.prior.noise_dimension) == ((4,), 3)
    served = load_version(folder, "digits-vae", 1)
    codes = draw_codes(Subject.of(served, digits), digits.validation, 1000, seed=1)
    expected = read_flow(folder / PRIOR).log_likelihoods(codes).mean()
    assert manifest.prior.log_likelihood == pytest.approx(expected, abs=0.01)
