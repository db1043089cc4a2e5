"""Graphs of others become versions that say what the graphs say, or are refused with the reason."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from starlette.testclient import TestClient

from app.__main__ import main
from app.engine.autoencoder import Autoencoder
from app.engine.repository import load_version
from app.main import create_app
from app.manifest import Manifest
from app.settings import Settings
from tests.helpers import foreign
from tests.helpers.foreign import FLOAT, LATENTS, SHAPE, SIZE, Rows, constant, node, save

LAST = (4, 5, 3)
"""The shape with the channels last."""


def arguments(tmp_path: Path, *options: str) -> list[str]:
    """The command for the pair e.onnx and d.onnx; of images from 0 to 1, unless the options say otherwise."""
    pair = ["--encoder", str(tmp_path / "e.onnx"), "--decoder", str(tmp_path / "d.onnx")]
    given = [] if "--range" in options or "--shape=60" in options else ["--range", "0", "1"]
    return ["import", *pair, "--name", "mine", "--models-dir", str(tmp_path / "models"), *given, *options]


def imported(tmp_path: Path, *options: str) -> Autoencoder:
    """The version that the command made of e.onnx and d.onnx, opened as the server opens it."""
    assert main(arguments(tmp_path, *options)) == 0
    return load_version(tmp_path / "models" / "mine" / "1", "mine", 1)


def refusal(tmp_path: Path, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    """The sentence that the command refuses the pair with, leaving nothing behind."""
    assert main(arguments(tmp_path, *options)) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert not (tmp_path / "models").exists() or not list((tmp_path / "models").rglob("*"))
    sentence = shown.err.splitlines()[-1]
    assert sentence.startswith("hourglass: ")
    return sentence


def agree(found: Rows, wanted: Rows, tolerance: float = 1e-5) -> None:
    """Compare, and that there is something to compare."""
    assert found.dtype == np.float32
    assert np.ptp(wanted) > 0.1
    np.testing.assert_allclose(found, wanted, atol=tolerance)


def channels_last(samples: Rows) -> Rows:
    return samples.transpose(0, 2, 3, 1)


def channels_first(samples: Rows) -> Rows:
    return samples.transpose(0, 3, 1, 2)


def test_other_names_of_inputs_and_outputs(tmp_path: Path) -> None:
    encoder, decoder = foreign.encoder(tmp_path / "e.onnx"), foreign.decoder(tmp_path / "d.onnx")
    model, samples = imported(tmp_path), foreign.samples()
    (latents,) = foreign.run(encoder, samples)
    agree(model.encode(samples), latents)
    agree(model.decode(latents), foreign.run(decoder, latents)[0])
    assert model.manifest.family == "autoencoder"
    assert model.manifest.tasks == ("encode", "decode", "reconstruct", "interpolate")
    assert (model.manifest.input.kind, model.manifest.input_shape, model.manifest.latent_dim) == ("image", SHAPE, 6)


def test_names_that_the_contract_has_for_something_else(tmp_path: Path) -> None:
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


@pytest.mark.parametrize("size", [1, 4])
@pytest.mark.parametrize("allowzero", [0, 1])
def test_a_fixed_batch_axis_is_made_free_inside_the_graph_too(tmp_path: Path, size: int, allowzero: int) -> None:
    encoder = save(
        tmp_path / "e.onnx",
        [
            node("Relu", "x", "positive"),
            node("Reshape", "positive flat_shape", "flat", allowzero=allowzero),
            node("MatMul", "flat w", "code"),
        ],
        [("x", [size, *SHAPE])],
        [("code", [size, LATENTS])],
        [constant("w", foreign.weights(1, SIZE, LATENTS)), constant("flat_shape", [size, -1], np.int64)],
    )
    decoder = save(
        tmp_path / "d.onnx",
        [
            helper.make_node("Constant", [], ["shape"], value_ints=[size, *SHAPE]),
            node("MatMul", "code v", "sums"),
            node("Sigmoid", "sums", "flat"),
            node("Reshape", "flat shape", "x_hat"),
        ],
        [("code", [size, LATENTS])],
        [("x_hat", [size, *SHAPE])],
        [constant("v", foreign.weights(2, LATENTS, SIZE))],
    )
    model, samples = imported(tmp_path), foreign.samples(count=8)
    (latents,) = foreign.run(encoder, samples, at_once=size)
    (reconstructions,) = foreign.run(decoder, latents, at_once=size)
    for rows in (1, 2, 3, 8):
        agree(model.encode(samples[:rows]), latents[:rows])
        agree(model.reconstruct(samples[:rows]).samples, reconstructions[:rows])


def test_sizes_of_a_resize_with_the_batch_in_them(tmp_path: Path) -> None:
    foreign.encoder(tmp_path / "e.onnx")
    decoder = save(
        tmp_path / "d.onnx",
        [
            node("MatMul", "code v", "flat"),
            node("Reshape", "flat small", "image"),
            helper.make_node("Resize", ["image", "", "", "large"], ["larger"], mode="linear"),
            node("Sigmoid", "larger", "x_hat"),
        ],
        [("code", [1, LATENTS])],
        [("x_hat", [1, *SHAPE])],
        [
            constant("v", foreign.weights(2, LATENTS, 18)),
            constant("small", [1, 3, 2, 3], np.int64),
            constant("large", [1, *SHAPE], np.int64),
        ],
    )
    latents = np.random.default_rng(0).standard_normal((4, LATENTS), np.float32)
    agree(imported(tmp_path).decode(latents), foreign.run(decoder, latents)[0])


@pytest.mark.parametrize(("encodes", "decodes"), [(LAST, LAST), (LAST, SHAPE), (SHAPE, LAST)])
def test_images_with_channels_last(tmp_path: Path, encodes: tuple[int, ...], decodes: tuple[int, ...]) -> None:
    encoder = foreign.encoder(tmp_path / "e.onnx", encodes)
    decoder = foreign.decoder(tmp_path / "d.onnx", decodes)
    model, samples = imported(tmp_path), foreign.samples()
    assert model.manifest.input_shape == SHAPE
    (latents,) = foreign.run(encoder, channels_last(samples) if encodes == LAST else samples)
    agree(model.encode(samples), latents)
    (given,) = foreign.run(decoder, latents)
    agree(model.decode(latents), channels_first(given) if decodes == LAST else given)


@pytest.mark.parametrize("layout", ["channels-first", "channels-last"])
def test_flat_images(tmp_path: Path, layout: str) -> None:
    encoder, decoder = foreign.encoder(tmp_path / "e.onnx", (SIZE,)), foreign.decoder(tmp_path / "d.onnx", (SIZE,))
    model = imported(tmp_path, "--shape", "3", "4", "5", "--layout", layout)
    samples = foreign.samples()
    ordered = channels_last(samples) if layout == "channels-last" else samples
    (latents,) = foreign.run(encoder, ordered.reshape(8, SIZE))
    agree(model.encode(samples), latents)
    (given,) = foreign.run(decoder, latents)
    shaped = channels_first(given.reshape(8, *LAST)) if layout == "channels-last" else given.reshape(8, *SHAPE)
    agree(model.decode(latents), shaped)


def test_grey_images_without_a_channel_axis(tmp_path: Path) -> None:
    encoder, decoder = foreign.encoder(tmp_path / "e.onnx", (6, 10)), foreign.decoder(tmp_path / "d.onnx", (SIZE,))
    model, samples = imported(tmp_path), foreign.samples((1, 6, 10))
    assert model.manifest.input_shape == (1, 6, 10)
    (latents,) = foreign.run(encoder, samples[:, 0])
    agree(model.encode(samples), latents)
    agree(model.decode(latents), foreign.run(decoder, latents)[0].reshape(8, 1, 6, 10))


@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.DOUBLE])
def test_numbers_of_other_widths(tmp_path: Path, kind: int) -> None:
    encoder = foreign.encoder(tmp_path / "e.onnx", kind=kind)
    decoder = foreign.decoder(tmp_path / "d.onnx", kind=kind)
    model, samples = imported(tmp_path), foreign.samples()
    (latents,) = foreign.run(encoder, samples.astype(foreign.TYPES[kind]))
    tolerance = 2e-3 if kind == TensorProto.FLOAT16 else 1e-5
    agree(model.encode(samples), latents, tolerance)
    agree(model.decode(latents.astype(np.float32)), foreign.run(decoder, latents)[0], tolerance)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-1, 1), (0, 255)])
def test_bytes_stand_for_the_value_range(tmp_path: Path, low: float, high: float) -> None:
    encoder = save(
        tmp_path / "e.onnx",
        [
            node("Cast", "x", "numbers", to=FLOAT),
            node("Flatten", "numbers", "flat"),
            node("MatMul", "flat w", "sums"),
            node("Div", "sums most", "code"),
        ],
        [("x", ["n", *SHAPE])],
        [("code", ["n", LATENTS])],
        [constant("w", foreign.weights(1, SIZE, LATENTS)), constant("most", 255)],
        (TensorProto.UINT8, FLOAT),
    )
    foreign.decoder(tmp_path / "d.onnx")
    model = imported(tmp_path, "--range", str(low), str(high))
    pixels = np.random.default_rng(3).integers(0, 256, (8, *SHAPE), np.uint8)
    samples = (low + (high - low) * (pixels / 255)).astype(np.float32)
    (latents,) = foreign.run(encoder, pixels)
    agree(model.encode(samples), latents)
    for nudge in (-0.4, 0.4):  # rounds to the same pixel
        nudged = np.clip(samples + nudge * (high - low) / 255, low, high).astype(np.float32)
        agree(model.encode(nudged), latents)


def wide_encoder(path: Path) -> Path:
    """One output with 12 places, all positive."""
    return save(
        path,
        [node("Flatten", "x", "flat"), node("MatMul", "flat w", "sums"), node("Softplus", "sums", "both")],
        [("x", ["n", *SHAPE])],
        [("both", ["n", 2 * LATENTS])],
        [constant("w", foreign.weights(1, SIZE, 2 * LATENTS))],
    )


SPREADS: list[tuple[str, Callable[[Rows], Rows]]] = [
    ("logvar", lambda spread: spread),
    ("sigma", lambda spread: np.log(np.square(spread))),
    ("variance", np.log),
]


@pytest.mark.parametrize(("word", "logvar"), SPREADS, ids=[word for word, _ in SPREADS])
@pytest.mark.parametrize("first", [True, False])
def test_mu_and_its_spread_in_one_output(
    tmp_path: Path, word: str, logvar: Callable[[Rows], Rows], first: bool
) -> None:
    encoder = wide_encoder(tmp_path / "e.onnx")
    foreign.decoder(tmp_path / "d.onnx")
    model = imported(tmp_path, "--encoder-gives", f"mu,{word}" if first else f"{word},mu")
    samples = foreign.samples()
    (both,) = foreign.run(encoder, samples)
    mu, spread = (both[:, :LATENTS], both[:, LATENTS:]) if first else (both[:, LATENTS:], both[:, :LATENTS])
    posterior = model.posterior(samples)
    agree(posterior.mu, mu)
    assert posterior.logvar is not None
    agree(posterior.logvar, logvar(spread), 1e-4)
    assert model.manifest.family == "variational-autoencoder"
    assert "generate" in model.manifest.tasks


def three_outputs(path: Path, names: tuple[str, str, str]) -> Path:
    """The mean, the spread as logvar, and a draw, as variational encoders are often exported."""
    mu, logvar, z = names
    return save(
        path,
        [
            node("Flatten", "x", "flat"),
            node("MatMul", "flat w", mu),
            node("MatMul", "flat u", logvar),
            node("RandomNormalLike", mu, "noise"),
            node("Exp", logvar, "variance_of_z"),
            node("Mul", "noise variance_of_z", "shift"),
            node("Add", f"{mu} shift", z),
        ],
        [("x", ["n", *SHAPE])],
        [(name, ["n", LATENTS]) for name in names],
        [constant("w", foreign.weights(1, SIZE, LATENTS)), constant("u", foreign.weights(5, SIZE, LATENTS))],
    )


@pytest.mark.parametrize(
    ("names", "options"),
    [
        (("z_mean", "z_log_var", "z"), ()),
        (("mu", "logvar", "z"), ()),
        (("Identity:0", "Identity_1:0", "Identity_2:0"), ("--encoder-gives", "mu,logvar,z")),
    ],
)
def test_mu_and_logvar_stay_and_the_draw_goes(
    tmp_path: Path, names: tuple[str, str, str], options: tuple[str, ...]
) -> None:
    encoder = three_outputs(tmp_path / "e.onnx", names)
    foreign.decoder(tmp_path / "d.onnx")
    model, samples = imported(tmp_path, *options), foreign.samples()
    mu, logvar, _ = foreign.run(encoder, samples)
    posterior = model.posterior(samples)
    agree(posterior.mu, mu)
    assert posterior.logvar is not None
    agree(posterior.logvar, logvar)
    graph = onnx.load(tmp_path / "models" / "mine" / "1" / "encoder.onnx").graph
    assert not {"RandomNormalLike", "Exp"} & {made.op_type for made in graph.node}


def test_weights_in_another_file_are_embedded(tmp_path: Path) -> None:
    foreign.encoder(tmp_path / "plain.onnx")
    model = onnx.load(tmp_path / "plain.onnx")
    onnx.save(model, tmp_path / "e.onnx", save_as_external_data=True, location="e.data", size_threshold=0)
    foreign.decoder(tmp_path / "d.onnx")
    assert (tmp_path / "e.data").stat().st_size >= 4 * SIZE * LATENTS
    samples = foreign.samples()
    (latents,) = foreign.run(tmp_path / "plain.onnx", samples)
    made = imported(tmp_path)
    (tmp_path / "e.data").unlink()
    agree(made.encode(samples), latents)
    agree(load_version(tmp_path / "models" / "mine" / "1", "mine", 1).encode(samples), latents)


def test_latents_that_have_a_shape_are_flat_in_the_contract(tmp_path: Path) -> None:
    encoder = save(
        tmp_path / "e.onnx",
        [node("Conv", "x w", "code", strides=[2, 2])],
        [("x", ["n", *SHAPE])],
        [("code", ["n", 2, 2, 2])],
        [constant("w", foreign.weights(1, 2, 3 * 2 * 2).reshape(2, 3, 2, 2))],
    )
    decoder = save(
        tmp_path / "d.onnx",
        [node("ConvTranspose", "code v", "sums", strides=[2, 2], output_padding=[0, 1]), node("Sigmoid", "sums", "y")],
        [("code", ["n", 2, 2, 2])],
        [("y", ["n", *SHAPE])],
        [constant("v", foreign.weights(2, 2, 3 * 2 * 2).reshape(2, 3, 2, 2))],
    )
    model, samples = imported(tmp_path), foreign.samples()
    (latents,) = foreign.run(encoder, samples)
    assert model.manifest.latent_dim == 8
    agree(model.encode(samples), latents.reshape(8, 8))
    agree(model.decode(latents.reshape(8, 8)), foreign.run(decoder, latents)[0])


@pytest.mark.parametrize(("opset", "ir"), [(8, 3), (11, 6), (17, 8), (21, 10)])
def test_graphs_of_other_years(tmp_path: Path, opset: int, ir: int) -> None:
    """Before IR version 4, weights are inputs too."""
    listed: list[foreign.Named] = [("w", [SIZE, LATENTS])] if ir < 4 else []
    encoder = save(
        tmp_path / "e.onnx",
        [node("Flatten", "x", "flat"), node("MatMul", "flat w", "code")],
        [("x", ["n", *LAST]), *listed],
        [("code", ["n", LATENTS])],
        [constant("w", foreign.weights(1, SIZE, LATENTS))],
        opset=opset,
        ir=ir,
    )
    foreign.decoder(tmp_path / "d.onnx")
    samples = foreign.samples()
    agree(imported(tmp_path).encode(samples), foreign.run(encoder, channels_last(samples))[0])


def test_functions_of_a_graphs_own_are_inlined(tmp_path: Path) -> None:
    twice = helper.make_function("own", "Twice", ["a"], ["b"], [node("Add", "a a", "b")], [helper.make_opsetid("", 18)])
    encoder = save(
        tmp_path / "e.onnx",
        [node("Flatten", "x", "flat"), helper.make_node("Twice", ["flat"], ["two"], domain="own"),
         node("MatMul", "two w", "code")],
        [("x", ["n", *SHAPE])],
        [("code", ["n", LATENTS])],
        [constant("w", foreign.weights(1, SIZE, LATENTS))],
        functions=[twice],
        imports=[helper.make_opsetid("own", 1)],
    )  # fmt: skip
    foreign.decoder(tmp_path / "d.onnx")
    samples = foreign.samples()
    agree(imported(tmp_path).encode(samples), foreign.run(encoder, samples)[0])


def test_branches_see_the_names_around_them(tmp_path: Path) -> None:
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


def linear_decoder(path: Path, shape: tuple[int, ...] = SHAPE) -> Path:
    """Without a sigmoid at its end."""
    return save(
        path,
        [node("MatMul", "code v", "flat"), node("Reshape", "flat shape", "y")],
        [("code", ["n", LATENTS])],
        [("y", ["n", *shape])],
        [constant("v", foreign.weights(2, LATENTS, SIZE)), constant("shape", [-1, *shape], np.int64)],
    )


def test_logits_go_through_a_sigmoid_into_the_range(tmp_path: Path) -> None:
    foreign.encoder(tmp_path / "e.onnx")
    decoder = linear_decoder(tmp_path / "d.onnx")
    latents = np.random.default_rng(0).standard_normal((4, LATENTS), np.float32)
    (logits,) = foreign.run(decoder, latents)
    model = imported(tmp_path, "--logits", "--range", "-1", "1")
    agree(model.decode(latents), 2 / (1 + np.exp(-logits)) - 1)


def test_what_is_outside_the_range_is_kept_within_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    foreign.encoder(tmp_path / "e.onnx")
    decoder = linear_decoder(tmp_path / "d.onnx")
    model = imported(tmp_path)
    latents = np.random.default_rng(0).standard_normal((4, LATENTS), np.float32)
    agree(model.decode(latents), foreign.run(decoder, latents)[0].clip(0, 1))
    assert "if these are logits, say --logits" in capsys.readouterr().err


def test_rows_of_a_table_need_no_range(tmp_path: Path) -> None:
    encoder = foreign.encoder(tmp_path / "e.onnx", (SIZE,))
    decoder = linear_decoder(tmp_path / "d.onnx", (SIZE,))
    names = [f"column-{index}" for index in range(SIZE)]
    model = imported(tmp_path, "--shape=60", "--denoises", "--description", "Sums.", "--feature-names", *names)
    samples = foreign.samples((SIZE,), low=-3, high=3)
    (latents,) = foreign.run(encoder, samples)
    agree(model.encode(samples), latents)
    agree(model.denoise(samples), foreign.run(decoder, latents)[0])
    manifest = model.manifest
    assert manifest.input.kind == "vector"
    assert manifest.input.feature_names == tuple(names)
    assert (manifest.family, manifest.description) == ("denoising-autoencoder", "Sums.")
    assert manifest.training is None


def test_a_shape_that_the_graph_leaves_open_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    encoder = foreign.encoder(tmp_path / "e.onnx", ["c", "h", "w"])  # type: ignore[list-item]
    foreign.decoder(tmp_path / "d.onnx")
    assert "does not say its input's whole shape, only [?, ?, ?]: --shape" in refusal(tmp_path, capsys)
    assert "say --layout" in refusal(tmp_path, capsys, "--shape", "3", "4", "5")
    samples = foreign.samples()
    model = imported(tmp_path, "--shape", "3", "4", "5", "--layout", "channels-first")
    agree(model.encode(samples), foreign.run(encoder, samples)[0])


def test_it_is_served(tmp_path: Path) -> None:
    encoder = foreign.encoder(tmp_path / "e.onnx", LAST, batch=1)
    decoder = foreign.decoder(tmp_path / "d.onnx")
    imported(tmp_path)
    samples = foreign.samples(count=3)
    (latents,) = foreign.run(encoder, channels_last(samples))
    (reconstructions,) = foreign.run(decoder, latents)
    with TestClient(create_app(Settings(models_dir=tmp_path / "models"))) as client:
        encoded = client.post("/v1/models/mine/encode", json={"samples": samples.tolist()})
        decoded = client.post("/v1/models/mine/decode", json={"latents": latents.tolist()})
        both = client.post("/v1/models/mine/reconstruct", json={"samples": samples.tolist()})
    np.testing.assert_allclose(encoded.json()["latents"], latents, atol=1e-5)
    np.testing.assert_allclose(decoded.json()["samples"], reconstructions, atol=1e-5)
    np.testing.assert_allclose(both.json()["samples"], reconstructions, atol=1e-5)
    errors = np.square(reconstructions - samples).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(both.json()["errors"], errors, rtol=1e-4)


def test_the_next_import_is_the_next_version(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    foreign.encoder(tmp_path / "e.onnx")
    foreign.decoder(tmp_path / "d.onnx")
    for version in (1, 2):
        assert main(arguments(tmp_path)) == 0
        folder = tmp_path / "models" / "mine" / str(version)
        assert capsys.readouterr().out == f"{folder}\n"
        assert Manifest.read(folder).version == version


def test_a_dry_run_says_all_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    foreign.encoder(tmp_path / "e.onnx", LAST, batch=1)
    foreign.decoder(tmp_path / "d.onnx")
    assert main(arguments(tmp_path, "--dry-run")) == 0
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.splitlines() == [
        "encoder  e.onnx: opset 18; x float32 [4, 5, 3], batch fixed at 1 -> code",
        "decoder  d.onnx: opset 18; code float32 [6], batch free -> x_hat",
        "samples  image [3, 4, 5], 0 to 1",
        "latents  deterministic, 6",
        "model    autoencoder: encode, decode, reconstruct, interpolate",
        "adapted  encoder: x: named samples, channels moved to the last axis",
        "adapted  encoder: code: named latents",
        "adapted  encoder: batch axis: fixed at 1, made free",
        "adapted  decoder: code: named latents",
        "adapted  decoder: x_hat: named samples, kept within 0 to 1",
        f"all checks passed; this would be {tmp_path / 'models' / 'mine' / '1'}",
    ]
    assert not (tmp_path / "models").exists()


def test_nothing_of_the_exporting_machine_is_left_in_the_graphs(tmp_path: Path) -> None:
    model = onnx.load(foreign.encoder(tmp_path / "e.onnx"))
    for noted in (model, model.graph, model.graph.node[0], model.graph.input[0]):
        noted.doc_string = "/home/somebody/secret.py"
    entry = model.graph.node[0].metadata_props.add()
    entry.key, entry.value = "stack_trace", "/home/somebody/secret.py"
    onnx.save(model, tmp_path / "e.onnx")
    foreign.decoder(tmp_path / "d.onnx")
    imported(tmp_path)
    assert b"secret" not in (tmp_path / "models" / "mine" / "1" / "encoder.onnx").read_bytes()


KILLED = """
import signal, sys, time
from app.__main__ import main
import app.engine.repository as versions

