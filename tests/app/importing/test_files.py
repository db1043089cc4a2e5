"""An import needs two graphs, or one that is cut."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.errors import UnfitGraph
from app.importing.files import read_files
from app.importing.request import ImportRequest
from tests.helpers import foreign


def test_two_files_are_an_encoder_and_a_decoder(tmp_path: Path) -> None:
    encoder, decoder = foreign.encoder(tmp_path / "e.onnx"), foreign.decoder(tmp_path / "d.onnx")
    files = read_files(ImportRequest(encoder, decoder, "mine"))
    assert [file.name for file in files] == ["e.onnx", "d.onnx"]
    assert [file.outputs for file in files] == [["code"], ["x_hat"]]


@pytest.mark.parametrize("copied", [False, True])
def test_one_file_for_both_halves_is_refused(tmp_path: Path, copied: bool) -> None:
    encoder = foreign.encoder(tmp_path / "e.onnx")
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(encoder.read_bytes())
    with pytest.raises(UnfitGraph, match="the encoder and the decoder are the same file: export the encoder and"):
        read_files(ImportRequest(encoder, copy if copied else encoder, "mine"))


def test_a_missing_decoder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnfitGraph, match=r"--decoder is missing: .* must be cut at its latents with --cut TENSOR"):
        read_files(ImportRequest(foreign.encoder(tmp_path / "e.onnx"), None, "mine"))


def test_a_pair_of_files_is_not_cut(tmp_path: Path) -> None:
    encoder, decoder = foreign.encoder(tmp_path / "e.onnx"), foreign.decoder(tmp_path / "d.onnx")
    with pytest.raises(UnfitGraph, match="--cut is for a whole autoencoder in one file: leave out --decoder"):
        read_files(ImportRequest(encoder, decoder, "mine", cut="sums"))


def test_the_parts_of_a_cut_file_are_named_in_messages(tmp_path: Path) -> None:
    encoder = foreign.encoder(tmp_path / "e.onnx")
    files = read_files(ImportRequest(encoder, None, "mine", cut="sums"))
    assert [file.name for file in files] == ["e.onnx up to sums", "e.onnx from sums on"]
    assert [file.outputs for file in files] == [["sums"], ["code"]]
