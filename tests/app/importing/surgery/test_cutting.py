"""A whole autoencoder in one file is cut at its latents, or refused with the places where it can be cut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from app.__main__ import main
from app.engine.autoencoder import Autoencoder
from app.engine.repository import load_version
from app.importing.surgery.cutting import cutting_places
from tests.helpers import foreign
from tests.helpers.foreign import LATENTS, SIZE, constant, node, save
from tests.helpers.imports import agree

WHOLE = [node("MatMul", "x w", "sums"), node("Tanh", "sums", "code"), node("MatMul", "code v", "y")]
VARIATIONAL = [
    node("MatMul", "x w", "mu"),
    node("MatMul", "x u", "logvar"),
    node("RandomNormalLike", "mu", "noise"),
    node("Mul", "noise logvar", "shift"),
    node("Add", "mu shift", "draw"),
    node("MatMul", "draw v", "recon"),
]
SKIPPING = [*WHOLE[:-1], node("MatMul", "code v", "decoded"), node("Add", "decoded x", "y")]


def whole(path: Path, nodes: list[onnx.NodeProto], outputs: tuple[str, ...] = ("y",), batch: str | int = "n") -> Path:
    """Write a whole autoencoder of 60 numbers and 6 latents."""
    constants = [
        constant("w", foreign.weights(1, SIZE, LATENTS)),
        constant("u", foreign.weights(5, SIZE, LATENTS)),
        constant("v", foreign.weights(2, LATENTS, SIZE)),
    ]
    sizes = {"y": SIZE, "recon": SIZE}
    ends = [(name, [batch, sizes.get(name, LATENTS)]) for name in outputs]
    return save(path, nodes, [("x", [batch, SIZE])], ends, constants)


def run_import(path: Path, *options: str) -> int:
    """Import a file as a whole autoencoder."""
    return main(
        ["import", "--encoder", str(path), "--name", "mine", "--models-dir", str(path.parent / "models"), *options]
    )


def imported(path: Path, *options: str) -> Autoencoder:
    """Import a file as a whole autoencoder, and load the version."""
    assert run_import(path, *options) == 0
    return load_version(path.parent / "models" / "mine" / "1", "mine", 1)


@pytest.mark.parametrize("batch", ["n", 1, 4])
@pytest.mark.parametrize("twice", [False, True])
def test_a_whole_autoencoder_is_cut_at_its_latents(tmp_path: Path, twice: bool, batch: str | int) -> None:
    path = whole(tmp_path / "w.onnx", WHOLE, batch=batch)
    model = imported(path, "--cut", "code", *(["--decoder", str(path)] if twice else []))
    samples = foreign.samples((SIZE,))
    (expected,) = foreign.run(path, samples, batch if isinstance(batch, int) else 1)
    assert (model.manifest.latent_dim, model.manifest.family) == (LATENTS, "autoencoder")
    agree(model.encode(samples), np.tanh(samples @ foreign.weights(1, SIZE, LATENTS)))
    agree(model.reconstruct(samples).samples, expected)


def test_a_variational_autoencoder_is_cut_at_its_draw(tmp_path: Path) -> None:
    path = whole(tmp_path / "w.onnx", VARIATIONAL, ("recon", "mu", "logvar"))
    model, samples = imported(path, "--cut", "draw"), foreign.samples((SIZE,))
    posterior = model.posterior(samples)
    assert posterior.logvar is not None
    mean = samples @ foreign.weights(1, SIZE, LATENTS)
    agree(posterior.mu, mean)
    agree(posterior.logvar, samples @ foreign.weights(5, SIZE, LATENTS))
    agree(model.decode(mean), mean @ foreign.weights(2, LATENTS, SIZE), 1e-4)


REFUSALS: list[tuple[list[onnx.NodeProto], tuple[str, ...], tuple[str, ...], str]] = [
    (WHOLE, ("y",), (), "--decoder is missing: export the encoder and the decoder as two files"),
    (WHOLE, ("y",), (), "must be cut at its latents with --cut TENSOR; it can be cut at sums, code"),
    (WHOLE, ("y",), ("--cut", "middle"), "--cut: w.onnx has no tensor middle; it can be cut at sums, code"),
    (WHOLE, ("y",), ("--cut", "y"), "--cut: no output of w.onnx depends on y"),
    (VARIATIONAL, ("recon", "mu", "logvar"), (), "it can be cut at draw"),
    (VARIATIONAL, ("recon", "mu", "logvar"), ("--cut", "mu"), "recon of w.onnx depends on x not only through mu"),
    (SKIPPING, ("y",), ("--cut", "code"), "y of w.onnx depends on x not only through code"),
]


@pytest.mark.parametrize(("nodes", "outputs", "options", "message"), REFUSALS)
def test_a_wrong_place_is_refused_with_the_right_ones(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    nodes: list[onnx.NodeProto],
    outputs: tuple[str, ...],
    options: tuple[str, ...],
    message: str,
) -> None:
    assert run_import(whole(tmp_path / "w.onnx", nodes, outputs), *options) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "models").exists()


def test_a_graph_around_its_latents_has_no_place_to_cut(tmp_path: Path) -> None:
    assert cutting_places(onnx.load(whole(tmp_path / "w.onnx", SKIPPING))) == []
