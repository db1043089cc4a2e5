"""Training begins at PCA, or at the best linear variational autoencoder, and never ends at anything worse."""

from __future__ import annotations

import logging
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch import Tensor

from app.engine.session import open_session
from tests.helpers.configurations import bundled_config, with_objective
from tests.helpers.training_data import data_of, planted_rows
from training.config import AugmentationConfig, Config, NetworkConfig
from training.data.dataset import DataSet
from training.exporting.graphs import write_graphs
from training.fitting.batches import Batches
from training.fitting.beginning import (
    begin_correction,
    criteria,
    held_out_groups,
    keep_best,
    place_shortcut,
    save_beginning,
)
from training.fitting.draws import Draws
from training.fitting.stages import Stage, plan_stages
from training.fitting.trainer import fit
from training.networks.base import Example, Network
from training.networks.build import build_network
from training.networks.likelihoods import Gaussian
from training.networks.user_units import DecoderGraph, EncoderGraph
from training.preprocessing import Preprocessor, fit_preprocessing

CONV = NetworkConfig(architecture="conv", latent_dim=8, widths=(4, 6), hidden=16)
DENSE = NetworkConfig(architecture="dense", latent_dim=8, widths=(16, 12))
LAYERS = pytest.mark.parametrize("layers", [CONV, DENSE], ids=["conv", "dense"])
NO_COPIES = AugmentationConfig(shift=0, flip=False)
BEGINNING_KEPT = "train: no epoch improved on the weights before training, which are kept"


def config_of(family: str, layers: NetworkConfig, likelihood: str = "gaussian", **optimisation: object) -> Config:
    """Return a configuration of a network with a shortcut, without copies of the images."""
    config = with_objective(bundled_config(f"digits-{family}", **optimisation), likelihood=likelihood)
    return config.model_copy(update={"network": layers, "augmentation": NO_COPIES})


def begun(config: Config, data: DataSet) -> tuple[Network, Preprocessor]:
    """Return an untrained network as the last stage begins with it."""
    stage = stages_of(config, data)[-1]
    begin_correction(stage)
    return stage.network.eval(), stage.preprocessing


def stages_of(config: Config, data: DataSet) -> list[Stage]:
    """Return the stages of an untrained network whose shortcut is in its place."""
    preprocessing = fit_preprocessing(config, data)
    network = build_network(config, data.input, len(data.classes))
    place_shortcut(network, preprocessing, config, data)
    return plan_stages(network, preprocessing, config, 10, data.input.value_range)


def preprocessed(data: DataSet, preprocessing: Preprocessor) -> tuple[Tensor, Tensor]:
    """Return the training and the validation rows as the network sees them."""
    train, validation = (preprocessing(torch.from_numpy(part.in_users_units())) for part in (data.train, data.validation))
    return train, validation


def pca_of(data: DataSet, preprocessing: Preprocessor, latents: int = 8) -> PCA:
    """Return scikit-learn's PCA of the training and the validation rows."""
    rows = torch.cat(preprocessed(data, preprocessing)).flatten(1).double().numpy()
    return PCA(latents, svd_solver="full").fit(rows)


def reconstructed(pca: PCA, x: Tensor) -> np.ndarray:
    """Return rows that scikit-learn's PCA reconstructs."""
    rows: np.ndarray = pca.inverse_transform(pca.transform(x.flatten(1).double().numpy()))
    return rows.reshape(x.shape)


def squared_error(network: Network, x: Tensor) -> float:
    """Return the mean squared error of reconstructions."""
    with torch.no_grad():
        return float((network.reconstruct(x) - x).square().mean())


@LAYERS
@pytest.mark.parametrize("family", ["ae", "sdae"])
def test_an_untrained_network_reconstructs_as_pca_does(family: str, layers: NetworkConfig, digits: DataSet) -> None:
    network, preprocessing = begun(config_of(family, layers), digits)
    _, x = preprocessed(digits, preprocessing)
    expected = reconstructed(pca_of(digits, preprocessing), x)
    np.testing.assert_allclose(network.reconstruct(x).detach().numpy(), expected, atol=1e-3)


@LAYERS
def test_an_untrained_bernoulli_network_reconstructs_as_clipped_pca_does(
    layers: NetworkConfig, digits: DataSet
) -> None:
    network, preprocessing = begun(config_of("ae", layers, "bernoulli"), digits)
    _, x = preprocessed(digits, preprocessing)
    expected = reconstructed(pca_of(digits, preprocessing), x).clip(0.02, 0.98)
    np.testing.assert_allclose(network.reconstruct(x).detach().numpy(), expected, atol=1e-3)
    assert (expected == 0.02).any()