def wait(*_):
    print("written", flush=True)
    time.sleep(60)

versions.load_version = wait
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell may have switched off
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("sent", "status", "left"),
    [(signal.SIGTERM, 143, 0), (signal.SIGINT, 130, 0), (signal.SIGKILL, -signal.SIGKILL, 1)],
)
def test_an_import_that_is_killed_leaves_no_version(tmp_path: Path, sent: int, status: int, left: int) -> None:
    """SIGKILL leaves a hidden folder at most, which the repository passes over."""
    foreign.encoder(tmp_path / "e.onnx")
    foreign.decoder(tmp_path / "d.onnx")
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, *arguments(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        os.kill(process.pid, sent)
        assert process.wait(timeout=30) == status
    found = [path.name for path in (tmp_path / "models").glob("*/*")]
    assert len(found) == left
    assert all(name.startswith(".") for name in found)


def test_without_onnx_one_sentence_says_what_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.commands.find_spec", lambda _: None)
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    (needed,) = project["optional-dependencies"]["import"]
    assert refusal(tmp_path, capsys) == f"hourglass: import needs the package onnx: pip install '{needed}'"


def test_neither_torch_nor_training_is_imported(tmp_path: Path) -> None:
    foreign.encoder(tmp_path / "e.onnx")
    foreign.decoder(tmp_path / "d.onnx")
    program = (
        "import sys; from app.__main__ import main; main(sys.argv[1:]);"
        "print({name.split('.')[0] for name in sys.modules} & {'torch', 'training'})"
    )
    command = [sys.executable, "-c", program, *arguments(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "set()"
