"""Write a pair as a version: graphs, golden samples from the originals, card, manifest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx

from app.engine.repository import write_version
from app.importing.pair import Pair, golden_labels
from app.importing.proof import prove
from app.manifest import CARD, DECODER, ENCODER, GOLDEN, FileDigest, Manifest

PROOF_SEED = 11


def write_pair(pair: Pair, models_dir: Path) -> Path:
    """
    Write the next version of the model, and return its folder.

    Raises UnfitGraph, InvalidModel or VersionTaken; then nothing is left behind.
    """
    folder, _ = write_version(models_dir, pair.request.name, lambda folder, version: _fill(pair, folder, version))
    return folder


def _fill(pair: Pair, folder: Path, version: int) -> None:
    onnx.save(pair.encoder.rewrite(), folder / ENCODER)
    onnx.save(pair.decoder.rewrite(), folder / DECODER)
    _write_golden(pair, folder)
    (folder / CARD).write_text(card_text(pair, version), encoding="utf-8")
    Manifest(
        name=pair.request.name,
        version=version,
        description=pair.description,
        family=pair.family,
        tasks=pair.tasks,
        input=pair.input,
        latent=pair.latent,
        labels=pair.labels,
        encoder_takes_labels=len(pair.encoder.inputs) > 1,
        files={name: FileDigest.of(folder / name) for name in (ENCODER, DECODER, GOLDEN, CARD)},
    ).write(folder)


def _write_golden(pair: Pair, folder: Path) -> None:
    """Compare the graphs with the originals, and write the originals' outputs as golden samples. Raises UnfitGraph."""
    samples = pair.samples
    labels = golden_labels(pair.labels, len(samples))
    outputs = pair.encoder.expected_outputs(samples, labels)
    latents = outputs[0]
    random = np.random.default_rng(PROOF_SEED)
    shuffled = random.permuted(samples, axis=0)  # other samples, whose numbers are still within the range
    draws = random.standard_normal(latents.shape, np.float32)
    twice = None if labels is None else np.concatenate([labels, labels[::-1]])
    prove(pair.encoder, folder / ENCODER, np.concatenate([samples, shuffled]), twice)
    prove(pair.decoder, folder / DECODER, np.concatenate([latents, draws]), twice)
    (reconstructions,) = pair.decoder.expected_outputs(latents, labels)
    named = {port.name: output for port, output in zip(pair.encoder.outputs, outputs, strict=True)}
    arrays = {"samples": samples, **named, "reconstructions": reconstructions}
    if labels is not None:
        arrays["labels"] = labels
    np.savez_compressed(folder / GOLDEN, allow_pickle=False, **arrays)


def card_text(pair: Pair, version: int) -> str:
    """Return the card of an imported model, in Markdown: where it came from, and how it was adapted."""
    paths = dict.fromkeys([pair.encoder.original.file.path, pair.decoder.original.file.path])
    digests = [f"- `{path.name}`: SHA-256 `{FileDigest.of(path).sha256}`" for path in paths]
    lines = [
        f"# {pair.request.name}, version {version}",
        "",
        pair.description,
        "",
        "Imported, not trained here: its training data, its training and its quality are unknown.",
        "",
        *digests,
        "",
        "```text",
        *pair.describe(),
        "```",
        "",
    ]
    return "\n".join(lines)