def test_latents_of_an_untrained_autoencoder_have_the_distances_of_pca_up_to_one_factor(digits: DataSet) -> None:
    network, preprocessing = begun(config_of("ae", DENSE), digits)
    _, x = preprocessed(digits, preprocessing)
    latents = torch.from_numpy(pca_of(digits, preprocessing).transform(x.flatten(1).numpy())).float()
    ratios = torch.pdist(network.encode(x).detach()) / torch.pdist(latents)
    assert ratios.max() / ratios.min() == pytest.approx(1.0, abs=1e-2)


@LAYERS
def test_an_untrained_variational_network_has_the_likelihood_of_probabilistic_pca(layers: NetworkConfig) -> None:
    """
    The best linear variational autoencoder's bound is tight, so it equals the log-likelihood that scikit-learn reports.

    Images of one channel have one variance, as probabilistic PCA has. The bound is a mean over 40 draws.
    """
    rows = planted_rows(3_000, (2.0, 1.5, 1.0, 0.8), 64, noise=0.3)
    data = data_of(rows.reshape(-1, 1, 8, 8))
    network, preprocessing = begun(config_of("vae", layers.model_copy(update={"latent_dim": 4})), data)
    x, _ = preprocessed(data, preprocessing)
    example = Example(x, x, torch.zeros(len(x), dtype=torch.int64))
    with torch.no_grad():
        losses = [network.loss(example, Draws(seed))["loss"].item() for seed in range(40)]
    expected = pca_of(data, preprocessing, 4).score(x.flatten(1).double().numpy())
    assert -np.mean(losses) == pytest.approx(expected, abs=0.02)


def test_variances_of_a_table_begin_at_the_errors_of_reconstructed_draws() -> None:
    """Of 6 columns and 4 latents, errors of PCA alone would be a third of them."""
    data = data_of(planted_rows(4_000, (2.0, 1.5, 1.0, 0.8), 6, noise=0.5))
    network, preprocessing = begun(config_of("vae", DENSE.model_copy(update={"latent_dim": 4})), data)
    _, x = preprocessed(data, preprocessing)
    assert isinstance(network.likelihood, Gaussian)
    with torch.no_grad():
        mu, logvar = network.posterior(x)
        draws = [network.decode(mu + (0.5 * logvar).exp() * torch.randn(mu.shape)) - x for _ in range(20)]
    errors = torch.stack(draws).square().mean((0, 1))
    np.testing.assert_allclose(network.likelihood.logvar.detach().exp(), errors, rtol=0.02)


def test_the_variance_of_an_autoencoder_begins_at_the_held_out_error_of_pca() -> None:
    """The error is of axes of the training part: those of the network know the validation part."""
    rows = planted_rows(90, (2.0, 1.5), 20, noise=0.5)
    data = data_of(rows[:30], rows[30:])
    network, preprocessing = begun(config_of("ae", DENSE), data)
    train, validation = (part.double().numpy() for part in preprocessed(data, preprocessing))
    pca = PCA(8).fit(train)
    error = np.square(validation - pca.inverse_transform(pca.transform(validation))).mean()
    assert isinstance(network.likelihood, Gaussian)
    assert network.likelihood.logvar.exp().item() == pytest.approx(error, rel=1e-3)


def test_axes_of_a_network_include_copies() -> None:
    """Images whose right half is 0 give axes that draw in it only if they are mirrored."""
    images = np.zeros((60, 1, 8, 8))
    images[..., :4] = np.random.default_rng(0).random((60, 1, 8, 4))
    data = data_of(images)
    for flip in (False, True):
        options = AugmentationConfig(shift=0, flip=flip)
        config = config_of("ae", DENSE).model_copy(update={"augmentation": options})
        network, _ = begun(config, data)
        right = (network.decode(torch.randn(20, 8)) - network.decode(torch.zeros(1, 8)))[..., 4:]
        assert bool(right.abs().max() > 1e-3) == flip


def test_a_network_without_a_shortcut_stays_as_it_is(digits: DataSet) -> None:
    config = config_of("ae", DENSE.model_copy(update={"shortcut": False}))
    network, fresh = begun(config, digits)[0], build_network(config, digits.input)
    for name, weight in fresh.state_dict().items():
        assert torch.equal(network.state_dict()[name], weight)


