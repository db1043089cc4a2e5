"""What cannot become a version is refused in one sentence, and nothing is left behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from app.__main__ import main
from tests.app.test_importing import arguments, linear_decoder, refusal, three_outputs, wide_encoder
from tests.helpers import foreign
from tests.helpers.foreign import FLOAT, LATENTS, SHAPE, SIZE, constant, node, save


def encoder_of(*nodes: onnx.NodeProto, batch: int | str = "n", **more: object) -> Callable[[Path], object]:
    """An encoder whose nodes go from `x` to `code`; `w` are its weights, `rows` says 4."""
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


FLATTEN, MATMUL = node("Flatten", "x", "flat"), node("MatMul", "flat w", "code")


def encoder(**more: object) -> Callable[[Path], object]:
    """The usual encoder, but for what is said."""
    return lambda folder: foreign.encoder(folder / "e.onnx", **more)  # type: ignore[arg-type]


def decoder(**more: object) -> Callable[[Path], object]:
    """The usual decoder, but for what is said."""
    return lambda folder: foreign.decoder(folder / "d.onnx", **more)  # type: ignore[arg-type]


def another_decoder(width: int) -> Callable[[Path], object]:
    """A decoder of latents of another width."""
    return lambda folder: save(
        folder / "d.onnx",
        [node("MatMul", "code v", "flat"), node("Reshape", "flat shape", "y")],
        [("code", ["n", width])],
        [("y", ["n", *SHAPE])],
        [constant("v", foreign.weights(2, width, SIZE)), constant("shape", [-1, *SHAPE], np.int64)],
    )


def decoder_of_bytes(folder: Path) -> None:
    """A decoder that rounds to bytes itself."""
    save(
        folder / "d.onnx",
        [
            node("MatMul", "code v", "flat"),
            node("Reshape", "flat s", "y"),
            node("Cast", "y", "b", to=TensorProto.UINT8),
        ],
        [("code", ["n", LATENTS])],
        [("b", ["n", *SHAPE])],
        [constant("v", foreign.weights(2, LATENTS, SIZE)), constant("s", [-1, *SHAPE], np.int64)],
        (FLOAT, TensorProto.UINT8),
    )


def conditional_decoder(folder: Path) -> None:
    """A decoder with a second input."""
    save(
        folder / "d.onnx",
        [node("Add", "code label", "y")],
        [("code", ["n", LATENTS]), ("label", ["n", LATENTS])],
        [("y", ["n", LATENTS])],
    )


def batch_inside(folder: Path) -> None:
    """An encoder whose one sample and three channels became one axis."""
    save(
        folder / "e.onnx",
        [
            node("Reshape", "x channels", "rows"),
            node("MatMul", "rows w", "pairs"),
            node("Reshape", "pairs one", "code"),
        ],
        [("x", [1, *SHAPE])],
        [("code", [1, LATENTS])],
        [
            constant("w", foreign.weights(1, 20, 2)),
            constant("channels", [3, 20], np.int64),
            constant("one", [1, -1], np.int64),
        ],
    )


def image_of_latents(folder: Path) -> None:
    """An encoder whose latents have a shape, beside a decoder of as many without one."""
    save(
        folder / "e.onnx",
        [node("Conv", "x k", "code", strides=[2, 2])],
        [("x", ["n", *SHAPE])],
        [("code", ["n", 2, 2, 2])],
        [constant("k", foreign.weights(1, 2, 12).reshape(2, 3, 2, 2))],
    )
    another_decoder(8)(folder)


def one_sample(folder: Path) -> None:
    """An encoder that knows no batch."""
    save(folder / "e.onnx", [node("Relu", "x", "code")], [("x", [SIZE])], [("code", [SIZE])])


def unequal_heads(folder: Path) -> None:
    """As many means as there are latents, and half as many spreads."""
    save(
        folder / "e.onnx",
        [node("Flatten", "x", "flat"), node("MatMul", "flat w", "mu"), node("MatMul", "flat u", "logvar")],
        [("x", ["n", *SHAPE])],
        [("mu", ["n", LATENTS]), ("logvar", ["n", 3])],
        [constant("w", foreign.weights(1, SIZE, LATENTS)), constant("u", foreign.weights(2, SIZE, 3))],
    )


def two_answers(folder: Path) -> None:
    """A decoder that gives logits too."""
    model = onnx.load(folder / "d.onnx")
    model.graph.output.append(helper.make_tensor_value_info("sums", FLOAT, ["n", SIZE]))
    onnx.save(model, folder / "d.onnx")


def bytes_to_decode(folder: Path) -> None:
    """A decoder that takes bytes."""
    model = onnx.load(folder / "d.onnx")
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("bytes", TensorProto.UINT8, ["n", LATENTS]))
    model.graph.node.insert(0, node("Cast", "bytes", "code", to=FLOAT))
    onnx.save(model, folder / "d.onnx")


def garbage(folder: Path) -> None:
    """A file that is no graph."""
    (folder / "e.onnx").write_bytes(b"\x80\x04garbage")


def nothing(folder: Path) -> None:
    """A file without a byte."""
    (folder / "e.onnx").write_bytes(b"")


def missing(folder: Path) -> None:
    """No file."""
    (folder / "e.onnx").unlink()


def directory(folder: Path) -> None:
    """A folder of that name."""
    missing(folder)
    (folder / "e.onnx").mkdir()


def device(folder: Path) -> None:
    """A file without an end."""
    missing(folder)
    (folder / "e.onnx").symlink_to("/dev/zero")


def weights_at(location: str, length: int | None = None) -> Callable[[Path], object]:
    """An encoder whose weights are said to be in another file."""

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
    """An encoder whose one output is a draw."""

    def write(folder: Path) -> None:
        three_outputs(folder / "e.onnx", ("mu", "logvar", "z"))
        model = onnx.load(folder / "e.onnx")
        del model.graph.output[:2]
        onnx.save(model, folder / "e.onnx")

    return write


REFUSALS: list[tuple[str, Callable[[Path], object], tuple[str, ...], str]] = [
    ("no file", missing, (), "e.onnx cannot be read: No such file or directory"),
    ("a folder", directory, (), "e.onnx is no file"),
    ("a device", device, (), "e.onnx is no file"),
    ("garbage", garbage, (), "e.onnx is no ONNX file"),
    ("empty", nothing, (), "e.onnx holds no graph"),
    ("weights above", weights_at("../outside.bin"), (), "expected weights in its own folder, got ../outside.bin"),
    ("weights anywhere", weights_at("{folder}/../outside.bin"), (), "expected weights in its own folder, got /"),
    ("weights by a link", weights_at("link.bin"), (), "expected weights in its own folder, got link.bin"),
    ("weights missing", weights_at("lost.bin"), (), "its weights are in lost.bin, which is not there"),
    ("weights too short", weights_at("weights.bin", 10**6), (), "its weights in weights.bin cannot be read"),
    ("weights too large", weights_at("weights.bin", 2**31), (), "expected at most 1073741824 bytes with the weights"),
    ("custom operator", encoder_of(FLATTEN, helper.make_node("Twist", ["flat"], ["code"], domain="mine"),
     imports=[helper.make_opsetid("mine", 1)]), (), "expected ONNX's own operators, got mine.Twist"),
    ("unknown operator", encoder_of(FLATTEN, node("Twist", "flat", "code")), (), "No Op registered for Twist"),
    ("opset of tomorrow", encoder_of(FLATTEN, MATMUL, opset=99), (), "or older, got 99; export the graph"),
    ("opset of long ago", encoder_of(FLATTEN, MATMUL, opset=7), (), "expected opset 8 or newer, got 7"),
    ("IR of tomorrow", encoder_of(FLATTEN, MATMUL, ir=99), (), "or older, got 99; save it with an older onnx"),
    ("a draw", draws(), (), "expected a graph without randomness, got RandomNormalLike; export mu and logvar"),
    ("dropout that trains", encoder_of(FLATTEN, node("Dropout", "flat half yes", "less"),
     node("MatMul", "less w", "code")), (), "expected a graph without randomness, got Dropout in training mode"),
    ("batch inside", batch_inside, (), "e.onnx: its batch size, 1, is part of its inside: with 2 rows: "),
    ("rows that mix", encoder_of(FLATTEN, node("ReduceMean", "flat", "mean", keepdims=1, noop_with_empty_axes=0),
     node("Add", "flat mean", "moved"), node("MatMul", "moved w", "code")), (), "at once differs by"),
    ("whole numbers", encoder_of(node("Cast", "x", "cast", to=FLOAT), node("Flatten", "cast", "flat"), MATMUL,
     kinds=(TensorProto.INT32, FLOAT)), (), "expected x to be float32, float16, float64, uint8, got tensor(int32)"),
    ("other width", another_decoder(5), (), "d.onnx: expected to take the encoder's latents, [6] a sample, got [5]"),
    ("half the width", another_decoder(3), (), "e.onnx gives 6 numbers for a sample, of which d.onnx takes 3: say"),
    ("other image", decoder(shape=(3, 5, 4)), (), "d.onnx: expected samples of shape [3, 4, 5], got [3, 5, 4]"),
    ("rounded output", decoder_of_bytes, (), "expected b to be float32, float16 or float64, got uint8"),
    ("two inputs", conditional_decoder, (), "d.onnx: expected one input, got code, label"),
    ("two outputs", two_answers, (), "d.onnx: expected one output, got x_hat, sums"),
    ("latents as bytes", bytes_to_decode, (), "d.onnx: expected bytes to be latents, which are no uint8"),
    ("no batch", one_sample, ("--shape", "60"), "expected x to be rows of a batch, got shape [60]"),
    ("one answer for all", encoder_of(FLATTEN, node("MatMul", "flat w", "codes"),
     node("ReduceSum", "codes", "code", keepdims=0)), (), "e.onnx: expected code to have a row for each row of x"),
    ("fails when it runs", encoder_of(FLATTEN, node("Gather", "flat rows", "less", axis=1),
     node("ReduceSum", "less", "all"), node("Mul", "all flat", "more"), node("MatMul", "more w", "code")), (),
     "e.onnx cannot be run: Non-zero status code returned while running Gather node"),
    ("unequal heads", unequal_heads, (), "e.onnx: expected mu and its spread to have one shape, got [(6,), (3,)]"),
    ("odd halves", lambda folder: foreign.encoder(folder / "e.onnx", width=7), ("--encoder-gives", "mu,logvar"),
     "expected code to be flat rows of two halves, got shape [7]"),
    ("halves of an image", image_of_latents, ("--encoder-gives", "mu,logvar"),
     "expected code to be flat rows of two halves, got shape [2, 2, 2]"),
    ("latents that lose their shape", image_of_latents, (),
     "d.onnx: expected to take the encoder's latents, [2, 2, 2] a sample, got [8]"),
    ("more than float16 holds", encoder(kind=TensorProto.FLOAT16), ("--range", "0", "1e6"),
     "is not finite for a sample"),
    ("outputs without names", lambda folder: three_outputs(folder / "e.onnx", ("a", "b", "c")), (),
     "e.onnx gives a, b, c: say --encoder-gives, such as mu,logvar,z, in this order"),
    ("too few words", lambda folder: three_outputs(folder / "e.onnx", ("a", "b", "c")),
     ("--encoder-gives", "mu,logvar"), "--encoder-gives says mu, logvar, but it gives a, b, c"),
    ("unknown word", encoder(), ("--encoder-gives", "mu,width"), "--encoder-gives: expected latents, or mu with"),
    ("mu alone", encoder(), ("--encoder-gives", "mu"), "--encoder-gives: expected latents, or mu with"),
    ("logarithm of less than nothing", lambda folder: foreign.encoder(folder / "e.onnx", width=2 * LATENTS),
     ("--encoder-gives", "mu,sigma"), "logvar is not finite for a sample within the range"),
    ("four channels", encoder(shape=(4, 3, 5)), (), "expected images with 1 or 3 channels, channels-first or"),
    ("channels on both sides", encoder(shape=(3, 20, 1)), (), "may have their channels first or last: say --layout"),
    ("one axis too many", encoder(shape=(1, 3, 4, 5)), (), "expected rows of a table or images, got rows of shape"),
    ("flat colours", lambda folder: (foreign.encoder(folder / "e.onnx", (SIZE,)), foreign.decoder(folder / "d.onnx")),
     ("--shape", "3", "4", "5"), "takes or gives flat images of 3 channels: say --layout"),
    ("shape of another", encoder(), ("--shape", "1", "4", "4"), "expected samples of shape [1, 4, 4], got [3, 4, 5]"),
    ("two axes", encoder(), ("--shape", "4", "5"), "--shape: expected the features of a row, or channels, height and"),
    ("range upside down", encoder(), ("--range", "1", "0"), "the samples: low must be below high, got [1, 0]"),
    ("range without end", encoder(), ("--range", "0", "inf"), "the samples: Input should be a finite number"),
    ("names of pixels", encoder(), ("--feature-names", "a"), "--feature-names: the samples are images"),
    ("name that climbs", encoder(), ("--name", "../mine"), "--name: expected 1 to 64 of a-z"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "change", "options", "sentence"), REFUSALS, ids=[what for what, *_ in REFUSALS])
def test_a_refusal_says_why_and_leaves_nothing(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    what: str,
    change: Callable[[Path], object],
    options: tuple[str, ...],
    sentence: str,
) -> None:
    folder = tmp_path / "graphs"
    folder.mkdir()
    foreign.encoder(folder / "e.onnx")
    foreign.decoder(folder / "d.onnx")
    change(folder)
    assert sentence in refusal(folder, capsys, *options)


def test_a_batch_size_that_is_not_in_a_shape_alone_is_found_by_running_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Four rows come out, however many go in."""
    encoder_of(node("Reshape", "x rows", "flat"), MATMUL, batch=4)(tmp_path)
    model = onnx.load(tmp_path / "e.onnx")
    model.graph.node[0].CopyFrom(node("Flatten", "x", "free"))
    model.graph.node.insert(1, node("Expand", "free rows", "flat"))  # which copies one row, and refuses three
    onnx.save(model, tmp_path / "e.onnx")
    foreign.decoder(tmp_path / "d.onnx")
    assert "e.onnx: its batch size, 4, is part of its inside: 1 rows gave code of shape [4, 6]" in refusal(
        tmp_path, capsys
    )


