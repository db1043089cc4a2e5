"""
The tasks: everything that a model can be asked.

A task is a function and a row of TASKS. The routes of /v1, the models of /v2, the OpenAPI document and the statistics
are all derived from the table. A task knows no wire: it takes a served model, its options and an array, and returns a
Result, which each wire renders.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from inspect import getdoc
from typing import Literal, NamedTuple

from app.arrays import Array, Latents, Rows, Samples
from app.engine.queues import QueueName
from app.engine.served import ServedModel
from app.engine.verdicts import below_level, check_level, discoveries, exact_p_values
from app.manifest import Manifest
from app.options import (
    DecodeOptions,
    DenoiseOptions,
    EncodeOptions,
    GenerateOptions,
    InterpolateOptions,
    Options,
    ScoreOptions,
)

DEFAULT_NOISE_AMOUNT = 0.5
NO_EXTRAS: Mapping[str, Rows] = {}

InputName = Literal["samples", "latents"]


class Result(NamedTuple):
    """The answer to a task."""

    array: Array
    """Named by `Task.gives`."""
    seed: int | None = None
    """The seed of the draws, if anything was drawn: it repeats them."""
    extras: Mapping[str, Rows] = NO_EXTRAS
    """Further arrays, by their names in `Task.extras`."""
    samples: Samples | None = None
    """The samples that attributions are of: a heat map shows them below."""


@dataclass(frozen=True)
class Task:
    """A row of the table: a function, and everything that a wire must know to offer it."""

    function: Callable[..., Awaitable[Result]]
    """Takes a ServedModel, the options and, if `takes` is set, the array. Its docstring documents the task."""
    options: type[Options]
    takes: InputName | None
    """The array in the request; None if the request has no body."""
    gives: str
    """The array of the result: a key of `app.arrays.ARRAYS`."""
    runs: tuple[QueueName, ...]
    """The queues of the served model whose runs are the task's statistics; tasks may share a queue."""
    extras: tuple[str, ...] = ()
    """Further arrays of the result, likewise."""
    echoes: tuple[str, ...] = ()
    """Those of `extras` that repeat the input if the result lacks them."""
    optional: tuple[str, ...] = ()
    """Those of `extras` that only some options add to an answer."""
    columns: tuple[str, ...] = ()
    """The arrays of one number per row that are the columns of a `.npy` answer; none: it is the array `gives`."""
    heat_map: bool = False
    """True if pictures show the attributions over the samples."""
    unbounded: bool = False
    """True if samples may lie beyond the model's range: they are not clipped, and rows of tables not refused."""
    rows: int | None = None
    """The exact number of rows in a request; None for any number."""
    supports: Callable[[Manifest], bool] | None = None
    """Decides whether a model supports the task; None if the manifest's `tasks` decide."""

    @property
    def check(self) -> str | None:
        """The check of the model that the array in the request must pass: a key of `ServedModel.checks`."""
        return "unbounded samples" if self.unbounded else self.takes

    @property
    def computed(self) -> tuple[str, ...]:
        """The arrays of a result that do not repeat the input."""
        return (self.gives, *(name for name in self.extras if name not in self.echoes))

    @property
    def summary(self) -> str:
        """The first line of the function's docstring, without its period."""
        return self._paragraphs[0].rstrip(".")

    @property
    def description(self) -> str:
        """The whole docstring of the function."""
        return "\n\n".join(self._paragraphs)

    @property
    def _paragraphs(self) -> list[str]:
        return (getdoc(self.function) or "").split("\n\n")


def supported_tasks(manifest: Manifest) -> list[str]:
    """Return the names of the tasks that a model supports."""
    return [
        name for name, task in TASKS.items() if (task.supports(manifest) if task.supports else name in manifest.tasks)
    ]


async def encode(model: ServedModel, options: EncodeOptions, samples: Samples) -> Result:
    """
    Encode samples.

    Each sample becomes a latent vector: the posterior mean, for a variational model. With `sample=true` it is a draw
    from the sample's posterior instead.
    """
    if not options.sample:
        return Result(await model.encode(samples, options.label))
    seed = chosen_seed(options.seed)
    return Result(await model.sample_posterior(samples, seed, options.label), seed)


async def decode(model: ServedModel, options: DecodeOptions, latents: Latents) -> Result:
    """
    Decode latents.

    Each latent vector becomes a sample.
    """
    return Result(await model.decode(latents, options.label))


async def reconstruct(model: ServedModel, options: DecodeOptions, samples: Samples) -> Result:
    """
    Reconstruct samples.

    Samples are encoded and decoded; the answer also has the mean squared error of each.
    """
    reconstruction = await model.reconstruct(samples, options.label)
    return Result(reconstruction.samples, extras={"errors": reconstruction.errors})


