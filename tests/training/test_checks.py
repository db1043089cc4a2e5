"""Mistakes in options and folders are found before torch is imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.training_data import load_array
from training.checks import check_fit, check_models_folder, check_run_folder
from training.config import load_config
from training.errors import DataError, RunError


def test_a_used_folder_needs_an_option(tmp_path: Path) -> None:
    check_run_folder(tmp_path, resume=False, overwrite=False)
    check_run_folder(tmp_path / "new", resume=False, overwrite=False)
    (tmp_path / "config.yaml").touch()
    with pytest.raises(RunError, match="holds a run already: --resume continues it, --overwrite starts again"):
        check_run_folder(tmp_path, resume=False, overwrite=False)
    check_run_folder(tmp_path, resume=True, overwrite=False)
    check_run_folder(tmp_path, resume=False, overwrite=True)
    with pytest.raises(RunError, match="exclude each other"):
        check_run_folder(tmp_path, resume=True, overwrite=True)


def test_a_file_in_place_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="file is not a folder; --run-dir names another"):
        check_run_folder(tmp_path / "file", resume=False, overwrite=False)
    with pytest.raises(RunError, match="file is not a folder; --models-dir names another"):
        check_models_folder(tmp_path / "file" / "models")
    check_models_folder(tmp_path / "not" / "yet" / "there")


def test_windows_are_never_taken_for_images_by_a_dense_network(tmp_path: Path) -> None:
    windows = np.random.default_rng(0).normal(size=(30, 16, 8))
    with pytest.raises(DataError, match="samples of 16x8 numbers may be windows of series or images: say --kind"):
        check_fit(load_config("table-ae"), load_array(tmp_path, windows))
    check_fit(load_config("images-ae"), load_array(tmp_path, windows))
    for kind in ("image", "vector"):
        check_fit(load_config("table-ae"), load_array(tmp_path, windows, kind=kind))


def test_vectors_do_not_fit_a_convolutional_network(tmp_path: Path) -> None:
    table = np.random.default_rng(0).normal(size=(30, 5))
    with pytest.raises(DataError, match="vectors of 5 numbers, but the configuration's network is convolutional"):
        check_fit(load_config("images-ae"), load_array(tmp_path, table))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--name", "WDBC-ae"], "--name WDBC-ae: a model's name has"),
        (["--epochs", "0"], "--epochs 0: "),
        (["--set", "optimisation.epoch=3"], "did you mean optimisation.epochs?"),
        (["--resume", "--overwrite"], "exclude each other"),
        (["--data", "nothing.csv"], "no such file or folder: nothing.csv"),
        (["--data", "windows.npy"], "may be windows of series or images"),
        (["--models-dir", "windows.npy"], "is not a folder"),
    ],
)
def test_mistakes_are_found_before_torch_is_imported(arguments: list[str], message: str, tmp_path: Path) -> None:
    np.save(tmp_path / "windows.npy", np.random.default_rng(0).normal(size=(30, 16, 8)))
    program = (
        "import sys; from training.__main__ import main; code = main(sys.argv[1:]);"
        "sys.exit(9 if 'torch' in sys.modules else code)"
    )
    command = [sys.executable, "-c", program, "train", "table-ae", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert ended.returncode == 1
    assert message in ended.stderr.splitlines()[-1]
