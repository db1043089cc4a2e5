"""Run `hourglass import` on a pair of graphs, and check what it writes or refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from app.__main__ import main
from app.arrays import Rows
from app.engine.autoencoder import Autoencoder
from app.engine.repository import load_version
from tests.helpers import foreign
from tests.helpers.foreign import LATENTS, SHAPE, SIZE, constant, node, save

LAST = (4, 5, 3)
"""SHAPE with the channels last."""
FLATTEN, MATMUL = node("Flatten", "x", "flat"), node("MatMul", "flat w", "code")

Change = Callable[[Path], object]
"""Changes the pair e.onnx and d.onnx in a folder."""
CheckRefusal = Callable[[Change, tuple[str, ...], str], None]
"""Takes a change, options of the command and a part of the message."""
Refusal = tuple[str, Change, tuple[str, ...], str]
"""A label, the change that makes the pair unusable, options of the command, and a part of the message."""


def arguments(folder: Path, *options: str) -> list[str]:
    """Return the command for the pair e.onnx and d.onnx, by default of images from 0 to 1."""
    pair = ["--encoder", str(folder / "e.onnx"), "--decoder", str(folder / "d.onnx")]
    value_range = [] if "--range" in options or "--shape=60" in options else ["--range", "0", "1"]
    return ["import", *pair, "--name", "mine", "--models-dir", str(folder / "models"), *value_range, *options]


def imported(folder: Path, *options: str) -> Autoencoder:
    """Import e.onnx and d.onnx, and load the version as the server does."""
    assert main(arguments(folder, *options)) == 0
    return load_version(folder / "models" / "mine" / "1", "mine", 1)


def refusal(folder: Path, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    """Return the message with which the command refuses the pair, after checking that it left nothing behind."""
    assert main(arguments(folder, *options)) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert not (folder / "models").exists() or not list((folder / "models").rglob("*"))
    message = output.err.splitlines()[-1]
    assert message.startswith("hourglass: ")
    return message


def assert_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], change: Change, options: tuple[str, ...], message: str
) -> None:
    """Write a valid pair, change it, and check the message of its refusal."""
    graphs = folder / "graphs"
    graphs.mkdir()
    foreign.encoder(graphs / "e.onnx")
    foreign.decoder(graphs / "d.onnx")
    change(graphs)
    assert message in refusal(graphs, capsys, *options)


def agree(rows: Rows, expected: Rows, tolerance: float = 1e-5) -> None:
    """Check that arrays are equal, and not constant."""
    assert rows.dtype == np.float32
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(rows, expected, atol=tolerance)


def channels_last(samples: Rows) -> Rows:
    return samples.transpose(0, 2, 3, 1)


def channels_first(samples: Rows) -> Rows:
    return samples.transpose(0, 3, 1, 2)


def encoder_of(*nodes: onnx.NodeProto, batch: int | str = "n", **more: object) -> Change:
    """Return a change to an encoder of these nodes, from `x` to `code`; `w` are its weights, `rows` is [4, SIZE]."""
    constants = [
        constant("w", foreign.weights(1, SIZE, LATENTS)),
        constant("rows", [4, SIZE], np.int64),
        constant("yes", True, np.bool_),
        constant("half", 0.5),
    ]

    def write(folder: Path) -> Path:
        ends = [("x", [batch, *SHAPE])], [("code", [batch, LATENTS])]
        return save(folder / "e.onnx", nodes, *ends, constants, **more)  # type: ignore[arg-type]

    return write


def changed_encoder(**more: object) -> Change:
    """Return a change to `foreign.encoder` with these arguments."""
    return lambda folder: foreign.encoder(folder / "e.onnx", **more)  # type: ignore[arg-type]


def changed_decoder(**more: object) -> Change:
    """Return a change to `foreign.decoder` with these arguments."""
    return lambda folder: foreign.decoder(folder / "d.onnx", **more)  # type: ignore[arg-type]


def decoder_of_width(width: int) -> Change:
    """Return a change to a decoder of latents of another width."""
    return lambda folder: save(
        folder / "d.onnx",
        [node("MatMul", "code v", "flat"), node("Reshape", "flat shape", "y")],
        [("code", ["n", width])],
        [("y", ["n", *SHAPE])],
        [constant("v", foreign.weights(2, width, SIZE)), constant("shape", [-1, *SHAPE], np.int64)],
    )


def latent_images(folder: Path) -> None:
    """Write an encoder whose latents have the shape of an image, and a decoder of flat ones."""
    save(
        folder / "e.onnx",
        [node("Conv", "x k", "code", strides=[2, 2])],
        [("x", ["n", *SHAPE])],
        [("code", ["n", 2, 2, 2])],
        [constant("k", foreign.weights(1, 2, 12).reshape(2, 3, 2, 2))],
    )
    decoder_of_width(8)(folder)
