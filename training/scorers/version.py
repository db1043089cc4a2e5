"""A version with a scorer, made of one without: the same files, the scorer's graph, new golden samples and a card."""

from __future__ import annotations

import shutil
from pathlib import Path

from app.engine.autoencoder import Autoencoder
from app.engine.process import available_cores
from app.engine.repository import write_version
from app.manifest import CARD, SCORER, Manifest
from training.config import ScorerConfig
from training.data.dataset import DataSet
from training.errors import RunError
from training.evaluation.false_alarms import measure_false_alarms
from training.evaluation.rounding import shown
from training.evaluation.subject import Subject
from training.exporting.card import describe_scorer
from training.exporting.scorer import add_scorer_graph

HEADING = "## Scorer"


def add_scorer(
    folder: Path, manifest: Manifest, data: DataSet, options: ScorerConfig, seed: int, models_dir: Path
) -> Path:
    """
    Write the next version of a model, with a scorer that is fitted to data, and return its folder.

    A scorer that the version has is replaced; its prior is kept. Raises RunError if the model is conditional, and
    DataError if the data do not fit; then, and after any other error, nothing is written.
    """
    if manifest.labels:
        raise RunError(f"{manifest.name}: a conditional model needs a label to reconstruct a sample: no scorer")
    without = remove_scorer(manifest)

    def write(target: Path, version: int) -> Manifest:
        for name in without.files:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / name, target / name)
        draft = without.model_copy(update={"version": version})
        counts_errors = not was_cross_validated(manifest)
        return _finish(target, add_scorer_graph(target, draft, data, options, seed, counts_errors=counts_errors), data)

    return write_version(models_dir, manifest.name, write)[0]


def was_cross_validated(manifest: Manifest) -> bool:
    """Return True if the network was fitted to the validation part, too, in the end."""
    options = manifest.training.configuration.get("optimisation") if manifest.training else None
    folds = options.get("folds") if isinstance(options, dict) else None
    return isinstance(folds, int) and folds > 0


def remove_scorer(manifest: Manifest) -> Manifest:
    """Return the manifest of a version without the scorer that the version may have."""
    tasks = tuple(task for task in manifest.tasks if task != "score")
    files = {name: digest for name, digest in manifest.files.items() if name != SCORER}
    metrics = tuple(measured for measured in manifest.metrics if "false_positive_rate_0.1" not in measured.values)
    return manifest.model_copy(update={"scorer": None, "tasks": tasks, "files": files, "metrics": metrics})


def _finish(folder: Path, draft: Manifest, data: DataSet) -> Manifest:
    """Measure the false-positive rates, extend the card, and write the manifest."""
    model, card = Autoencoder.open(folder, draft, threads=available_cores()), folder / CARD
    measured = measure_false_alarms(Subject.of(model, data))
    manifest = draft.model_copy(update={"metrics": (*draft.metrics, measured)})
    if card.is_file():
        card.write_text(extend_card(card.read_text(encoding="utf-8"), manifest, len(data.test)), encoding="utf-8")
    manifest = manifest.with_files(folder)
    manifest.write(folder)
    return manifest


def extend_card(card: str, manifest: Manifest, rows: int) -> str:
    """Return a version's card with the number of the new version, and a last section about its scorer."""
    rest = card.partition("\n")[2].partition(f"\n{HEADING}\n")[0].rstrip("\n")
    measured = manifest.metrics[-1]
    return "\n".join(
        [
            f"# {manifest.name}, version {manifest.version}",
            rest,
            "",
            HEADING,
            "",
            "This scorer was added to an earlier version of the model, whose numbers stand above.",
            f"Anomalies: {describe_scorer(manifest)}.",
            "",
            f"{measured.data_set}: {measured.protocol}.",
            "",
            "| measure | value |",
            "|---|---|",
            *(f"| {name} | {shown(name, value, rows)} |" for name, value in measured.values.items()),
            "",
        ]
    )
