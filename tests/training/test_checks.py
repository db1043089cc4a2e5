"""Mistakes in options and folders are found before torch is imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.configurations import with_objective
from tests.helpers.training_data import load_array
from training.checks import check_fit, check_models_folder, check_run_folder
from training.config import DataConfig, VariationalObjective, load_config
from training.data.load import load_data
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


def test_a_conditional_network_needs_the_labels_of_every_part(tmp_path: Path) -> None:
    config = load_config("images-vae")
    assert isinstance(config.objective, VariationalObjective)
    conditional = config.model_copy(update={"objective": config.objective.model_copy(update={"conditional": True})})
    draws = np.random.default_rng(0)
    for name in ("train/x", "train/y", "val/x", "val/y", "test/x"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for number in range(3):
            Image.fromarray(draws.integers(0, 256, (9, 8), np.uint8)).save(tmp_path / "set" / name / f"{number}.png")
    check_fit(conditional, load_data(DataConfig(path=str(tmp_path / "set")), None, seed=0))
    for folder in ("x", "y"):
        for file in (tmp_path / "set" / "val" / folder).iterdir():
            file.rename(tmp_path / "set" / "val" / f"{folder}{file.name}")
        (tmp_path / "set" / "val" / folder).rmdir()
    unlabelled = load_data(DataConfig(path=str(tmp_path / "set")), None, seed=0)
    check_fit(config, unlabelled)
    with pytest.raises(DataError, match=r"the validation part has none.*--set objective\.conditional=false"):
        check_fit(conditional, unlabelled)
    with pytest.raises(DataError, match=r"needs labels of two or more classes, got none"):
        check_fit(conditional, load_array(tmp_path, draws.integers(0, 256, (30, 9, 8), np.uint8)))


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


def test_a_fine_tuning_with_labels_needs_them(tmp_path: Path) -> None:
    config = with_objective(load_config("images-sdae"), label_weight=2.0)
    images = load_array(tmp_path, np.random.default_rng(0).integers(0, 256, (30, 9, 8), np.uint8))
    with pytest.raises(DataError, match=r"label_weight=2 needs labels of two .*label_weight=0 trains without them"):
        check_fit(config, images)
