"""The folder of a run is read back as it was, and never mixed with other data or other files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.helpers.configurations import bundled_config
from training.config import Config
from training.data.dataset import DataSet
from training.errors import RunError
from training.fitting.runs import describe_hardware, load_run, read_config, remove
from training.fitting.trainer import fit


def short_config(**optimisation: object) -> Config:
    """Return a configuration of one epoch."""
    return bundled_config("digits-ae", epochs=1, batch_size=200, **optimisation)


def test_a_finished_run_is_read_back_as_it_was(digits: DataSet, tmp_path: Path) -> None:
    run = fit(short_config(), digits, tmp_path / "run", accelerator="cpu")
    again = load_run(tmp_path / "run", digits)
    pairs = zip(run.network.parameters(), again.network.parameters(), strict=True)
    assert all(torch.equal(first, second) for first, second in pairs)
    assert (again.config, again.record) == (run.config, run.record)
    assert not again.network.training


def test_other_data_cannot_be_mixed_into_a_run(digits: DataSet, tmp_path: Path) -> None:
    fit(short_config(), digits, tmp_path / "run", accelerator="cpu")
    other = replace(digits, train=digits.train.take(slice(500)))
    with pytest.raises(RunError, match="the data differ from those that the run was started with"):
        fit(short_config(), other, tmp_path / "run", resume=True, accelerator="cpu")
    with pytest.raises(RunError, match="the data differ"):
        load_run(tmp_path / "run", other)


def test_a_run_is_not_overwritten(digits: DataSet, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    fit(short_config(), digits, folder, accelerator="cpu")
    with pytest.raises(RunError, match="--resume continues it, --overwrite starts again"):
        fit(short_config(), digits, folder, accelerator="cpu")
    with pytest.raises(RunError, match="the configuration differs"):
        fit(short_config(seed=1), digits, folder, resume=True, accelerator="cpu")
    remove(folder)
    assert not folder.exists()


def test_a_folder_of_other_files_is_left_as_it_is(tmp_path: Path, digits: DataSet) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    for call in (read_config, remove):
        with pytest.raises(RunError, match="not the folder of a run"):
            call(tmp_path)
    assert (tmp_path / "thesis.txt").exists()
    with pytest.raises(RunError, match="not the folder of a run"):
        load_run(tmp_path, digits)


def test_the_hardware_is_the_gpu_or_the_cores_and_the_processor() -> None:
    assert describe_hardware("NVIDIA H100") == "NVIDIA H100"
    assert " core" in describe_hardware("cpu")
