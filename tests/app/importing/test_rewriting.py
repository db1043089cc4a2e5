"""The rewritten graph has the contract's names and nothing of its origin."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from tests.helpers import foreign
from tests.helpers.foreign import FLOAT, LATENTS, SHAPE, SIZE, constant, node, save
from tests.helpers.imports import (
    agree,
    imported,
)


def test_inputs_and_outputs_are_renamed(tmp_path: Path) -> None:
    encoder, decoder = foreign.encoder(tmp_path / "e.onnx"), foreign.decoder(tmp_path / "d.onnx")
    model, samples = imported(tmp_path), foreign.samples()
    (latents,) = foreign.run(encoder, samples)
    agree(model.encode(samples), latents)
    agree(model.decode(latents), foreign.run(decoder, latents)[0])
    assert model.manifest.family == "autoencoder"
    assert model.manifest.tasks == ("encode", "decode", "reconstruct", "interpolate")
    assert (model.manifest.input.kind, model.manifest.input_shape, model.manifest.latent_dim) == ("image", SHAPE, 6)


def test_names_of_the_contract_may_occur_inside_the_graph(tmp_path: Path) -> None:
    encoder = save(
        tmp_path / "e.onnx",
        [node("Flatten", "latents", "samples"), node("MatMul", "samples mu", "w")],
        [("latents", ["n", *SHAPE])],
        [("w", ["n", LATENTS])],
        [constant("mu", foreign.weights(1, SIZE, LATENTS))],
    )
    foreign.decoder(tmp_path / "d.onnx")
    samples = foreign.samples()
    agree(imported(tmp_path).encode(samples), foreign.run(encoder, samples)[0])


def test_branches_use_names_of_the_outer_graph(tmp_path: Path) -> None:
    def branch(operator: str) -> onnx.GraphProto:
        made = helper.make_tensor_value_info(operator, FLOAT, None)
        return helper.make_graph([node(operator, "sums spread", operator)], operator, [], [made])

    encoder = save(
        tmp_path / "e.onnx",
        [
            node("Flatten", "x", "flat"),
            node("MatMul", "flat w", "sums"),
            node("If", "yes", "code", then_branch=branch("Mul"), else_branch=branch("Div")),
        ],
        [("x", ["n", *SHAPE])],
        [("code", ["n", LATENTS])],
        [
            constant("w", foreign.weights(1, SIZE, LATENTS)),
            constant("spread", 2),
            constant("yes", True, np.bool_),
        ],
    )
    foreign.decoder(tmp_path / "d.onnx")
    samples = foreign.samples()
    agree(imported(tmp_path).encode(samples), foreign.run(encoder, samples)[0])


def test_traces_of_the_exporting_machine_are_removed(tmp_path: Path) -> None:
    model = onnx.load(foreign.encoder(tmp_path / "e.onnx"))
    for noted in (model, model.graph, model.graph.node[0], model.graph.input[0]):
        noted.doc_string = "/home/somebody/secret.py"
    entry = model.graph.node[0].metadata_props.add()
    entry.key, entry.value = "stack_trace", "/home/somebody/secret.py"
    onnx.save(model, tmp_path / "e.onnx")
    foreign.decoder(tmp_path / "d.onnx")
    imported(tmp_path)
    assert b"secret" not in (tmp_path / "models" / "mine" / "1" / "encoder.onnx").read_bytes()
