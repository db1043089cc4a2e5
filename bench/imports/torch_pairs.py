"""Pairs that torch exports, each with both of its exporters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bench.imports.networks import CLASSES, Conditional, Counts, Heads, Recurrent, Two, Unrolled, Whole
from bench.imports.trial import PLACE, Answers, Rows, Trial, run

EXPORTERS = {"torch, dynamo": True, "torch, TorchScript": False}


def export(
    network: nn.Module,
    inputs: Tensor | tuple[Tensor, ...],
    path: Path,
    outputs: Sequence[str],
    dynamo: bool,
    free: bool = True,
    names: Sequence[str] = ("x", "label"),
    train: bool = False,
) -> None:
    """Write a graph with one of the exporters; `free` makes its batch axis symbolic."""
    torch.manual_seed(0)
    for parameter in network.parameters():
        nn.init.uniform_(parameter, -0.5, 0.5)
    arguments = inputs if isinstance(inputs, tuple) else (inputs,)
    names = names[: len(arguments)]
    options: dict[str, Any] = {"input_names": list(names), "output_names": list(outputs)}
    network.train(train)
    if dynamo:
        batch = {0: torch.export.Dim("batch")}
        shapes = tuple(batch for _ in arguments) if free else None
        torch.onnx.export(network, arguments, path, dynamic_shapes=shapes, verbose=False, **options)
        return
    axes = {name: {0: "batch"} for name in (*names, *outputs)} if free else None
    if train:
        options |= {"training": torch.onnx.TrainingMode.TRAINING, "do_constant_folding": False}
    torch.onnx.export(network, arguments, path, dynamo=False, dynamic_axes=axes, **options)


def pair(
    encoder: Callable[[], nn.Module],
    decoder: Callable[[], nn.Module],
    shape: tuple[int, ...] = (10,),
    latents: tuple[int, ...] = (3,),
    gives: Sequence[str] = ("z",),
    returns: Sequence[str] = ("x_hat",),
    label: Tensor | None = None,
    free: bool = True,
    train: bool = False,
) -> Callable[[bool, Path], None]:
    """Return a function that writes a pair with one of the exporters."""

    def write(dynamo: bool, folder: Path) -> None:
        count = 2 if free else 1
        labels = () if label is None else (label[:count],)
        export(encoder(), (torch.rand(count, *shape), *labels), folder / "e.onnx", gives, dynamo, free, train=train)
        export(
            decoder(), (torch.rand(count, *latents), *labels), folder / "d.onnx", returns, dynamo, free, ("z", "label")
        )

    return write


def write_whole(dynamo: bool, folder: Path) -> None:
    """Write a whole autoencoder."""
    export(Whole(), torch.rand(2, 10), folder / "e.onnx", ("recon", "mu", "logvar"), dynamo)


def cut_by_hand(_: Path, samples: Rows) -> Answers:
    """Return the answers of the network's halves themselves."""
    network = Whole()
    torch.manual_seed(0)
    for parameter in network.parameters():
        nn.init.uniform_(parameter, -0.5, 0.5)
    with torch.no_grad():
        mean = network.encoder.mean(torch.from_numpy(samples))
        return mean.numpy(), network.decoder(mean).numpy()


def with_labels(labels: Rows, folder: Path, samples: Rows) -> Answers:
    """Return the answers of a conditional pair under its first label."""
    repeated = {"label": np.repeat(labels[:1], len(samples), axis=0)}
    latents = run(folder / "e.onnx", samples, repeated)[0]
    return latents, run(folder / "d.onnx", latents, repeated)[0]


def halved(folder: Path, samples: Rows) -> Answers:
    """Return the first half of the encoder's channels, and the decoder's answer to it."""
    both = run(folder / "e.onnx", samples)[0]
    return both[:, :4], run(folder / "d.onnx", both[:, :4])[0]


def linear(size: int, out: int) -> Callable[[], nn.Module]:
    """Return a function that makes a layer."""
    return lambda: nn.Linear(size, out)


def flat(shape: tuple[int, ...], latents: int) -> dict[str, Any]:
    """Return the arguments of `pair` for samples of a shape that are flattened inside."""
    size = int(np.prod(shape))
    return {
        "encoder": lambda: nn.Sequential(nn.Flatten(), nn.Linear(size, latents)),
        "decoder": lambda: nn.Sequential(nn.Linear(latents, size), nn.Unflatten(1, shape)),
        "shape": shape,
        "latents": (latents,),
    }


def variational(*gives: str, draw: bool = False, **more: Any) -> Callable[[bool, Path], None]:
    """Return a writer of a variational pair with outputs of these names."""
    return pair(lambda: Heads(draw), linear(3, 10), gives=gives, **more)