def test_corrections_become_zero_only_before_the_whole_network_is_trained(digits: DataSet) -> None:
    stages = stages_of(with_objective(config_of("sdae", DENSE), pretraining_epochs=1), digits)
    assert len(stages) == 4
    before = {name: value.clone() for name, value in stages[0].network.state_dict().items()}
    for stage in stages[:-1]:
        begin_correction(stage)
    after = stages[0].network.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    begin_correction(stages[-1])
    changed = {name for name, value in before.items() if not torch.equal(after[name], value)}
    assert {name.removeprefix("stack.layers.").rpartition(".")[0] for name in changed} == {"0.up.0", "2.down"}


def test_a_criterion_is_measured_on_each_held_out_group(digits: DataSet) -> None:
    """The squared error of a reconstruction, which PCA gives as well."""
    [stage] = stages_of(config_of("ae", DENSE), digits)
    begin_correction(stage)
    _, x = preprocessed(digits, stage.preprocessing)
    errors = np.square(reconstructed(pca_of(digits, stage.preprocessing), x) - x.double().numpy())
    values = criteria(stage, Batches(digits.validation, 50, None))
    assert values.numpy() == pytest.approx([errors[start : start + 50].mean() for start in (0, 50, 100)], rel=1e-3)
    assert stage.training


def test_a_variational_criterion_is_the_same_each_time(digits: DataSet) -> None:
    [stage] = stages_of(config_of("vae", DENSE), digits)
    groups = held_out_groups(digits)
    assert torch.equal(criteria(stage, groups), criteria(stage, groups))


@pytest.mark.parametrize(("rows", "groups"), [(1, 1), (200, 200), (201, 101), (1000, 200), (1001, 167)])
def test_groups_are_single_rows_or_at_most_200(rows: int, groups: int) -> None:
    batches = held_out_groups(data_of(np.random.default_rng(0).random((3, 2)), np.zeros((rows, 2))))
    assert len(batches) == groups
    assert sum(len(samples) for samples, _ in batches) == rows


def finished(stage: Stage, folder: Path, data: DataSet, change: float) -> None:
    """Write the checkpoints of a stage whose best epoch has other weights, and let it keep the better ones."""
    begin_correction(stage)
    save_beginning(stage, held_out_groups(data), folder / "first.ckpt")
    best = {name: value.clone() for name, value in stage.state_dict().items()}
    shortcut = "network.stack.layers.0.up.0.bias"
    mean_error = data.validation.samples.mean() - 0.5
    best[shortcut] += change * torch.full_like(best[shortcut], float(mean_error))
    torch.save({"state_dict": best}, folder / "best.ckpt")
    stage.history = [{"epoch": 1.0, "validation/mse": 9.0}, {"epoch": 2.0, "validation/mse": 1.0}]
    keep_best(stage, held_out_groups(data), folder / "first.ckpt", folder / "best.ckpt")


def shifted_data(deviation: float) -> DataSet:
    """Return a constant training part but for one row, and a validation part about 0.1 brighter, with noise."""
    train = np.full((40, 1, 8, 8), 0.5)
    train[0] = 0.4
    random = np.random.default_rng(0)
    return data_of(train, 0.6 + deviation * random.normal(size=(30, 1, 1, 1)) * np.ones((1, 1, 8, 8)))


def test_the_weights_before_training_are_kept_with_a_warning_if_no_epoch_improved(
    digits: DataSet, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    [stage] = stages_of(config_of("ae", DENSE), digits)
    finished(stage, tmp_path, digits, change=50.0)
    assert not torch.as_tensor(stage.state_dict()["network.stack.layers.0.up.0.bias"]).any()
    assert BEGINNING_KEPT in [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_the_weights_of_the_best_epoch_are_kept_if_it_improved(
    digits: DataSet, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    [stage] = stages_of(config_of("ae", DENSE), digits)
    begin_correction(stage)
    x = preprocessed(digits, stage.preprocessing)[1]
    with torch.no_grad():
        better = (x - stage.network.reconstruct(x)).mean(0).flatten()
    save_beginning(stage, held_out_groups(digits), tmp_path / "first.ckpt")
    best = {name: value.clone() for name, value in stage.state_dict().items()}
    best["network.stack.layers.0.up.0.weight"] += 0.0
    best["network.stack.shortcut.up_weight"] *= 0.999  # shrinks a little: neither better nor worse by much
    best["network.stack.layers.0.up.0.bias"] += better
    torch.save({"state_dict": best}, tmp_path / "best.ckpt")
    stage.history = [{"epoch": 1.0, "validation/mse": 9.0}, {"epoch": 2.0, "validation/mse": 1.0}]
    keep_best(stage, held_out_groups(digits), tmp_path / "first.ckpt", tmp_path / "best.ckpt")
    assert caplog.messages
