"""Pairs as other tools export them are imported without a difference, or refused for the right reason."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from bench.imports.foreign_graphs import FOREIGN
from bench.imports.runtime_graphs import RUNTIME
from bench.imports.torch_pairs import TORCH
from bench.imports.trial import Outcome, Trial, attempt

SITUATIONS = ("LSTM, batch of 1", "outputs z_mean, z_log_sigma, z with a draw", "one-hot labels in both")
"""Pairs of torch that the tests export; the command `python -m bench.imports` exports all."""
TRIALS = [*FOREIGN, *RUNTIME, *(trial for trial in TORCH if trial.situation in SITUATIONS)]


@pytest.mark.parametrize("trial", TRIALS, ids=[f"{trial.source}: {trial.situation}" for trial in TRIALS])
def test_pairs_have_the_right_outcome(tmp_path: Path, trial: Trial) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's exporters
        outcome = attempt(trial, tmp_path)
    assert outcome.is_right(trial), outcome


def test_an_outcome_is_right_if_nothing_differs_or_the_reason_is_named() -> None:
    imported, refused = TRIALS[0], Trial("a tool", "a situation", lambda _: None, refused="call eval()")
    assert Outcome("imported", "", 1e-5).is_right(imported)
    assert not Outcome("imported", "", 1e-3).is_right(imported)
    assert not Outcome("refused", "call eval()", None).is_right(imported)
    assert Outcome("refused", "call eval() before exporting", None).is_right(refused)
    assert not Outcome("refused", "unknown", None).is_right(refused)
