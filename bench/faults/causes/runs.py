"""Runs of a model that do not end, queues that are full, and requests that wait too long."""

from __future__ import annotations

import io
import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from app.manifest import DECODER, ENCODER, GOLDEN, SCORER
from bench.faults.causes.folders import MODEL, write_version
from bench.faults.row import Row
from bench.faults.server import Bench, read_answer
from bench.faults.traffic import NPY_TYPE, noise, post, run_load
from bench.serving.loads import rows_as_npy

POISON = 0.25
"""A pixel of this value lets a run of the model never end."""
ENDLESS = 2**50
LATENTS = 32


def endless_encoder() -> bytes:
    """Return a graph that takes the first pixels as latents, after a loop that is endless if a pixel is POISON."""
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Add", ["sum", "grain"], ["next"])],
        "body",
        [value("i", TensorProto.INT64, []), value("go", TensorProto.BOOL, []), value("sum", TensorProto.FLOAT, [])],
        [value("on", TensorProto.BOOL, []), value("next", TensorProto.FLOAT, [])],
        [numpy_helper.from_array(np.array(1e-30, np.float32), "grain")],
    )
    nodes = [
        helper.make_node("Equal", ["samples", "poison"], ["equal"]),
        helper.make_node("Cast", ["equal"], ["flags"], to=TensorProto.INT64),
        helper.make_node("ReduceMax", ["flags"], ["poisoned"], keepdims=0),
        helper.make_node("Mul", ["poisoned", "endless"], ["turns"]),
        helper.make_node("Loop", ["turns", "true", "zero"], ["total"], body=body),
        helper.make_node("Flatten", ["samples"], ["flat"]),
        helper.make_node("Slice", ["flat", "start", "end", "axis"], ["cut"]),
        helper.make_node("Add", ["cut", "total"], ["latents"]),
    ]
    constants = {
        "poison": np.array(POISON, np.float32),
        "endless": np.array(ENDLESS),
        "true": np.array(True),
        "zero": np.array(0, np.float32),
        "start": np.array([0]),
        "end": np.array([LATENTS]),
        "axis": np.array([1]),
    }
    graph = helper.make_graph(
        nodes,
        "endless",
        [value("samples", TensorProto.FLOAT, ["batch", 1, 28, 28])],
        [value("latents", TensorProto.FLOAT, ["batch", LATENTS])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def write_endless(models: Path) -> None:
    """Write a second version whose encoder never ends for a poisoned sample."""
    import onnxruntime

    samples = noise(4).reshape(4, 1, 28, 28)
    latents = samples.reshape(4, -1)[:, :LATENTS]
    version, stream = models / MODEL / "1", io.BytesIO()
    decoder, scorer = (onnxruntime.InferenceSession(version / name) for name in (DECODER, SCORER))
    with np.load(version / GOLDEN, allow_pickle=False) as golden:
        draws = {name: golden[name] for name in ("noise", "draws")}
    scores = dict(zip(("score", "p_value", "attribution"), scorer.run(None, {"samples": samples}), strict=True))
    reconstructions = decoder.run(None, {"latents": latents})[0]
    np.savez(stream, samples=samples, latents=latents, reconstructions=reconstructions, **draws, **scores)
    write_version(models, 2, {ENCODER: endless_encoder(), GOLDEN: stream.getvalue()})


def encode(rows: np.ndarray[tuple[int, int], np.dtype[np.float32]], model: str = MODEL) -> bytes:
    """Return a request to encode rows."""
    return post(f"/v1/models/{model}/encode", rows_as_npy(rows), content_type=NPY_TYPE).content


def stuck(bench: Bench) -> Iterator[Row]:
    """Let every thread run a graph that never ends."""
    models = bench.copy_models("stuck")
    write_endless(models)
    poison = encode(np.full((300, 784), POISON, np.float32))
    cores = os.cpu_count() or 1
    with bench.serve(models, queue_seconds=2, run_seconds=6) as server:
        connections = [server.connect(poison) for _ in range(cores)]
        time.sleep(1)
        begin = time.monotonic()
        innocent = read_answer(server.connect(encode(noise(300), "mnist-vae")), 15)
        waited = time.monotonic() - begin
        livez = server.status("/livez")
        statuses = [read_answer(connection, 20)[0] for connection in connections]
        later = run_load(server.address, 2)
    yield Row(
        f"{cores} requests whose runs never end, on all threads; then another model is asked, queue of 2 s",
        "504 within 4 s for the other; /livez 200",
        f"{innocent[0]} after {waited:.1f} s; /livez {livez}",
        innocent[0] == 504 and waited < 4 and livez == 200,
    )
    yield Row(
        "… run limit of 6 s",
        "504 for each; then all others are served",
        f"{statuses}; then {later.text()}",
        set(statuses) == {504} and later.are_right,
    )
    with bench.serve(models, run_seconds=0, shutdown_seconds=2) as server:
        connections = [server.connect(poison) for _ in range(cores)]
        time.sleep(1)
        begin = time.monotonic()
        server.process.terminate()
        code, seconds = server.wait(40), time.monotonic() - begin
    yield Row(
        "SIGTERM while all threads run a graph that never ends, no run limit",
        "exit code 0 within 8 s",
        f"exit code {code} after {seconds:.1f} s",
        code == 0 and seconds < 8,
    )


def queue(bench: Bench) -> Iterator[Row]:
    """Ask for more than the queue holds."""
    question = post("/v1/models/mnist-vae/reconstruct", rows_as_npy(noise(256)), 200, 503, content_type=NPY_TYPE)
    with bench.serve(max_queued_rows=512) as server:
        outcomes = run_load(server.address, bench.seconds(8), 64, questions=[question])
        livez = server.status("/livez", 2)
        counts = Counter({name: count for name, count in outcomes.counts.items() if name.isdigit()})
    yield Row(
        "64 connections with 256 rows each, a queue of 512 rows",
        "200 or 503 at once, 0 lost; /livez 200",
        f"{dict(counts)}, {outcomes.lost} lost; /livez {livez}",
        outcomes.are_right and counts["503"] > 0 and counts["200"] > 0 and livez == 200,
    )


def capacity(bench: Bench) -> Iterator[Row]:
    """Send every kind of request from few and many connections."""
    for connections in (16, 64, 256):
        with bench.serve() as server:
            before = server.resident_mib()
            outcomes = run_load(server.address, bench.seconds(12), connections)
            after, peak = server.resident_mib(), server.resident_mib("VmHWM")
        yield Row(
            f"{connections} connections, every task and format, as fast as they are answered",
            "0 lost, each answer with the right status",
            f"{outcomes.text()}; memory {before:.0f} → {after:.0f}, peak {peak:.0f} MiB; "
            f"p99 {outcomes.milliseconds(99):.0f} ms",
            outcomes.are_right,
        )
