"""A pair written as a version: graphs, golden samples of the originals, card, manifest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx

from app.engine.repository import write_version
from app.importing.pair import Pair
from app.importing.proof import prove
from app.manifest import CARD, DECODER, ENCODER, GOLDEN, FileDigest, Manifest

Array = npt.NDArray[np.float32]

PROOF_SEED = 11


def write_pair(pair: Pair, models_dir: Path) -> Path:
    """
    Write the next version of the model, and give its folder.

    Raises UnfitGraph, InvalidModel or VersionTaken; then nothing is left behind.
    """
    folder, _ = write_version(models_dir, pair.request.name, lambda folder, version: _fill(pair, folder, version))
    return folder


def _fill(pair: Pair, folder: Path, version: int) -> None:
    onnx.save(pair.encoder.rewrite(), folder / ENCODER)
    onnx.save(pair.decoder.rewrite(), folder / DECODER)
    samples = pair.golden()
    codes = pair.encoder.answers(samples)
    random = np.random.default_rng(PROOF_SEED)
    shuffled = random.permuted(samples, axis=0)  # others, each of numbers within the range
    draws = random.standard_normal(codes[0].shape, np.float32)
    prove(pair.encoder, folder / ENCODER, np.concatenate([samples, shuffled]))
    prove(pair.decoder, folder / DECODER, np.concatenate([codes[0], draws]))
    (reconstructions,) = pair.decoder.answers(codes[0])
    named = {port.name: code for port, code in zip(pair.encoder.given, codes, strict=True)}
    arrays = {"samples": samples, **named, "reconstructions": reconstructions}
    np.savez_compressed(folder / GOLDEN, allow_pickle=False, **arrays)
    (folder / CARD).write_text(write_card(pair, version), encoding="utf-8")
    Manifest(
        name=pair.request.name,
        version=version,
        description=pair.description,
        family=pair.family,
        tasks=pair.tasks,
        input=pair.input,
        latent=pair.latent,
        files={name: FileDigest.of(folder / name) for name in (ENCODER, DECODER, GOLDEN, CARD)},
    ).write(folder)


def write_card(pair: Pair, version: int) -> str:
    """What is known of a model that was not trained here, in Markdown."""
    originals = (pair.encoder.original, pair.decoder.original)
    digests = [f"- `{original.name}`: SHA-256 `{FileDigest.of(original.path).sha256}`" for original in originals]
    lines = [
        f"# {pair.request.name}, version {version}",
        "",
        pair.description,
        "",
        "Imported, not trained here: what it was trained on, how, and how good it is, is not known.",
        "",
        *digests,
        "",
        "```text",
        *pair.describe(),
        "```",
        "",
    ]
    return "\n".join(lines)
