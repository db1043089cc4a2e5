"""The command `hourglass-train` prints its result to stdout, and one sentence for each mistake to stderr."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import numpy as np
import pytest
import yaml

from app.manifest import Manifest
from training.__main__ import main
from training.config import load_config
from training.fitting.stages import Stage


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Return the path of a configuration that trains in a second."""
    document = load_config("digits-ae").model_dump(mode="json")
    document["optimisation"]["epochs"] = 2
    path = tmp_path / "quick.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def test_a_model_is_trained_exported_and_evaluated(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = ["--models-dir", str(tmp_path / "models")]
    run = str(tmp_path / "run")
    assert main(["train", str(config), "--run-dir", run, *places]) == 0
    first = Path(capsys.readouterr().out.strip())
    assert first == tmp_path / "models" / "digits-ae" / "1"
    assert main(["export", run, *places]) == 0
    assert Path(capsys.readouterr().out.strip()) == first.parent / "2"
    assert main(["evaluate", "digits-ae/1", *places]) == 0
    captured = capsys.readouterr()
    result = json.loads(captured.out)
    assert (result["model"], result["version"]) == ("digits-ae", 1)
    expected = Manifest.read(first).metrics[0].values
    assert result["metrics"][0]["values"] == pytest.approx(expected, rel=1e-4)
    assert "pca_mse" in captured.err
    assert main(["evaluate", "digits-ae", *places]) == 0
    assert json.loads(capsys.readouterr().out)["version"] == 2
    assert main(["evaluate", str(first)]) == 0


