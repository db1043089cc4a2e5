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

from app.arrays import Samples
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
    is_improvement,
    keep_best,
    place_shortcut,
    save_beginning,
)
from training.fitting.draws import Draws
from training.fitting.pair_stages import plan_stages
from training.fitting.runs import Run
from training.fitting.stages import Stage
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
    train, validation = (
        preprocessing(torch.from_numpy(part.in_users_units())) for part in (data.train, data.validation)
    )
    return train, validation


def pca_of(data: DataSet, preprocessing: Preprocessor, latents: int = 8, *, whole: bool = False) -> PCA:
    """Return scikit-learn's PCA of the training rows or, with `whole`, of these and the validation rows."""
    train, validation = preprocessed(data, preprocessing)
    rows = (torch.cat([train, validation]) if whole else train).flatten(1).double().numpy()
    return PCA(latents, svd_solver="full").fit(rows)


def reconstructed(pca: PCA, x: Tensor) -> np.ndarray:
    """Return rows that scikit-learn's PCA reconstructs."""
    rows: np.ndarray = pca.inverse_transform(pca.transform(x.flatten(1).double().numpy()))
    return rows.reshape(x.shape)


def squared_error(network: Network, x: Tensor) -> float:
    """Return the mean squared error of reconstructions."""
    with torch.no_grad():
        return float((network.reconstruct(x) - x).square().mean())


