"""Several configurations, trained on the same rows with the same seed, and compared on the validation part."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch

from app.arrays import Array, Samples
from training.comparing.text_table import number, text_table
from training.config import settled
from training.data.dataset import DataSet, Split
from training.evaluation.baselines import LinearAutoencoder
from training.evaluation.limits import DEFAULT_LIMITS
from training.evaluation.metrics import mse
from training.evaluation.subject import choose_rows, chunks
from training.fitting.runs import Run
from training.networks.user_units import DecoderGraph, EncoderGraph


@dataclass(frozen=True)
class Contender:
    """A trained configuration, and its error on the validation part."""

    configuration: str
    latents: int
    validation_mse: float
    """In the units of `error_scale`, which are the same for all configurations."""
    pca_mse: float
    """That of PCA with as many components as there are latents, fitted on the training part."""
    epochs: int
    """Epochs of all stages."""
    minutes: float
    run: str
    """The run's folder."""

    @property
    def ratio(self) -> float:
        """The error as a share of PCA's."""
        return self.validation_mse / self.pca_mse if self.pca_mse else float("inf")


def judge(configuration: str, run: Run, data: DataSet) -> Contender:
    """Measure a run on the validation part."""
    latents = settled(run.config.network.latent_dim)
    scale = error_scale(data)
    target = data.validation.in_users_units() / scale
    train = choose_rows(data.train, DEFAULT_LIMITS.baseline.count(target[0].size), 0).in_users_units() / scale
    return Contender(
        configuration=configuration,
        latents=latents,
        validation_mse=mse(reconstruct_rows(run, data, data.validation) / scale, target),
        pca_mse=mse(LinearAutoencoder.fit(train, latents).reconstruct(target), target),
        epochs=sum(map(len, run.record.history.values())),
        minutes=run.record.minutes,
        run=str(run.folder),
    )


def error_scale(data: DataSet) -> Array:
    """
    Return the unit of errors: the span of the value range or, without one, each column's standard deviation.

    Configurations may preprocess their samples in different ways, so their own errors cannot be compared.
    """
    value_range = data.input.value_range
    if value_range:
        return np.array(value_range.span, np.float32)
    deviation = data.train.in_users_units().std(axis=0, dtype=np.float64)
    return np.where(deviation > 0, deviation, 1).astype(np.float32)


def reconstruct_rows(run: Run, data: DataSet, rows: Split) -> Samples:
    """Return the run's reconstructions in the user's units; a conditional network decodes each row under its label."""
    encoder = EncoderGraph(run.network, run.preprocessing)
    decoder = DecoderGraph(run.network, run.preprocessing, data.input.value_range)
    outputs = []
    for part in chunks(rows):
        labels = torch.from_numpy(part.labels) if run.network.classes and part.labels is not None else None
        with torch.no_grad():
            outputs.append(decoder(encoder(torch.from_numpy(part.in_users_units()))[0], labels).numpy())
    return np.concatenate(outputs)


def best_of(contenders: Sequence[Contender]) -> Contender:
    """Return the contender with the least error on the validation part; of equal ones, the first."""
    return min(contenders, key=lambda contender: contender.validation_mse)


def describe_contenders(contenders: Sequence[Contender], rows: int) -> str:
    """Return a table, the best first, and a sentence that names it. `rows` is the size of the validation part."""
    header = ["configuration", "latents", "validation MSE", "PCA's", "ratio", "epochs", "minutes"]
    ordered = sorted(contenders, key=lambda contender: contender.validation_mse)
    lines = [
        [
            contender.configuration,
            str(contender.latents),
            number(contender.validation_mse),
            number(contender.pca_mse),
            number(contender.ratio, 3),
            str(contender.epochs),
            number(contender.minutes, 3),
        ]
        for contender in ordered
    ]
    best = ordered[0]
    sentence = f"best on {rows} validation rows: {best.configuration}, whose run is {best.run}"
    return f"{text_table(header, lines)}\n\n{sentence}"


def contenders_as_json(contenders: Sequence[Contender]) -> str:
    """Return the comparison as indented JSON."""
    rows = [asdict(contender) | {"ratio": contender.ratio} for contender in contenders]
    return json.dumps({"best": best_of(contenders).configuration, "configurations": rows}, indent=2)
