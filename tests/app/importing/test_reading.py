"""Files are read with their weights and functions, or refused with the reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from app.engine.repository import load_version
from tests.helpers import foreign
from tests.helpers.foreign import LATENTS, SHAPE, SIZE, constant, node, save
from tests.helpers.imports import (
    FLATTEN,
    LAST,
    MATMUL,
    Change,
    CheckRefusal,
    Refusal,
    agree,
    channels_last,
    encoder_of,
    imported,
)


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


def test_functions_of_the_graph_are_inlined(tmp_path: Path) -> None:
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


@pytest.mark.parametrize(("opset", "ir"), [(8, 3), (11, 6), (17, 8), (21, 10)])
def test_old_and_new_opsets_are_accepted(tmp_path: Path, opset: int, ir: int) -> None:
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


def garbage(folder: Path) -> None:
    """Write a file that is not a graph."""
    (folder / "e.onnx").write_bytes(b"\x80\x04garbage")


def nothing(folder: Path) -> None:
    """Write an empty file."""
    (folder / "e.onnx").write_bytes(b"")


def missing(folder: Path) -> None:
    """Remove the file."""
    (folder / "e.onnx").unlink()


def directory(folder: Path) -> None:
    """Put a folder in place of the file."""
    missing(folder)
    (folder / "e.onnx").mkdir()


def device(folder: Path) -> None:
    """Put a device that never ends in place of the file."""
    missing(folder)
    (folder / "e.onnx").symlink_to("/dev/zero")


def weights_at(location: str, length: int | None = None) -> Callable[[Path], object]:
    """Return a change to an encoder whose weights are in another file."""

    def write(folder: Path) -> None:
        model = onnx.load(folder / "e.onnx")
        (tensor,) = model.graph.initializer
        inside = folder / "weights.bin"
        inside.write_bytes(tensor.raw_data)
        (folder.parent / "outside.bin").write_bytes(tensor.raw_data)
        (folder / "link.bin").symlink_to(folder.parent / "outside.bin")
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in {"location": location.format(folder=folder), "length": length}.items():
            if value is not None:
                tensor.external_data.add(key=key, value=str(value))
        (folder / "e.onnx").write_bytes(model.SerializeToString())

    return write


def draws(*options: str) -> Callable[[Path], object]:
    """Return a change to an encoder whose only output is a draw."""

    def write(folder: Path) -> None:
        foreign.three_outputs(folder / "e.onnx", ("mu", "logvar", "z"))
        model = onnx.load(folder / "e.onnx")
        del model.graph.output[:2]
        onnx.save(model, folder / "e.onnx")

    return write


REFUSALS: list[Refusal] = [
    ("no file", missing, (), "e.onnx cannot be read: No such file or directory"),
    ("a folder", directory, (), "e.onnx is not a file"),
    ("a device", device, (), "e.onnx is not a file"),
    ("garbage", garbage, (), "e.onnx is not an ONNX file"),
    ("empty", nothing, (), "e.onnx holds no graph"),
    ("weights above", weights_at("../outside.bin"), (), "expected weights in its own folder, got ../outside.bin"),
    ("weights anywhere", weights_at("{folder}/../outside.bin"), (), "expected weights in its own folder, got /"),
    ("weights by a link", weights_at("link.bin"), (), "expected weights in its own folder, got link.bin"),
    ("weights missing", weights_at("lost.bin"), (), "its weights are in lost.bin, which does not exist"),
    ("weights too short", weights_at("weights.bin", 10**6), (), "its weights in weights.bin cannot be read"),
    ("weights too large", weights_at("weights.bin", 2**31), (), "expected at most 1073741824 bytes with the weights"),
    ("custom operator", encoder_of(FLATTEN, helper.make_node("Twist", ["flat"], ["code"], domain="mine"),
     imports=[helper.make_opsetid("mine", 1)]), (), "or onnxruntime's, got mine.Twist; export"),
    ("opset of long ago", encoder_of(FLATTEN, MATMUL, opset=7), (), "expected opset 8 or newer, got 7"),
    ("a draw", draws(), (), "expected a graph without randomness, got RandomNormalLike; export mu and logvar"),
    ("dropout that trains", encoder_of(FLATTEN, node("Dropout", "flat half yes", "less"),
     node("MatMul", "less w", "code")), (), "was exported in training mode (Dropout): call eval() before exporting"),
]  # fmt: skip


@pytest.mark.parametrize(("label", "change", "options", "message"), REFUSALS, ids=[label for label, *_ in REFUSALS])
def test_unusable_files_are_refused(
    check_refusal: CheckRefusal, label: str, change: Change, options: tuple[str, ...], message: str
) -> None:
    check_refusal(change, options, message)
