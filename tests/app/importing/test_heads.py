"""The encoder's outputs become latents, or mu and logvar."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from app.arrays import Rows
from tests.helpers import foreign
from tests.helpers.foreign import LATENTS, SHAPE, SIZE, constant, node, save
from tests.helpers.imports import (
    Change,
    CheckRefusal,
    Refusal,
    agree,
    changed_encoder,
    imported,
    latent_images,
)

SPREADS: list[tuple[str, Callable[[Rows], Rows]]] = [
    ("logvar", lambda spread: spread),
    ("sigma", lambda spread: np.log(np.square(spread))),
    ("variance", np.log),
]


@pytest.mark.parametrize(("word", "logvar"), SPREADS, ids=[word for word, _ in SPREADS])
@pytest.mark.parametrize("first", [True, False])
def test_mu_and_its_spread_may_share_one_output(
    tmp_path: Path, word: str, logvar: Callable[[Rows], Rows], first: bool
) -> None:
    encoder = foreign.wide_encoder(tmp_path / "e.onnx")
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


@pytest.mark.parametrize(
    ("names", "options"),
    [
        (("z_mean", "z_log_var", "z"), ()),
        (("mu", "logvar", "z"), ()),
        (("Identity:0", "Identity_1:0", "Identity_2:0"), ("--encoder-gives", "mu,logvar,z")),
    ],
)
def test_mu_and_logvar_are_used_and_the_draw_is_left_out(
    tmp_path: Path, names: tuple[str, str, str], options: tuple[str, ...]
) -> None:
    encoder = foreign.three_outputs(tmp_path / "e.onnx", names)
    foreign.decoder(tmp_path / "d.onnx")
    model, samples = imported(tmp_path, *options), foreign.samples()
    mu, logvar, _ = foreign.run(encoder, samples)
    posterior = model.posterior(samples)
    agree(posterior.mu, mu)
    assert posterior.logvar is not None
    agree(posterior.logvar, logvar)
    graph = onnx.load(tmp_path / "models" / "mine" / "1" / "encoder.onnx").graph
    assert not {"RandomNormalLike", "Exp"} & {made.op_type for made in graph.node}


@pytest.mark.parametrize("domain", ["", "mine"])
@pytest.mark.parametrize("options", [(), ("--encoder-gives", "mu,logvar,z"), ("--encoder-gives", "mean,log_var,skip")])
def test_a_draw_may_need_an_operator_that_onnxruntime_lacks(
    tmp_path: Path, options: tuple[str, ...], domain: str
) -> None:
    encoder = foreign.three_outputs(tmp_path / "e.onnx", ("z_mean", "z_log_var", "z"))
    foreign.decoder(tmp_path / "d.onnx")
    samples = foreign.samples()
    mu, logvar, _ = foreign.run(encoder, samples)
    graph = onnx.load(encoder)
    (draw,) = (made for made in graph.graph.node if made.op_type == "RandomNormalLike")
    draw.op_type, draw.domain = "RandomStandardNormal", domain
    if domain:
        graph.opset_import.append(onnx.helper.make_opsetid(domain, 1))
    onnx.save(graph, encoder)
    posterior = imported(tmp_path, *options).posterior(samples)
    agree(posterior.mu, mu)
    assert posterior.logvar is not None
    agree(posterior.logvar, logvar)


SPREAD_NAMES: list[tuple[tuple[str, str, str], float]] = [
    (("mean", "log_std", "z"), 2),
    (("z_mean", "z_log_sigma", "z"), 2),
    (("embedding", "log_covariance", "sample"), 1),
    (("recon", "mu", "logvar"), 1),
]


@pytest.mark.parametrize(("names", "factor"), SPREAD_NAMES)
def test_a_logarithm_of_the_deviation_is_half_of_that_of_the_variance(
    tmp_path: Path, names: tuple[str, str, str], factor: float
) -> None:
    ordered = names if names[0] != "recon" else (names[1], names[2], names[0])
    encoder = foreign.three_outputs(tmp_path / "e.onnx", ordered)
    foreign.decoder(tmp_path / "d.onnx")
    model, samples = imported(tmp_path), foreign.samples()
    mu, spread, _ = foreign.run(encoder, samples)
    posterior = model.posterior(samples)
    agree(posterior.mu, mu)
    assert posterior.logvar is not None
    agree(posterior.logvar, factor * spread)


@pytest.mark.parametrize(("words", "first"), [((), True), (("--encoder-gives", "logvar,mu"), False)])
@pytest.mark.parametrize("axis", [1, 2, 3])
def test_halves_may_lie_along_any_axis(tmp_path: Path, axis: int, words: tuple[str, ...], first: bool) -> None:
    shape = [2, 3, 1]
    whole = [size * (2 if place == axis - 1 else 1) for place, size in enumerate(shape)]
    encoder = save(
        tmp_path / "e.onnx",
        [node("Flatten", "x", "flat"), node("MatMul", "flat w", "sums"), node("Reshape", "sums shape", "moments")],
        [("x", ["n", *SHAPE])],
        [("moments", ["n", *whole])],
        [constant("w", foreign.weights(1, SIZE, 12)), constant("shape", [-1, *whole], np.int64)],
    )
    save(
        tmp_path / "d.onnx",
        [node("Flatten", "code", "flat"), node("MatMul", "flat v", "sums"), node("Reshape", "sums shape", "y")],
        [("code", ["n", *shape])],
        [("y", ["n", *SHAPE])],
        [constant("v", foreign.weights(2, 6, SIZE)), constant("shape", [-1, *SHAPE], np.int64)],
    )
    posterior, samples = imported(tmp_path, *words).posterior(foreign.samples()), foreign.samples()
    (both,) = foreign.run(encoder, samples)
    halves = [half.reshape(8, 6) for half in np.split(both, 2, axis=axis)]
    assert posterior.logvar is not None
    agree(posterior.mu, halves[0 if first else 1])
    agree(posterior.logvar, halves[1 if first else 0])


REFUSALS: list[Refusal] = [
    ("odd halves", lambda folder: foreign.encoder(folder / "e.onnx", width=7), ("--encoder-gives", "mu,logvar"),
     "expected code to be two halves, each of shape [6], got [7]"),
    ("halves of an image", latent_images, ("--encoder-gives", "mu,logvar"),
     "expected code to be two halves, each of shape [8], got [2, 2, 2]"),
    ("outputs without names", lambda folder: foreign.three_outputs(folder / "e.onnx", ("a", "b", "c")), (),
     "e.onnx gives a, b, c: pass --encoder-gives, such as mu,logvar,z, in this order"),
    ("too few words", lambda folder: foreign.three_outputs(folder / "e.onnx", ("a", "b", "c")),
     ("--encoder-gives", "mu,logvar"), "--encoder-gives names mu, logvar, but its outputs are a, b, c"),
    ("negative deviation", lambda folder: foreign.three_outputs(folder / "e.onnx", ("mu", "sigma", "z")), (),
     "e.onnx: sigma is taken for a sigma, but is not positive for all samples: pass --encoder-gives"),
    ("unknown word", changed_encoder(), ("--encoder-gives", "mu,width"), "expected latents, or mu with"),
    ("mu alone", changed_encoder(), ("--encoder-gives", "mu"), "expected latents, or mu with"),
]  # fmt: skip


@pytest.mark.parametrize(("label", "change", "options", "message"), REFUSALS, ids=[label for label, *_ in REFUSALS])
def test_unclear_outputs_are_refused(
    check_refusal: CheckRefusal, label: str, change: Change, options: tuple[str, ...], message: str
) -> None:
    check_refusal(change, options, message)
