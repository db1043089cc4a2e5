"""The options describe the samples, or are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.__main__ import main
from tests.helpers import foreign
from tests.helpers.foreign import SIZE
from tests.helpers.imports import (
    Change,
    CheckRefusal,
    Refusal,
    agree,
    arguments,
    changed_encoder,
    imported,
)


def test_rows_of_a_table_need_no_range(tmp_path: Path) -> None:
    encoder = foreign.encoder(tmp_path / "e.onnx", (SIZE,))
    decoder = foreign.linear_decoder(tmp_path / "d.onnx", (SIZE,))
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


def test_images_need_a_range(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    foreign.encoder(tmp_path / "e.onnx")
    foreign.decoder(tmp_path / "d.onnx")
    plain = [option for option in arguments(tmp_path) if option not in ("--range", "0", "1")]
    assert main(plain) == 1
    assert "pass the values of black and white, such as --range 0 1" in capsys.readouterr().err
    assert not (tmp_path / "models").exists()


REFUSALS: list[Refusal] = [
    ("another window", changed_encoder(), ("--shape", "4", "5"),
     "e.onnx: expected samples of shape [20], got [3, 4, 5]"),
    ("range upside down", changed_encoder(), ("--range", "1", "0"), "the samples: low must be below high, got [1, 0]"),
    ("range without end", changed_encoder(), ("--range", "0", "inf"), "the samples: Input should be a finite number"),
    ("names of pixels", changed_encoder(), ("--feature-names", "a"), "--feature-names: only the columns of a table"),
    ("name that climbs", changed_encoder(), ("--name", "../mine"), "--name: expected 1 to 64 of a-z"),
]  # fmt: skip


@pytest.mark.parametrize(("label", "change", "options", "message"), REFUSALS, ids=[label for label, *_ in REFUSALS])
def test_invalid_options_are_refused(
    check_refusal: CheckRefusal, label: str, change: Change, options: tuple[str, ...], message: str
) -> None:
    check_refusal(change, options, message)
