"""Samples reach the graph in its own layout; shapes that leave the layout open are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers import foreign
from tests.helpers.foreign import SHAPE, SIZE
from tests.helpers.imports import (
    LAST,
    Change,
    CheckRefusal,
    Refusal,
    agree,
    changed_decoder,
    changed_encoder,
    channels_first,
    channels_last,
    decoder_of_width,
    imported,
    latent_images,
    refusal,
)


@pytest.mark.parametrize(("encodes", "decodes"), [(LAST, LAST), (LAST, SHAPE), (SHAPE, LAST)])
def test_images_with_channels_last_are_transposed(
    tmp_path: Path, encodes: tuple[int, ...], decodes: tuple[int, ...]
) -> None:
    encoder = foreign.encoder(tmp_path / "e.onnx", encodes)
    decoder = foreign.decoder(tmp_path / "d.onnx", decodes)
    model, samples = imported(tmp_path), foreign.samples()
    assert model.manifest.input_shape == SHAPE
    (latents,) = foreign.run(encoder, channels_last(samples) if encodes == LAST else samples)
    agree(model.encode(samples), latents)
    (outputs,) = foreign.run(decoder, latents)
    agree(model.decode(latents), channels_first(outputs) if decodes == LAST else outputs)


@pytest.mark.parametrize("layout", ["channels-first", "channels-last"])
def test_flat_images_are_reshaped(tmp_path: Path, layout: str) -> None:
    encoder, decoder = foreign.encoder(tmp_path / "e.onnx", (SIZE,)), foreign.decoder(tmp_path / "d.onnx", (SIZE,))
    model = imported(tmp_path, "--shape", "3", "4", "5", "--layout", layout)
    samples = foreign.samples()
    ordered = channels_last(samples) if layout == "channels-last" else samples
    (latents,) = foreign.run(encoder, ordered.reshape(8, SIZE))
    agree(model.encode(samples), latents)
    (outputs,) = foreign.run(decoder, latents)
    shaped = channels_first(outputs.reshape(8, *LAST)) if layout == "channels-last" else outputs.reshape(8, *SHAPE)
    agree(model.decode(latents), shaped)


def test_grey_images_may_lack_a_channel_axis(tmp_path: Path) -> None:
    encoder, decoder = foreign.encoder(tmp_path / "e.onnx", (6, 10)), foreign.decoder(tmp_path / "d.onnx", (SIZE,))
    model, samples = imported(tmp_path), foreign.samples((1, 6, 10))
    assert model.manifest.input_shape == (1, 6, 10)
    (latents,) = foreign.run(encoder, samples[:, 0])
    agree(model.encode(samples), latents)
    agree(model.decode(latents), foreign.run(decoder, latents)[0].reshape(8, 1, 6, 10))


def test_an_open_shape_must_be_given_as_an_option(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    encoder = foreign.encoder(tmp_path / "e.onnx", ["c", "h", "w"])  # type: ignore[list-item]
    foreign.decoder(tmp_path / "d.onnx")
    assert "leaves its input's shape open, [?, ?, ?]: pass --shape" in refusal(tmp_path, capsys)
    assert "pass --layout" in refusal(tmp_path, capsys, "--shape", "3", "4", "5")
    samples = foreign.samples()
    model = imported(tmp_path, "--shape", "3", "4", "5", "--layout", "channels-first")
    agree(model.encode(samples), foreign.run(encoder, samples)[0])


REFUSALS: list[Refusal] = [
    ("four channels of another", changed_encoder(shape=(4, 3, 5)), (),
     "d.onnx: expected samples of shape [4, 3, 5], got [3, 4, 5]"),
    ("four channels in front", changed_encoder(shape=(4, 5, 3)), ("--layout", "channels-first"),
     "e.onnx: expected images with 1 or 3 channels, channels-first, got shape [4, 5, 3]"),
    ("channels on both sides", changed_encoder(shape=(3, 20, 1)), (), "their channels first or last: pass --layout"),
    ("volume and image", changed_encoder(shape=(2, 3, 2, 5)), (),
     "d.onnx: expected samples of shape [2, 3, 2, 5], got [3, 4, 5]"),
    ("flat colours", lambda folder: (foreign.encoder(folder / "e.onnx", (SIZE,)), foreign.decoder(folder / "d.onnx")),
     ("--shape", "3", "4", "5"), "takes or gives flat images of 3 channels: pass --layout"),
    ("shape of another", changed_encoder(), ("--shape", "1", "4", "4"), "samples of shape [1, 4, 4], got [3, 4, 5]"),
    ("other image", changed_decoder(shape=(3, 5, 4)), (), "d.onnx: expected samples of shape [3, 4, 5], got [3, 5, 4]"),
    ("other width", decoder_of_width(5), (), "d.onnx: expected to take the encoder's latents, [6] per sample, got [5]"),
    ("latents that lose their shape", latent_images, (),
     "d.onnx: expected to take the encoder's latents, [2, 2, 2] per sample, got [8]"),
]  # fmt: skip


@pytest.mark.parametrize(("label", "change", "options", "message"), REFUSALS, ids=[label for label, *_ in REFUSALS])
def test_unclear_shapes_are_refused(
    check_refusal: CheckRefusal, label: str, change: Change, options: tuple[str, ...], message: str
) -> None:
    check_refusal(change, options, message)
