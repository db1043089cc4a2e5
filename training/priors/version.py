"""A version with a prior, made of one without: the same files, the prior's graph, new golden samples and a card."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from app.engine.autoencoder import Autoencoder
from app.engine.process import available_cores
from app.engine.repository import write_version
from app.inputs import ImageInput
from app.manifest import CARD, FIGURES, PRIOR, Manifest
from training.config import PriorConfig
from training.data.dataset import DataSet
from training.errors import RunError
from training.exporting.card import CAPTIONS, describe_prior
from training.exporting.prior import describe_gain, fit_prior, write_prior
from training.exporting.report import draw_samples

log = logging.getLogger(__name__)

HEADING, SAMPLES = "## Prior", "samples.png"


def add_prior(
    folder: Path, manifest: Manifest, data: DataSet, config: PriorConfig, seed: int, models_dir: Path
) -> Path:
    """
    Write the next version of a model, with a prior that is fitted to the codes of data, and return its folder.

    An existing prior is replaced. Raises RunError if N(0, I) stays the prior of a variational model; then, and after
    any other error, nothing is written.
    """
    if manifest.has_trained_prior:
        raise RunError(
            f"{manifest.name}: its prior was trained with the network, as part of the bound, and no other can take its "
            "place; nothing was written"
        )
    without = remove_prior(manifest)
    choice = fit_prior(folder, without, data, config, seed)
    if choice is None:
        raise RunError(f"{manifest.name}: N(0, I) stays the prior, and nothing was written; --kind gmm fits a mixture")
    if manifest.latent.kind == "gaussian":
        log.info("%s", describe_gain(choice))

    def write(target: Path, version: int) -> Manifest:
        for name in without.files:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / name, target / name)
        draft = without.model_copy(update={"version": version})
        return _finish(target, write_prior(target, draft, data, choice))

    return write_version(models_dir, manifest.name, write)[0]


def remove_prior(manifest: Manifest) -> Manifest:
    """Return the manifest of a version's pair, without the prior that the version may have."""
    if manifest.prior is None:
        return manifest
    is_variational = manifest.latent.kind == "gaussian"
    tasks = tuple(task for task in manifest.tasks if task != "generate" or is_variational)
    files = {name: digest for name, digest in manifest.files.items() if name != PRIOR}
    return manifest.model_copy(update={"prior": None, "tasks": tasks, "files": files})


def _finish(folder: Path, draft: Manifest) -> Manifest:
    """Draw samples of the prior, extend the card, and write the manifest."""
    figures, card = folder / FIGURES, folder / CARD
    if isinstance(draft.input, ImageInput):
        figures.mkdir(exist_ok=True)
        draw_samples(Autoencoder.open(folder, draft, threads=available_cores()), figures)
    if card.is_file():
        has_figure = (figures / SAMPLES).is_file()
        card.write_text(extend_card(card.read_text(encoding="utf-8"), draft, has_figure), encoding="utf-8")
    manifest = draft.with_files(folder)
    manifest.write(folder)
    return manifest


def extend_card(card: str, manifest: Manifest, has_figure: bool) -> str:
    """Return a version's card with the number of the new version, and a last section about its prior."""
    rest = card.partition("\n")[2].partition(f"\n{HEADING}\n")[0].rstrip("\n")
    lines = [
        f"# {manifest.name}, version {manifest.version}",
        rest,
        "",
        HEADING,
        "",
        f"This prior was added to an earlier version of the model, whose numbers stand above. It generates "
        f"{describe_prior(manifest)}.",
    ]
    if has_figure:
        lines += ["", f"![{CAPTIONS[SAMPLES]}]({FIGURES}/{SAMPLES})", "", CAPTIONS[SAMPLES]]
    return "\n".join(lines) + "\n"
