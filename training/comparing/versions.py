"""All versions of a model repository side by side, from what their manifests say; needs no torch and loads no graph."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import ValidationError

from app.manifest import MANIFEST, Manifest
from training.comparing.text_table import number, text_table
from training.errors import RunError

MEBIBYTE = 2**20


@dataclass(frozen=True)
class VersionSummary:
    """The facts about a version that choose between versions."""

    name: str
    version: int
    family: str
    latents: int
    data_set: str | None
    """The data of the first measurement; errors on other data cannot be compared."""
    mse: float | None
    """None: it was not measured, such as an imported model."""
    pca_mse: float | None
    """That of PCA of the same size or, if latent units are unused, with as many components as are used."""
    warnings: tuple[str, ...]
    bytes: int
    """Size of all files."""
    minutes: float | None

    @property
    def ratio(self) -> float | None:
        """The MSE as a share of PCA's: below 1, the network is better."""
        return self.mse / self.pca_mse if self.mse is not None and self.pca_mse else None

    @classmethod
    def of(cls, manifest: Manifest) -> VersionSummary:
        """Return the summary of a manifest."""
        first = manifest.metrics[0] if manifest.metrics else None
        values = first.values if first else {}
        return cls(
            name=manifest.name,
            version=manifest.version,
            family=manifest.family,
            latents=manifest.latent_dim,
            data_set=first.data_set if first else None,
            mse=values.get("mse"),
            pca_mse=values.get("pca_active_mse", values.get("pca_mse")),
            warnings=manifest.training.warnings if manifest.training else (),
            bytes=sum(digest.bytes for digest in manifest.files.values()),
            minutes=manifest.training.minutes if manifest.training else None,
        )


def read_versions(models_dir: Path) -> tuple[list[VersionSummary], list[str]]:
    """
    Return the versions of a repository by name and number, and a sentence for each that cannot be read.

    Raises RunError if there is no version at all.
    """
    summaries, problems = [], []
    for folder in _version_folders(models_dir):
        try:
            summaries.append(VersionSummary.of(Manifest.read(folder)))
        except FileNotFoundError:
            problems.append(f"{folder}: {MANIFEST} is missing")
        except (OSError, ValidationError) as error:
            problems.append(f"{folder}: {MANIFEST} cannot be read: {' '.join(str(error).split())[:200]}")
    if not summaries:
        raise RunError(f"no version of a model in {models_dir}" + "".join(f"; {problem}" for problem in problems))
    return summaries, problems


def _version_folders(models_dir: Path) -> Iterator[Path]:
    models = sorted(models_dir.iterdir()) if models_dir.is_dir() else []
    for model in models:
        if model.is_dir() and not model.name.startswith("."):
            yield from sorted(
                (path for path in model.iterdir() if path.name.isdecimal()), key=lambda path: int(path.name)
            )


def describe_versions(summaries: Sequence[VersionSummary]) -> str:
    """Return a table, and below it the warnings of each version."""
    header = ["model", "latents", "MSE", "PCA's", "ratio", "warnings", "MiB", "minutes"]
    rows = [
        [
            f"{summary.name}/{summary.version}",
            str(summary.latents),
            number(summary.mse),
            number(summary.pca_mse),
            number(summary.ratio, 3),
            str(len(summary.warnings)),
            f"{summary.bytes / MEBIBYTE:.1f}",
            number(summary.minutes, 3),
        ]
        for summary in summaries
    ]
    warnings = [f"{s.name}/{s.version}: {warning}" for s in summaries for warning in s.warnings]
    return "\n".join([text_table(header, rows), *([""] if warnings else []), *warnings])


def versions_as_json(summaries: Sequence[VersionSummary]) -> str:
    """Return the summaries as indented JSON."""
    return json.dumps([asdict(summary) | {"ratio": summary.ratio} for summary in summaries], indent=2)
