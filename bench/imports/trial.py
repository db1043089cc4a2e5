"""One import: a pair of graphs, the options, and the comparison with the original."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime

from app.__main__ import main
from app.engine.autoencoder import Autoencoder
from app.engine.repository import load_version
from app.importing.surgery.cutting import cutting_places

Rows = npt.NDArray[Any]
Answers = tuple[Rows, Rows]
"""The latents of samples, and the reconstructions of these latents; flat rows."""
Original = Callable[[Path, Rows], Answers]
"""Returns the original's answers, from the folder of its graphs and samples as the original takes them."""
SAMPLES = 6
PLACE = "PLACE"
"""In options: the tensor that the import suggests for a cut, whose name each exporter makes up."""


class Trial(NamedTuple):
    """One import, and what is right."""

    source: str
    """The tool that writes such graphs."""
    situation: str
    write: Callable[[Path], None]
    """Writes `e.onnx` and `d.onnx` into a folder, or only `e.onnx`."""
    options: str = ""
    refused: str = ""
    """A part of the message, if the pair must be refused; empty if it must be imported."""
    shape: tuple[int, ...] = (10,)
    """The shape of a sample in the original."""
    original: Original | None = None
    """None: each graph is run as it is, and its first output counts."""
    low: float = -2
    high: float = 2


class Outcome(NamedTuple):
    """The result of an import."""

    verdict: str
    """`imported` or `refused`."""
    words: str
    """The adaptations, or the reason of a refusal."""
    difference: float | None
    """The largest difference from the original, in latents and reconstructions; None if it was refused."""

    def is_right(self, trial: Trial) -> bool:
        """Return whether the pair was imported without a difference, or refused for the right reason."""
        if trial.refused:
            return self.verdict == "refused" and trial.refused in self.words
        return self.verdict == "imported" and self.difference is not None and self.difference < 1e-4


def attempt(trial: Trial, folder: Path) -> Outcome:
    """Write the pair of a trial, import it, and compare the version's answers with the original's."""
    trial.write(folder)
    decoder = ["--decoder", str(folder / "d.onnx")] if (folder / "d.onnx").exists() else []
    options = trial.options
    if PLACE in options:
        options = options.replace(PLACE, cutting_places(onnx.load(folder / "e.onnx"))[0])
    command = ["import", "--encoder", str(folder / "e.onnx"), *decoder, "--name", "m"]
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main([*command, "--models-dir", str(folder / "models"), *options.split()])
    lines = err.getvalue().strip().splitlines()
    if code:
        return Outcome("refused", lines[-1].removeprefix("hourglass: "), None)
    adapted = [re.sub("^adapted +", "", line) for line in lines if line.startswith(("adapted", "note"))]
    model = load_version(folder / "models" / "m" / "1", "m", 1)
    return Outcome("imported", "; ".join(adapted), difference(trial, folder, model))


def difference(trial: Trial, folder: Path, model: Autoencoder) -> float:
    """Return the largest difference between a version and the original, in latents and reconstructions."""
    unit = np.random.default_rng(5).random((SAMPLES, *trial.shape))
    samples = (trial.low + (trial.high - trial.low) * unit).astype(np.float32)
    latents, reconstructions = (trial.original or run_both)(folder, samples)
    shape = model.manifest.input_shape
    ours = samples.transpose(0, 3, 1, 2) if samples.shape[1:] != shape and _is_last(samples, shape) else samples
    label = model.manifest.labels[0] if model.manifest.labels else None
    encoded = model.encode(ours.reshape(SAMPLES, *shape), label if model.manifest.encoder_takes_labels else None)
    decoded = model.decode(encoded, label)
    if decoded.shape[1:] != reconstructions.shape[1:] and _is_last(reconstructions, shape):
        reconstructions = reconstructions.transpose(0, 3, 1, 2)
    if value_range := model.manifest.input.value_range:
        reconstructions = reconstructions.clip(value_range.low, value_range.high)
    pairs = [(encoded, latents), (decoded, reconstructions)]
    return max(float(np.abs(a.reshape(SAMPLES, -1) - b.reshape(SAMPLES, -1)).max()) for a, b in pairs)


def run_both(folder: Path, samples: Rows) -> Answers:
    """Return the first output of the encoder, and that of the decoder for it."""
    latents = run(folder / "e.onnx", samples)[0]
    return latents, run(folder / "d.onnx", latents)[0]


def run(path: Path, rows: Rows, labels: Mapping[str, Rows] | None = None) -> list[Rows]:
    """Return the outputs of a graph, run one row at a time."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [node.name for node in session.get_inputs()]
    parts = []
    for index in range(len(rows)):
        others = {name: values[index : index + 1] for name, values in (labels or {}).items()}
        (name,) = set(names) - others.keys()
        parts.append(session.run(None, {name: rows[index : index + 1], **others}))
    return [np.concatenate(pieces) for pieces in zip(*parts, strict=True)]


def _is_last(rows: Rows, shape: tuple[int, ...]) -> bool:
    """Return whether rows have the channels of a shape last."""
    return len(shape) == 3 and rows.ndim == 4 and rows.shape[1:] == (shape[1], shape[2], shape[0])
