"""The untrained network answers in the user's units, and depends on the seed only."""

from __future__ import annotations

import numpy as np
import torch

from tests.helpers.configurations import bundled_config
from training.config import Config
from training.data.dataset import DataSet
from training.evaluation.untrained import untrained
from training.networks.build import build_network
from training.preprocessing import fit_preprocessing


def test_it_answers_as_a_new_network_does(digits: DataSet) -> None:
    config = bundled_config("digits-vae")
    run = untrained(config, digits, fit_preprocessing(config, digits))
    samples = digits.test.in_users_units()
    network = build_network(config, digits.input).eval()
    with torch.no_grad():
        x = torch.from_numpy(samples) / 16
        expected = network.encode(x), 16 * network.reconstruct(x)
    for task, answer in zip(("encode", "reconstruct"), expected, strict=True):
        np.testing.assert_allclose(run(task, samples), answer, rtol=1e-4, atol=1e-4)  # type: ignore[arg-type]


def test_many_rows_are_run_in_batches(digits: DataSet) -> None:
    config = bundled_config("digits-ae")
    run = untrained(config, digits, fit_preprocessing(config, digits))
    samples = digits.train.in_users_units()
    assert len(samples) > 1024
    np.testing.assert_allclose(run("encode", samples)[-5:], run("encode", samples[-5:]), rtol=1e-4, atol=1e-5)


def test_a_conditional_network_gets_its_first_label(digits: DataSet) -> None:
    config = bundled_config("digits-vae")
    document = config.model_dump()
    document["objective"]["conditional"] = True
    config = Config.model_validate(document)
    run = untrained(config, digits, fit_preprocessing(config, digits))
    assert run("reconstruct", digits.test.in_users_units()[:3]).shape == (3, 1, 8, 8)
