"""The folder of a run: its configuration, the fingerprint of its data, its record and its weights."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch
import yaml

from app.engine.process import available_cores
from training.checks import refuse_used_folder
from training.config import Config, Section, load_config
from training.data.dataset import DataSet
from training.errors import RunError
from training.fitting.stages import Stage
from training.networks.base import Network
from training.networks.build import build_network
from training.preprocessing import Preprocessor, fit_preprocessing

CONFIG, FINGERPRINT, RECORD, WEIGHTS = "config.yaml", "data.sha256", "run.json", "network.pt"
LIBRARIES = ("torch", "lightning", "numpy", "onnx", "onnxscript", "onnxruntime", "scikit-learn")


class RunRecord(Section):
    """The facts of a finished run, stored in run.json."""

    minutes: float
    data_fingerprint: str
    hardware: str
    libraries: dict[str, str]
    finished: str
    """Date, ISO 8601, UTC."""
    history: dict[str, list[dict[str, float]]]
    """For each stage, one record per epoch."""
    cut_short: bool | None = None
    """True if --max-minutes ended a stage before its last epoch; None in records of older versions."""


@dataclass(frozen=True)
class Run:
    """A finished run: the network with its best weights, in evaluation mode, and the record."""

    config: Config
    folder: Path
    network: Network
    preprocessing: Preprocessor
    record: RunRecord


def start(config: Config, data: DataSet, folder: Path) -> None:
    """Make the folder of a new run. Raises RunError if it holds a run already."""
    refuse_used_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FINGERPRINT).write_text(data.fingerprint() + "\n", encoding="utf-8")
    (folder / CONFIG).write_text(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False), encoding="utf-8")


def read_config(folder: Path) -> Config:
    """Read the configuration of a run. Raises RunError if the folder is not a run's."""
    if not (folder / CONFIG).is_file():
        raise RunError(f"{folder} is not the folder of a run: it has no {CONFIG}")
    return load_config(str(folder / CONFIG), is_stored=True)


def load_run(folder: Path, data: DataSet) -> Run:
    """Read a finished run from its folder. Raises RunError if it has not finished."""
    config = read_config(folder)
    if not (folder / WEIGHTS).is_file():
        raise RunError(f"{folder}: the run has not finished; --resume continues it")
    check_data(folder, data)
    network = build_network(config, data.input, len(data.classes))
    try:
        network.load_state_dict(torch.load(folder / WEIGHTS, weights_only=True))
    except RuntimeError as error:
        raise RunError(f"{folder}: its weights are not those of this version's network; train it again") from error
    record = RunRecord.model_validate_json((folder / RECORD).read_text(encoding="utf-8"))
    return Run(config, folder, network.eval(), fit_preprocessing(config, data), record)


def check_data(folder: Path, data: DataSet) -> None:
    """Raise RunError unless the run was started with these data."""
    if (folder / FINGERPRINT).read_text(encoding="utf-8").strip() != data.fingerprint():
        raise RunError(f"{folder}: the data differ from those that the run was started with")


def finish(
    config: Config,
    data: DataSet,
    folder: Path,
    network: Network,
    preprocessing: Preprocessor,
    stages: Sequence[Stage],
    *,
    cut_short: bool,
) -> Run:
    """Write the record and then the weights. An interrupted write leaves no partial file of either name."""
    record = RunRecord(
        minutes=round(sum(stage.seconds for stage in stages) / 60, 2),
        data_fingerprint=data.fingerprint(),
        hardware=describe_hardware(stages[-1].device_name),
        libraries={name: importlib.metadata.version(name) for name in LIBRARIES},
        finished=datetime.now(UTC).date().isoformat(),
        history={stage.plan.name: stage.history for stage in stages},
        cut_short=cut_short,
    )
    partial = folder / "partial.tmp"
    partial.write_text(record.model_dump_json(indent=1), encoding="utf-8")
    partial.replace(folder / RECORD)
    torch.save(network.state_dict(), partial)
    partial.replace(folder / WEIGHTS)
    return Run(config, folder, network.eval(), preprocessing, record)


def describe_hardware(device: str) -> str:
    """Return the GPU's name; of a CPU, the number of cores and the processor's name if the system reports it."""
    if device != "cpu":
        return device
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        lines = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        name = lines[0].partition(":")[2].strip() if lines else name
    cores = available_cores()
    return f"{cores} {'core' if cores == 1 else 'cores'}, {name}"


def is_complete(folder: Path) -> bool:
    """Return whether a run has finished, and was not cut short, so that nothing is left to resume."""
    if not (folder / WEIGHTS).is_file():
        return False
    return RunRecord.model_validate_json((folder / RECORD).read_text(encoding="utf-8")).cut_short is False


def discard_checkpoints(folder: Path) -> None:
    """Remove the checkpoints of a complete run, several times its weights: only a resumed run reads them."""
    for stage in folder.glob("[0-9]*-*"):
        shutil.rmtree(stage)


def unfinish(folder: Path) -> None:
    """Remove the record and the weights of a finished run that now continues."""
    for name in (WEIGHTS, RECORD):
        (folder / name).unlink(missing_ok=True)


def remove(folder: Path) -> None:
    """Delete the folder of a run. Raises RunError if it holds anything else."""
    if folder.exists() and any(folder.iterdir()):
        read_config(folder)
        shutil.rmtree(folder)