def recurrent(cell: Callable[..., nn.Module], free: bool) -> Callable[[bool, Path], None]:
    """Return a writer of a recurrent pair."""
    return pair(lambda: Recurrent(cell), lambda: Unrolled(cell), (24, 3), (4,), free=free)


def conditional(indices: bool) -> Callable[[bool, Path], None]:
    """Return a writer of a pair that takes a label in both halves."""
    label = torch.tensor([0, 1]) if indices else torch.eye(CLASSES)[:2]
    return pair(lambda: Conditional(10, 4, indices), lambda: Conditional(4, 10, indices), latents=(4,), label=label)


MOMENTS = pair(
    lambda: nn.Conv2d(3, 8, 3, 2, 1),
    lambda: nn.Sequential(nn.ConvTranspose2d(4, 3, 4, 2, 1), nn.Sigmoid()),
    (3, 16, 16),
    (4, 8, 8),
    ("moments",),
)
UNTRAINED = pair(lambda: nn.Sequential(nn.Linear(10, 8), nn.Dropout(0.2), nn.Linear(8, 3)), linear(3, 10), train=True)
ONE_HOT, INDICES = np.eye(CLASSES, dtype=np.float32), np.arange(CLASSES)

PAIRS: list[tuple[str, Callable[[bool, Path], None], dict[str, Any]]] = [
    ("table", pair(linear(10, 3), linear(3, 10)), {}),
    ("grey images", pair(**flat((1, 12, 12), 4)), {"options": "--range -2 2", "shape": (1, 12, 12)}),
    ("outputs mean, log_std", variational("mean", "log_std"), {}),
    ("outputs z_mean, z_log_sigma, z with a draw", variational("z_mean", "z_log_sigma", "z", draw=True), {}),
    ("outputs embedding, log_covariance", variational("embedding", "log_covariance"), {}),
    ("outputs a, b", variational("a", "b"), {"refused": "pass --encoder-gives, such as mu,logvar"}),
    ("outputs a, b, said", variational("a", "b"), {"options": "--encoder-gives mu,log_std"}),
    ("variance that is negative", variational("qz_m", "qz_v"), {"refused": "qz_v is taken for a variance, but"}),
    ("windows of 24 steps", pair(**flat((24, 3), 4)), {"shape": (24, 3)}),
    ("windows, --shape 72", pair(**flat((24, 3), 4)), {"shape": (24, 3), "options": "--shape 72"}),
    ("LSTM, free batch", recurrent(nn.LSTM, True), {"shape": (24, 3)}),
    ("LSTM, batch of 1", recurrent(nn.LSTM, False), {"shape": (24, 3)}),
    ("GRU, batch of 1", recurrent(nn.GRU, False), {"shape": (24, 3)}),
    ("moments of 8 channels", MOMENTS, {"shape": (3, 16, 16), "options": "--range -2 2", "original": halved}),
    ("images of 4 channels", pair(**flat((4, 8, 8), 5)), {"shape": (4, 8, 8)}),
    ("volumes", pair(**flat((1, 4, 6, 5), 5)), {"shape": (1, 4, 6, 5)}),
    ("decoder of mean, logvar", pair(linear(10, 3), Two, returns=("mean", "logvar")), {}),
    ("decoder of recon, logits", pair(linear(10, 3), lambda: Two(True), returns=("recon", "logits")), {}),
    ("decoder of a, b", pair(linear(10, 3), Two, returns=("a", "b")), {"refused": "pass --decoder-gives"}),
    ("one-hot labels in both", conditional(False), {"original": partial(with_labels, ONE_HOT)}),
    ("indices in both", conditional(True), {"refused": "without their number: pass --labels"}),
    ("indices in both, named", conditional(True),
     {"options": "--labels cat dog bird", "original": partial(with_labels, INDICES)}),
    ("whole autoencoder", write_whole, {"refused": "must be cut at its latents with --cut TENSOR"}),
    ("Dropout in training mode", UNTRAINED, {"refused": "call eval() before exporting"}),
    ("counts without a range", pair(Counts, linear(3, 10)), {"refused": "pass --range LOW HIGH"}),
    ("counts", pair(Counts, linear(3, 10)), {"options": "--range 0 100", "low": 0, "high": 0.5}),
]  # fmt: skip

TORCH = [
    Trial(source, situation, partial(write, dynamo), **more)
    for source, dynamo in EXPORTERS.items()
    for situation, write, more in PAIRS
] + [
    Trial(source, "whole autoencoder, cut", partial(write_whole, dynamo), f"--cut {PLACE}", original=cut_by_hand)
    for source, dynamo in EXPORTERS.items()
]