def test_images_need_a_range(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    foreign.encoder(tmp_path / "e.onnx")
    foreign.decoder(tmp_path / "d.onnx")
    plain = [option for option in arguments(tmp_path) if option not in ("--range", "0", "1")]
    assert main(plain) == 1
    assert "--range LOW HIGH must say what black and white are, such as 0 1" in capsys.readouterr().err
    assert not (tmp_path / "models").exists()


def test_bytes_need_a_range(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(
        tmp_path / "e.onnx",
        [node("Cast", "x", "numbers", to=FLOAT), node("MatMul", "numbers w", "code")],
        [("x", ["n", SIZE])],
        [("code", ["n", LATENTS])],
        [constant("w", foreign.weights(1, SIZE, LATENTS))],
        (TensorProto.UINT8, FLOAT),
    )
    linear_decoder(tmp_path / "d.onnx", (SIZE,))
    assert "e.onnx: bytes and logits need a range: say --range LOW HIGH" in refusal(tmp_path, capsys, "--shape=60")


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wide_encoder(tmp_path / "e.onnx")
    foreign.decoder(tmp_path / "d.onnx")
    (tmp_path / "file").write_text("")
    command = arguments(tmp_path, "--encoder-gives", "mu,logvar", "--models-dir", str(tmp_path / "file"))
    assert main(command) == 1
    assert "file/mine cannot be written: Not a directory" in capsys.readouterr().err