def exported_reconstructions(run: Run, samples: Samples, folder: Path) -> Samples:
    """Export the graphs of a run, and return the samples that onnxruntime reconstructs."""
    decoder = DecoderGraph(run.network, run.preprocessing, None)
    write_graphs(EncoderGraph(run.network, run.preprocessing), decoder, folder, samples)
    latents = open_session(folder / "encoder.onnx", 1).run(None, {"samples": samples})[0]
    answers: list[Samples] = open_session(folder / "decoder.onnx", 1).run(None, {"latents": latents})
    return answers[0]


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

    Images of one channel have one variance, as probabilistic PCA has. The bound is a mean over 20 draws.
    """
    rows = planted_rows(2_000, (2.0, 1.5, 1.0, 0.8), 64, noise=0.3)
    data = data_of(rows.reshape(-1, 1, 8, 8))
    network, preprocessing = begun(config_of("vae", layers.model_copy(update={"latent_dim": 4})), data)
    x, _ = preprocessed(data, preprocessing)
    example = Example(x, x, torch.zeros(len(x), dtype=torch.int64))
    with torch.no_grad():
        losses = [network.loss(example, Draws(seed))["loss"].item() for seed in range(20)]
    expected = pca_of(data, preprocessing, 4).score(x.flatten(1).double().numpy())
    assert -np.mean(losses) == pytest.approx(expected, abs=0.02)


def test_variances_of_a_table_begin_at_the_errors_of_reconstructed_draws() -> None:
    """With 6 columns and 4 latents, errors of PCA alone would be a third of them."""
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


def keep_after_gains(data: DataSet, folder: Path, gains: Tensor) -> dict[str, Tensor]:
    """Let a stage keep the better weights if those of its best epoch gain so much on each group; return the weights."""
    [stage] = stages_of(config_of("ae", DENSE), data)
    stage.history = [{"epoch": 1.0, "validation/mse": 9.0}, {"epoch": 2.0, "validation/mse": 1.0}]
    groups = Batches(data.validation, math.ceil(len(data.validation) / len(gains)), None)
    torch.save({"state_dict": stage.state_dict()}, folder / "best.ckpt")
    begin_correction(stage)
    torch.save({"state_dict": stage.state_dict()}, folder / "beginning.pt")
    stage.load_state_dict(torch.load(folder / "best.ckpt")["state_dict"])
    beginning = torch.load(folder / "beginning.pt") | {"criteria": criteria(stage, groups) + gains}
    torch.save(beginning, folder / "beginning.pt")
    keep_best(stage, groups, folder / "beginning.pt", folder / "best.ckpt")
    return stage.state_dict()


@pytest.mark.parametrize(
    ("gains", "improved"),
    [
        ([-0.01, 0.3], False),  # mean 0.145, standard error 0.155
        ([0.15, 0.3], True),  # three times its standard error
        ([0.2, 0.2], True),
        ([0.0, 0.0], False),
        ([-0.2, -0.2], False),
        ([math.nan, 0.2], False),
        ([0.1], True),  # one group has no standard error
        ([-0.1], False),
    ],
)
def test_an_improvement_counts_if_it_is_more_than_chance(
    gains: list[float], improved: bool, digits: DataSet, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    weights = keep_after_gains(digits, tmp_path, torch.tensor(gains, dtype=torch.float64))
    expected = torch.load(tmp_path / ("best.ckpt" if improved else "beginning.pt"))["state_dict"]
    assert all(torch.equal(weights[name], value) for name, value in expected.items())
    assert weights["network.stack.layers.0.up.0.weight"].any() == improved
    [message] = caplog.messages
    assert message == ("train: the weights of epoch 2 of 2 are kept" if improved else BEGINNING_KEPT)


@pytest.mark.parametrize(
    ("before", "after", "squared", "loss"),
    [
        ([1.0] * 20, [0.9, 0.8] * 10, True, True),
        ([1.0] * 9 + [1000.0], [0.9] * 9 + [1000.5], False, False),  # the far row hides the others' gain
        ([1.0] * 4 + [100.0] * 2, [1.1] * 4 + [10.0] * 2, False, True),  # 1.6 and 1.4 standard errors
        ([1.0, 0.0], [0.5, 0.0], False, False),
        ([-3.0] * 4, [-3.5] * 4, False, True),  # logarithms belong to squared errors
    ],
)
def test_squared_errors_must_improve_by_their_logarithms_too(
    before: list[float], after: list[float], squared: bool, loss: bool
) -> None:
    both = torch.tensor(before, dtype=torch.float64), torch.tensor(after, dtype=torch.float64)
    assert is_improvement(*both, squared=False) == loss
    if min(before) >= 0:
        assert is_improvement(*both, squared=True) == squared


def test_a_stage_without_a_saved_beginning_keeps_its_best_epoch(digits: DataSet, tmp_path: Path) -> None:
    [stage] = stages_of(config_of("ae", DENSE), digits)
    torch.save({"state_dict": stage.state_dict()}, tmp_path / "best.ckpt")
    stage.history = [{"epoch": 1.0, "validation/mse": 1.0}]
    begin_correction(stage)
    keep_best(stage, held_out_groups(digits), tmp_path / "none.pt", tmp_path / "best.ckpt")
    assert stage.state_dict()["network.stack.layers.0.up.0.weight"].any()


def test_the_beginning_is_saved_with_its_criteria_and_kept_if_training_adds_nothing(
    digits: DataSet, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    [stage] = stages_of(config_of("vae", DENSE), digits)
    begin_correction(stage)
    groups = held_out_groups(digits)
    save_beginning(stage, groups, tmp_path / "new" / "beginning.pt")
    saved = torch.load(tmp_path / "new" / "beginning.pt")
    assert torch.equal(saved["criteria"], criteria(stage, groups))
    torch.save({"state_dict": stage.state_dict()}, tmp_path / "best.ckpt")
    stage.history = [{"epoch": 1.0, "validation/loss": 1.0}]
    keep_best(stage, groups, tmp_path / "new" / "beginning.pt", tmp_path / "best.ckpt")
    assert BEGINNING_KEPT in caplog.messages


@pytest.mark.parametrize("family", ["ae", "vae"])
def test_a_learning_rate_far_too_large_leaves_pca(
    family: str, digits: DataSet, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The variational network is left at the best linear one, whose reconstructions are shrunk towards the mean."""
    config = config_of(family, DENSE, learning_rate=1.0, epochs=2, ema_decay=0.0, gradient_clip=1.0)
    run = fit(config, digits, tmp_path / "run", accelerator="cpu")
    assert BEGINNING_KEPT in caplog.messages
    _, x = preprocessed(digits, run.preprocessing)
    pca = pca_of(digits, run.preprocessing, whole=True)
    error = np.square(reconstructed(pca, x) - x.numpy()).mean()
    assert squared_error(run.network, x) <= (1.0001 if family == "ae" else 1.05) * error
    if family == "ae":
        exported = exported_reconstructions(run, digits.validation.in_users_units(), tmp_path)
        assert np.square(run.preprocessing(torch.from_numpy(exported)).numpy() - x.numpy()).mean() <= 1.0001 * error


def test_training_improves_on_pca(digits: DataSet, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = config_of("ae", DENSE, learning_rate=0.005, epochs=10, ema_decay=0.0)
    run = fit(config, digits, tmp_path / "run", accelerator="cpu")
    assert BEGINNING_KEPT not in caplog.messages
    _, x = preprocessed(digits, run.preprocessing)
    error = np.square(reconstructed(pca_of(digits, run.preprocessing), x) - x.numpy()).mean()
    assert squared_error(run.network, x) < 0.98 * error
    best = min(record["validation/mse"] for record in run.record.history["train"])
    assert squared_error(run.network, x) == pytest.approx(best, rel=1e-4)