async def denoise(model: ServedModel, options: DenoiseOptions, samples: Samples) -> Result:
    """
    Denoise samples.

    A model whose version holds a `denoiser.onnx` runs that graph, which keeps the details that a latent vector loses;
    other models encode and decode the samples.

    With `noise`, the samples are corrupted first, and a JSON answer holds the corrupted samples under `noisy`.
    """
    if options.noise is None:
        return Result(await model.denoise(samples, options.label))
    seed = chosen_seed(options.seed)
    amount = DEFAULT_NOISE_AMOUNT if options.amount is None else options.amount
    noisy = await model.corrupt(samples, options.noise, amount, seed)
    return Result(await model.denoise(noisy, options.label), seed, {"noisy": noisy})


async def generate(model: ServedModel, options: GenerateOptions) -> Result:
    """
    Generate samples.

    New samples are decoded from draws of the model's prior: the version's `prior.onnx`, which was fitted to the latents
    of training data, or else the standard normal distribution of a variational model.
    """
    model.check_row_count(options.count)
    seed = chosen_seed(options.seed)
    return Result(await model.generate(options.count, seed, options.temperature, options.label), seed)


async def interpolate(model: ServedModel, options: InterpolateOptions, samples: Samples) -> Result:
    """
    Interpolate between two samples.

    The straight line between their latent vectors is decoded. A PNG answer shows it from left to right.
    """
    model.check_row_count(options.steps)
    return Result(await model.interpolate(samples, options.steps, options.label))


async def score(model: ServedModel, options: ScoreOptions, samples: Samples) -> Result:
    """
    Score samples.

    Each sample gets an anomaly score, which is larger for stranger samples, and a p-value: of the calibration rows and
    the sample itself, the share that is at least as strange. The calibration rows were not trained on. The smallest
    p-value is 1 / (n + 1), with `calibration_rows` n of the manifest.

    With `alpha` or `fdr`, `anomalous` has a verdict on each sample. `attribution=true` adds the part of each number in
    the strangeness of its sample; for a table by column. A PNG answer shows this as a heat map over each image. A
    `.npy` answer has the columns score, p-value and, with `alpha` or `fdr`, the verdict as 0 or 1.

    Samples may lie beyond the range of the training samples: they are not clipped, and rows of tables never refused.
    """
    assert model.manifest.scorer  # the manifest has it with the task
    rows = model.manifest.scorer.calibration_rows
    for name, level in (("alpha", options.alpha), ("fdr", options.fdr)):
        if level is not None:
            check_level(name, level, rows)
    scored = await model.score(samples)
    extras: dict[str, Rows] = {"p_values": scored.p_values, "attributions": scored.attributions}
    if options.alpha is not None:
        extras["anomalous"] = below_level(exact_p_values(scored.p_values, rows), options.alpha)
    elif options.fdr is not None:
        extras["anomalous"] = discoveries(exact_p_values(scored.p_values, rows), options.fdr)
    return Result(scored.scores, extras=extras, samples=samples)


def chosen_seed(seed: int | None) -> int:
    """Return the client's seed, or a new one: the answer names it, so that every draw can be repeated."""
    return secrets.randbits(32) if seed is None else seed


TASKS: dict[str, Task] = {
    "encode": Task(encode, EncodeOptions, takes="samples", gives="latents", runs=("mean", "posterior")),
    "decode": Task(decode, DecodeOptions, takes="latents", gives="samples", runs=("decode",)),
    "reconstruct": Task(
        reconstruct, DecodeOptions, takes="samples", gives="samples", runs=("reconstruct",), extras=("errors",)
    ),
    "denoise": Task(
        denoise,
        DenoiseOptions,
        takes="samples",
        gives="samples",
        runs=("denoise",),
        extras=("noisy",),
        echoes=("noisy",),
    ),
    "generate": Task(generate, GenerateOptions, takes=None, gives="samples", runs=("generate",)),
    "interpolate": Task(interpolate, InterpolateOptions, takes="samples", gives="samples", runs=("decode",), rows=2),
    "score": Task(
        score,
        ScoreOptions,
        takes="samples",
        gives="scores",
        runs=("score",),
        extras=("p_values", "attributions", "anomalous"),
        optional=("attributions", "anomalous"),
        columns=("scores", "p_values", "anomalous"),
        heat_map=True,
        unbounded=True,
    ),
}
"""Every task, by its name in paths, in manifests and in the models of /v2."""
