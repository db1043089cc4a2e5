"""Sessions: graphs that cannot be loaded, or that take or return other tensors, are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from app.engine.repository import load_version
from app.engine.session import TensorSpec, check_signature, open_session
from app.errors import InvalidModel
from app.manifest import DECODER, ENCODER
from tests.helpers import tiny
from tests.helpers.tiny import LABELS

SAMPLES, LATENTS = TensorSpec("samples", (1, 2, 2)), TensorSpec("latents", (2,))


def test_a_graph_is_opened_and_run(tmp_path: Path) -> None:
    session = open_session(tiny.write_version(tmp_path) / ENCODER, threads=1)
    check_signature(session, [SAMPLES], [LATENTS])  # does not raise
    assert session.run(["latents"], {"samples": np.ones((1, 1, 2, 2), np.float32)})[0].tolist() == [[2, 2]]


@pytest.mark.parametrize("content", [b"", b"garbage"])
def test_a_file_that_is_not_a_graph_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ENCODER).write_bytes(content)
    with pytest.raises(InvalidModel, match=r"^encoder\.onnx cannot be loaded: .+$"):
        open_session(tmp_path / ENCODER, threads=1)


def test_outputs_with_another_name_or_shape_are_refused(tmp_path: Path) -> None:
    session = open_session(tiny.write_version(tmp_path) / ENCODER, threads=1)
    with pytest.raises(InvalidModel, match=r"the outputs mu float \[3\] for each row, found latents float \[2\]"):
        check_signature(session, [SAMPLES], [TensorSpec("mu", (3,))])


def test_a_version_whose_graph_has_another_shape_is_refused(tmp_path: Path) -> None:
    folder = tiny.write_version(tmp_path)
    onnx.save(tiny.encoder_graph((4,), variational=False), folder / ENCODER)
    tiny.write_manifest(folder, "tiny", 1, "autoencoder")
    with pytest.raises(
        InvalidModel, match=r"the inputs samples float \[1, 2, 2\] for each row, found samples float \[4\]"
    ):
        load_version(folder, "tiny", 1)


def test_a_graph_with_a_fixed_batch_axis_is_refused(tmp_path: Path) -> None:
    folder = tiny.write_version(tmp_path)
    node = onnx.helper.make_node("Flatten", ["samples"], ["flat"])
    pool = onnx.numpy_helper.from_array(tiny.POOL, "pool")
    product = onnx.helper.make_node("MatMul", ["flat", "pool"], ["latents"])
    fixed = tiny.graph([node, product], [("samples", (1, 2, 2))], [("latents", (2,))], [pool], batch=3)
    onnx.save(fixed, folder / ENCODER)
    tiny.write_manifest(folder, "tiny", 1, "autoencoder")
    with pytest.raises(InvalidModel, match="symbolic batch axis"):
        load_version(folder, "tiny", 1)


@pytest.mark.parametrize(
    ("labels", "conditional", "reason"),
    [
        (LABELS, False, r"expected the inputs latents float \[2\], labels int64 \[\] for each row, found latents"),
        ((), True, r"expected the inputs latents float \[2\] for each row, found latents float \[2\], labels int64"),
    ],
)
def test_a_decoder_that_does_not_fit_the_manifests_labels_is_refused(
    tmp_path: Path, labels: tuple[str, ...], conditional: bool, reason: str
) -> None:
    folder = tiny.write_version(tmp_path, kind=tiny.TABLE, labels=labels)
    onnx.save(tiny.decoder_graph((4,), clip=False, conditional=conditional), folder / DECODER)
    tiny.write_manifest(folder, "tiny", 1, "autoencoder", tiny.TABLE, labels)
    with pytest.raises(InvalidModel, match=reason):
        load_version(folder, "tiny", 1)


@pytest.mark.parametrize(
    ("dtype", "shape", "reason"),
    [
        (onnx.TensorProto.INT32, ["batch"], r"found latents float \[2\], labels int32 \[\]"),
        (onnx.TensorProto.INT64, ["batch", 1], r"found latents float \[2\], labels int64 \[1\]"),
        (onnx.TensorProto.INT64, [3], "labels must have a symbolic batch axis"),
        (onnx.TensorProto.INT64, [], "labels must have a symbolic batch axis"),
    ],
)
def test_labels_must_be_one_int64_for_each_row(tmp_path: Path, dtype: int, shape: list[str | int], reason: str) -> None:
    folder = tiny.write_version(tmp_path, kind=tiny.TABLE, labels=LABELS)
    model = onnx.load(folder / DECODER)
    model.graph.input[1].CopyFrom(onnx.helper.make_tensor_value_info("labels", dtype, shape))
    onnx.save(model, folder / DECODER)
    tiny.write_manifest(folder, "tiny", 1, "autoencoder", tiny.TABLE, LABELS)
    with pytest.raises(InvalidModel, match=reason):
        load_version(folder, "tiny", 1)
