"""The folder of a run is read back as it was, and never mixed with other data or other files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml

from tests.helpers.configurations import bundled_config
from training.config import Config
from training.data.dataset import DataSet
from training.errors import RunError
from training.exporting.export import export
from training.fitting.runs import describe_hardware, discard_checkpoints, is_complete, load_run, read_config, remove
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


def test_weights_of_another_network_are_refused(digits: DataSet, tmp_path: Path) -> None:
    fit(short_config(), digits, tmp_path / "run", accelerator="cpu")
    weights = torch.load(tmp_path / "run" / "network.pt", weights_only=True)
    weights.popitem()
    torch.save(weights, tmp_path / "run" / "network.pt")
    with pytest.raises(RunError, match="its weights are not those of this version's network; train it again"):
        load_run(tmp_path / "run", digits)


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


def test_a_run_from_before_scorers_is_read_without_one(tmp_path: Path) -> None:
    document = short_config().model_dump(mode="json", exclude={"scorer"})
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(document))
    assert read_config(tmp_path).scorer.kind == "none"


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


def test_a_finished_run_keeps_what_resuming_and_exporting_need(
    digits: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS")
    folder = tmp_path / "run"
    run = fit(short_config(), digits, folder, accelerator="cpu")
    names = {path.name for path in folder.iterdir()}
    assert names == {"config.yaml", "data.sha256", "run.json", "network.pt", "tensorboard", "threads.txt"}
    weights = (folder / "network.pt").stat().st_size
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < weights + 100_000
    assert is_complete(folder)
    again = fit(short_config(), digits, folder, resume=True, accelerator="cpu")
    assert again.record == run.record
    assert export(load_run(folder, digits), digits, tmp_path / "models").name == "1"


def test_a_run_that_was_cut_short_keeps_its_checkpoints(digits: DataSet, tmp_path: Path) -> None:
    config = bundled_config("digits-ae", epochs=2, batch_size=200)
    run = fit(config, digits, tmp_path / "run", max_minutes=1e-9, accelerator="cpu")
    assert run.record.cut_short is True
    assert not is_complete(tmp_path / "run")
    assert (tmp_path / "run" / "0-train" / "last.ckpt").is_file()
    resumed = fit(config, digits, tmp_path / "run", resume=True, accelerator="cpu")
    assert resumed.record.cut_short is False
    assert not list((tmp_path / "run").rglob("*.ckpt"))


def test_a_run_of_an_older_version_is_resumed_from_its_checkpoints(digits: DataSet, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    fit(short_config(), digits, folder, accelerator="cpu")
    record = (folder / "run.json").read_text()
    (folder / "run.json").write_text(record.replace('"cut_short": false', '"cut_short": null'))
    assert not is_complete(folder)


def test_only_the_folders_of_stages_are_discarded(tmp_path: Path) -> None:
    for name in ("0-pretrain-layer-1", "1-fine-tune", "tensorboard", "notes"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    discard_checkpoints(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"tensorboard", "notes"}
