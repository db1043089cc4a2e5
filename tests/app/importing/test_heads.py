"""The encoder's outputs become latents, or mu and logvar."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from app.arrays import Rows
from tests.helpers import foreign
from tests.helpers.foreign import LATENTS
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


REFUSALS: list[Refusal] = [
    ("odd halves", lambda folder: foreign.encoder(folder / "e.onnx", width=7), ("--encoder-gives", "mu,logvar"),
     "expected code to be two halves, each of shape [6], got [7]"),
    ("halves of an image", latent_images, ("--encoder-gives", "mu,logvar"),
     "expected code to be two halves, each of shape [8], got [2, 2, 2]"),
    ("outputs without names", lambda folder: foreign.three_outputs(folder / "e.onnx", ("a", "b", "c")), (),
     "e.onnx gives a, b, c: pass --encoder-gives, such as mu,logvar,z, in this order"),
    ("too few words", lambda folder: foreign.three_outputs(folder / "e.onnx", ("a", "b", "c")),
     ("--encoder-gives", "mu,logvar"), "--encoder-gives names mu, logvar, but its outputs are a, b, c"),
    ("unknown word", changed_encoder(), ("--encoder-gives", "mu,width"), "expected latents, or mu with"),
    ("mu alone", changed_encoder(), ("--encoder-gives", "mu"), "expected latents, or mu with"),
]  # fmt: skip


@pytest.mark.parametrize(("label", "change", "options", "message"), REFUSALS, ids=[label for label, *_ in REFUSALS])
def test_unclear_outputs_are_refused(
    check_refusal: CheckRefusal, label: str, change: Change, options: tuple[str, ...], message: str
) -> None:
    check_refusal(change, options, message)
