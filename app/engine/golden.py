"""Golden samples: a version's stored inputs and outputs, compared with the outputs on this machine."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from app.arrays import Array, Rows
from app.engine.autoencoder import Autoencoder
from app.engine.checks import check_labels
from app.engine.graph import GraphTask
from app.engine.scorer import OUTPUTS
from app.errors import InvalidModel, ServiceError
from app.manifest import GOLDEN, PRIOR, SCORER, Manifest

TOLERANCE = 1e-3
"""
Absolute, and relative to the stored number. Processors add in different orders and differ by about 1e-5; a wrong graph
differs by far more.
"""

GOLDEN_SEED = 7
MAX_GOLDEN_ROWS = 64
DECODED_DRAWS = 8
"""The draws from a prior that are decoded: all of them would take a tenth of a start."""
MAX_NUMBER_BYTES = 8
MAX_HEADER_BYTES = 10_240
"""More than the header of a `.npy` file that numpy accepts. Source: numpy.lib.format, _MAX_HEADER_SIZE"""


def golden_samples(shape: tuple[int, ...]) -> Array:
    """Return eight seeded inputs in [0, 1], which are not rows of any data set: both ends, ramps and noise."""
    random = np.random.default_rng(GOLDEN_SEED)
    size = int(np.prod(shape))
    ramp = np.linspace(0, 1, size)
    unit = np.stack(
        [
            np.zeros(size),
            np.ones(size),
            ramp,
            ramp[::-1],
            0.5 + 0.5 * np.sin(40 * ramp),
            *random.random((2, size)),
            (random.random(size) < 0.2).astype(float),
        ]
    )
    return unit.astype(np.float32).reshape(-1, *shape)


def golden_shapes(manifest: Manifest) -> dict[str, tuple[int, ...]]:
    """
    Return the shape of one row of each golden array, by name.

    There are `labels` only if the model has them, `denoised` only with a denoiser, `noise` and `draws`, the latents
    made of it, only with a prior, and `score`, `p_value` and `attribution` only with a scorer.
    """
    latents = dict.fromkeys(manifest.encoder_outputs, (manifest.latent_dim,))
    labels: dict[str, tuple[int, ...]] = {"labels": ()} if manifest.labels else {}
    outputs = dict.fromkeys(("reconstructions", *(["denoised"] if manifest.has_denoiser else [])), manifest.input_shape)
    noise = {"noise": (manifest.noise_dim,), "draws": (manifest.latent_dim,)} if manifest.has_prior else {}
    scored: dict[str, tuple[int, ...]] = dict.fromkeys(OUTPUTS, ()) if manifest.has_scorer else {}
    if manifest.has_scorer:
        scored["attribution"] = manifest.input_shape
    return {"samples": manifest.input_shape, **latents, **outputs, **labels, **noise, **scored}


def read_golden(folder: Path, manifest: Manifest) -> dict[str, Rows]:
    """
    Read the arrays of `golden_shapes` that the archive has.

    Raises InvalidModel, also for an array of more than MAX_GOLDEN_ROWS, before it is decompressed.
    """
    return _read_archive(folder / GOLDEN, manifest)


def _read_archive(source: Path | BytesIO, manifest: Manifest) -> dict[str, Rows]:
    try:
        with zipfile.ZipFile(source) as archive:
            members = {member.filename.removesuffix(".npy"): member for member in archive.infolist()}
            return {
                name: _read_array(archive, members[name], name, shape)
                for name, shape in golden_shapes(manifest).items()
                if name in members
            }
    except (OSError, EOFError, ValueError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        raise InvalidModel(f"{GOLDEN} cannot be read: {error}") from error


def _read_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str, row_shape: tuple[int, ...]) -> Rows:
    """Read an array whose size and header were checked. Raises ValueError."""
    max_bytes = MAX_HEADER_BYTES + MAX_GOLDEN_ROWS * MAX_NUMBER_BYTES * math.prod(row_shape)
    if member.file_size > max_bytes:  # zipfile decompresses no more than this
        raise ValueError(f"{name}: expected at most {max_bytes} bytes, got {member.file_size}")
    with archive.open(member) as file:
        version = npy.read_magic(file)
        shape, _, dtype = npy.read_array_header_1_0(file) if version == (1, 0) else npy.read_array_header_2_0(file)
    if dtype.kind not in "fiu" or shape[1:] != row_shape or not shape or shape[0] > MAX_GOLDEN_ROWS:
        rows = ", ".join(map(str, (f"1 to {MAX_GOLDEN_ROWS}", *row_shape)))
        raise ValueError(f"{name}: expected numbers of shape [{rows}], got {dtype} of shape {list(shape)}")
    with archive.open(member) as file:
        rows_read: Rows = npy.read_array(file, allow_pickle=False)
    return rows_read


def check_golden(model: Autoencoder, folder: Path) -> None:
    """
    Run the golden samples, which also warms the pair up. Raises InvalidModel if an output differs.

    The graphs that only one task needs are opened for it, without optimisation, one after the other.
    """
    golden = read_golden(folder, model.manifest)
    names = model.manifest.encoder_outputs
    missing = golden_shapes(model.manifest).keys() - golden.keys()
    if missing:
        raise InvalidModel(f"{GOLDEN} lacks {', '.join(sorted(missing))}")
    with _errors_named():
        labels = golden.get("labels") if model.manifest.encoder_takes_labels else None
        posterior = model.posterior(golden["samples"], labels)
        reconstructions = model.decode_rows(golden[names[0]], golden.get("labels"))
    outputs = {names[0]: posterior.mu, "reconstructions": reconstructions}
    if posterior.logvar is not None:
        outputs["logvar"] = posterior.logvar
    _compare(outputs, golden, model.manifest)
    for task, run in TASK_OUTPUTS.items():
        if task in model.graphs:
            with model.graphs[task].plain(), _errors_named():
                _compare(run(model, golden), golden, model.manifest)


def check_opened(model: Autoencoder, task: GraphTask) -> None:
    """Run the golden samples with a graph that was opened for requests. Raises InvalidModel if an output differs."""
    if model.golden is None:
        return
    golden = _read_archive(BytesIO(model.golden.read()), model.manifest)
    with _errors_named():
        _compare(TASK_OUTPUTS[task](model, golden), golden, model.manifest)


def _compare(outputs: Mapping[str, Array], golden: Mapping[str, Rows], manifest: Manifest) -> None:
    for name, output in outputs.items():
        step = p_value_step(manifest) if name == "p_value" else 0.0
        if output.shape != golden[name].shape or not np.allclose(output, golden[name], TOLERANCE, TOLERANCE + step):
            raise InvalidModel(f"{GOLDEN}: {name} differ from those that were stored when the version was written")


@contextmanager
def _errors_named() -> Iterator[None]:
    try:
        yield
    except ServiceError as error:
        raise InvalidModel(f"{GOLDEN}: {error}") from error


def draw_golden(model: Autoencoder, golden: Mapping[str, Rows]) -> dict[str, Array]:
    """
    Return the latents that the prior makes of the golden noise; the samples of the first ones must be finite.

    Raises InvalidModel if rows in reverse order give other latents: the graph is random, or its rows depend on each
    other.
    """
    noise = golden["noise"].astype(np.float32)
    labels = check_labels(model.manifest, golden.get("labels"), len(noise))
    draws = model.prior.run(noise, labels)
    reverse = model.prior.run(noise[::-1].copy(), None if labels is None else labels[::-1].copy())[::-1]
    if not np.allclose(draws, reverse, TOLERANCE, TOLERANCE):
        raise InvalidModel(f"{PRIOR}: the same noise gives other latents in another order of its rows")
    model.decode_rows(draws[:DECODED_DRAWS], None if labels is None else labels[:DECODED_DRAWS])
    return {"draws": draws}


def score_golden(model: Autoencoder, golden: Mapping[str, Rows]) -> dict[str, Array]:
    """
    Return the outputs of the scorer for the golden samples, by name.

    Raises InvalidModel if rows in reverse order get others, if a p-value or an attribution is out of its range, or if
    the graph's metadata cannot be read.
    """
    assert model.scorer
    model.scorer.load_latents()
    samples = model.check_samples(golden["samples"])
    outputs, reverse = model.run_scorer(samples), model.run_scorer(samples[::-1].copy())
    given = len(OUTPUTS)  # without the latents, which are the encoder's
    for name, output, reversed_output in zip(OUTPUTS, outputs[:given], reverse[:given], strict=True):
        if not np.allclose(output, reversed_output[::-1], TOLERANCE, TOLERANCE + p_value_step(model.manifest)):
            raise InvalidModel(f"{SCORER}: the same samples get another {name} in another order")
    lowest = p_value_step(model.manifest) - TOLERANCE
    if not (lowest <= outputs.p_values.min() and outputs.p_values.max() <= 1 + TOLERANCE):
        raise InvalidModel(f"{SCORER}: expected p-values from 1 / (calibration_rows + 1) to 1, got others")
    if outputs.attributions.min() < 0:
        raise InvalidModel(f"{SCORER}: expected attributions from 0, got {outputs.attributions.min()}")
    return dict(zip(OUTPUTS, outputs[:given], strict=True))


def denoise_golden(model: Autoencoder, golden: Mapping[str, Rows]) -> dict[str, Array]:
    """Return what the denoiser makes of the golden samples."""
    return {"denoised": model.denoise(golden["samples"])}


TASK_OUTPUTS: Mapping[GraphTask, Callable[[Autoencoder, Mapping[str, Rows]], dict[str, Array]]] = {
    "score": score_golden,
    "generate": draw_golden,
    "denoise": denoise_golden,
}
"""The functions that run the golden samples with the graph of a task, and return its outputs by name."""


def p_value_step(manifest: Manifest) -> float:
    """Return the step between p-values: a score that differs in its last digits may be on the other side of one."""
    return 1 / (manifest.scorer.calibration_rows + 1) if manifest.scorer else 0.0
