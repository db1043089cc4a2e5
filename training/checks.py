"""Checks that need no torch and are made before its import: of options, of folders, and of data that fit a network."""

from __future__ import annotations

import os
from pathlib import Path

from training.config import Config, option_of_labels
from training.data.dataset import DataSet
from training.errors import DataError, RunError


def check_run_folder(folder: Path, *, resume: bool, overwrite: bool) -> None:
    """Raise RunError unless a run can be started, or resumed, in a folder."""
    if resume and overwrite:
        raise RunError("--resume and --overwrite exclude each other")
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder} is not a folder; --run-dir names another")
    if not (resume or overwrite):
        refuse_used_folder(folder)


def refuse_used_folder(folder: Path) -> None:
    """Raise RunError if a folder holds a run already."""
    if folder.exists() and any(folder.iterdir()):
        raise RunError(f"{folder} holds a run already: --resume continues it, --overwrite starts again")


def check_models_folder(folder: Path) -> None:
    """Raise RunError unless versions can be written to a model repository, which may not exist yet."""
    place = folder.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        raise RunError(f"{folder}: {place} is not a folder; --models-dir names another")
    if not os.access(place, os.W_OK | os.X_OK):
        raise RunError(f"{folder}: no permission to write to {place}; --models-dir names another")


def check_fit(config: Config, data: DataSet) -> None:
    """Raise DataError unless the samples are of the kind that the configuration's network is for, with its labels."""
    _check_labels(config, data)
    findings, origin = data.findings, config.data.path or data.name
    if config.network.architecture == "conv" and findings.kind == "vector":
        raise DataError(
            f"{origin}: vectors of {findings.shape[0]} numbers, but the configuration's network is convolutional, for "
            "images; tables and windows of series need a dense one, such as table-ae's"
        )
    if config.network.architecture == "dense" and findings.is_kind_guessed:
        shape = "x".join(map(str, findings.shape[1:]))
        raise DataError(
            f"{origin}: samples of {shape} numbers may be windows of series or images: say --kind vector or "
            "--kind image"
        )


def _check_labels(config: Config, data: DataSet) -> None:
    """Raise DataError if the objective needs labels, and the data or a part of them lack labels."""
    option, origin = option_of_labels(config.objective), config.data.path or data.name
    if option is None:
        return
    on, off = ("true", "false") if option == "conditional" else (f"{getattr(config.objective, option):g}", "0")
    way_out = f"--set objective.{option}={off} trains without them"
    if len(data.classes) < 2:
        got = f"only {data.classes[0]!r}" if data.classes else "none"
        raise DataError(
            f"{origin}: --set objective.{option}={on} needs labels of two or more classes, got {got}; "
            f"--label names a column or member, folders name the classes of images; {way_out}"
        )
    for name, part in (("training", data.train), ("validation", data.validation), ("test", data.test)):
        if part.labels is None:
            raise DataError(
                f"{origin}: --set objective.{option}={on} needs the labels of all parts, and the {name} part "
                f"has none, such as images without folders of classes; {way_out}"
            )