def test_a_held_out_file_is_measured_beside_the_pca_of_the_training_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """First beside the training data themselves, then without them, by the PCA that the version has."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for name, rows in (("train", 80), ("new", 30)):
        numbers = random.normal(size=(rows, 2)) @ random.normal(size=(2, 5)) + random.normal(size=(rows, 5))
        lines = [f"{','.join(f'{x:.4f}' for x in row)},{'ab'[i % 5 == 0]}" for i, row in enumerate(numbers.tolist())]
        (tmp_path / f"{name}.csv").write_text("v,w,x,y,z,kind\n" + "\n".join(lines) + "\n")
    assert main(["train", "table-ae", "--data", "train.csv", "--drop", "kind", "--name", "t", "--epochs", "2"]) == 0
    capsys.readouterr()
    measured = []
    for _ in range(2):
        assert main(["evaluate", "t", "--test", "new.csv", "--label", "kind"]) == 0
        measured.append(json.loads(capsys.readouterr().out)["metrics"])
        (tmp_path / "train.csv").unlink(missing_ok=True)
    (beside, *_, labelled), (alone, *_) = measured
    assert beside["data_set"] == "new, every row, 30 samples"
    assert "fitted on 58 training rows" in beside["protocol"]
    assert "of 58 rows of the model's training data, stored with the version" in alone["protocol"]
    assert alone["values"]["pca_mse"] == pytest.approx(beside["values"]["pca_mse"], rel=1e-4)
    assert "positive: b, the rarer class" in labelled["protocol"]
    assert {"auroc", "average_precision", "pca_auroc"} <= labelled["values"].keys()


@pytest.mark.parametrize("name", ["table-ae", "table-vae", "images-ae", "images-sdae", "images-vae"])
def test_the_general_configurations_accept_any_data(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    random = np.random.default_rng(0)
    shape = (60, 11, 14, 3) if name.startswith("images") else (60, 5)
    np.save(tmp_path / "mine.npy", random.integers(0, 256, shape, np.uint8))
    options = ["--name", "mine", "--epochs", "1", "--no-export", "--run-dir", str(tmp_path / "run")]
    options += ["--set", "objective.denoiser_steps=9"] if name == "images-sdae" else []
    assert main(["train", name, *options]) == 1
    assert "name a file or a folder with --data PATH" in capsys.readouterr().err
    assert main(["train", name, "--data", str(tmp_path / "mine.npy"), *options]) == 0
    assert "split       43 training, 11 validation, 6 test" in capsys.readouterr().err
    assert yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["name"] == "mine"


def test_a_run_can_be_stopped_resumed_and_started_again(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", str(config), "--run-dir", str(tmp_path / "run"), "--no-export"]
    assert main([*command, "--max-minutes", "0.0000001"]) == 0
    record = tmp_path / "run" / "run.json"
    assert len(json.loads(record.read_text())["history"]["train"]) == 1
    assert main(command) == 1
    assert "--resume continues it" in capsys.readouterr().err
    assert main([*command, "--resume"]) == 0
    assert len(json.loads(record.read_text())["history"]["train"]) == 2
    assert main([*command, "--overwrite", "--epochs", "1", "--seed", "3"]) == 0
    assert yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["optimisation"]["seed"] == 3


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["train", "nothing"], "no configuration file 'nothing'"),
        (
            ["train", "digits-ae", "--epochs", "0"],
            "--epochs 0: Input should be greater than",
        ),
        (["train", "digits-ae", "--accelerator", "gpu", "--run-dir", "{tmp}/run"], "no GPU here"),
        (["train", "digits-ae", "--no-export", "--run-dir", "{tmp}/train-labels-idx1-ubyte/run"], "Not a directory"),
        (["train", "digits-ae", "--resume", "--overwrite"], "exclude each other"),
        (["train", "digits-ae", "--resume", "--run-dir", "nowhere"], "not the folder of a run"),
        (["export", "nowhere"], "not the folder of a run"),
        (["evaluate", "nothing"], "no version of a model"),
        (["train", "mnist-ae", "--data-dir", "{tmp}", "--run-dir", "{tmp}/run"], "t10k-images-idx3-ubyte"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_1(
    arguments: list[str],
    sentence: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(b"\0\0\x08\x01\0\0\0\0")
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01\0\0\0\0")
    assert main([argument.replace("{tmp}", str(tmp_path)) for argument in arguments]) == 1
    captured = capsys.readouterr()
    *findings, message = captured.err.strip().splitlines()
    assert message.startswith("hourglass-train: ")
    assert sentence in message
    assert not findings or findings[0].startswith("rows  ")  # the summary of the data is printed first
    assert captured.out == ""
    assert not (tmp_path / "run").exists()


def test_ctrl_c_prints_how_to_continue(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = signal.getsignal(signal.SIGINT)
    step = Stage.training_step

    def interrupt(self: Stage, *batch: object) -> object:
        if self.current_epoch == 1:
            raise KeyboardInterrupt
        return step(self, *batch)  # type: ignore[arg-type]

    command = ["train", str(config), "--run-dir", str(tmp_path / "run"), "--no-export"]
    with monkeypatch.context() as patch:
        patch.setattr(Stage, "training_step", interrupt)
        assert main(command) == 130
    signal.signal(signal.SIGINT, handler)
    assert "train --resume continues after the last complete epoch" in capsys.readouterr().err
    assert main([*command, "--resume"]) == 0


def test_an_unexpected_error_is_one_sentence_that_names_the_file_of_its_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(name: str) -> None:
        raise ZeroDivisionError("two\nlines")

    monkeypatch.setattr("training.commands.load_config", fail)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert main(["train", "digits-ae"]) == 1
    (saved,) = tmp_path.iterdir()
    place = f"its traceback, for a report of the defect, is in {saved}"
    assert capsys.readouterr().err == f"hourglass-train: unexpected ZeroDivisionError: two lines; {place}\n"
    assert "ZeroDivisionError: two" in saved.read_text()


def test_too_little_memory_is_one_sentence(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise MemoryError("Unable to allocate 3 TiB")

    monkeypatch.setattr("training.commands.load_config", fail)
    assert main(["train", "digits-ae"]) == 1
    assert capsys.readouterr().err == "hourglass-train: there is not enough memory: Unable to allocate 3 TiB\n"


@pytest.mark.parametrize(("name", "shape"), [("table-ae", (3, 2)), ("table-vae", (3, 2)), ("images-ae", (3, 8, 8))])
def test_three_rows_are_enough_for_a_version(
    name: str, shape: tuple[int, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "few.npy", np.random.default_rng(0).random(shape))
    places = ["--run-dir", str(tmp_path / "run"), "--models-dir", str(tmp_path / "models")]
    data = ["--data", str(tmp_path / "few.npy"), "--kind", "vector" if len(shape) == 2 else "image"]
    assert main(["train", name, *data, "--name", "few", "--epochs", "1", *places]) == 0
    assert Path(capsys.readouterr().out.strip()) == tmp_path / "models" / "few" / "1"
