"""The whole configuration of a run, read from a YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, model_validator

from app.manifest import ModelName
from training.config.objective import (
    AutoencoderObjective,
    Binarisation,
    DenoisingObjective,
    VariationalObjective,
    check_joint_prior,
)
from training.config.prior import PriorConfig
from training.config.problems import describe_problems, did_you_mean, known_options
from training.config.scoring import ScorerConfig
from training.config.sections import (
    AugmentationConfig,
    DataConfig,
    EvaluationConfig,
    NetworkConfig,
    OptimisationConfig,
    PreprocessingConfig,
    Section,
)
from training.errors import InvalidConfiguration

BUNDLED = Path(__file__).parent / "bundled"


class Config(Section):
    """Every option of a run."""

    name: ModelName
    """The model's name in the repository."""
    description: str
    data: DataConfig = DataConfig()
    """May be left out if the command line names the data."""
    preprocessing: PreprocessingConfig = PreprocessingConfig()
    augmentation: AugmentationConfig = AugmentationConfig()
    network: NetworkConfig
    objective: Annotated[
        AutoencoderObjective | DenoisingObjective | VariationalObjective, Field(discriminator="family")
    ]
    optimisation: OptimisationConfig = OptimisationConfig()
    prior: PriorConfig = PriorConfig()
    scorer: ScorerConfig = ScorerConfig()
    evaluation: EvaluationConfig = EvaluationConfig()

    @model_validator(mode="after")
    def _joint_prior_has_a_bound(self) -> Self:
        if self.prior.joint:
            check_joint_prior(self.objective)
        return self

    @property
    def binarisation(self) -> Binarisation:
        """The binarisation of samples in training and evaluation; `none` unless the model is variational."""
        return self.objective.binarisation if isinstance(self.objective, VariationalObjective) else "none"

    @property
    def is_conditional(self) -> bool:
        """True if the decoder takes a label beside the latents."""
        return isinstance(self.objective, VariationalObjective) and self.objective.conditional


def with_later_sections(document: dict[str, Any]) -> dict[str, Any]:
    """Return a stored configuration, of a run or a manifest, that may be older than the section of the scorer."""
    return {"scorer": {"kind": "none"}, **document}


def load_config(name_or_path: str, *, is_stored: bool = False) -> Config:
    """
    Read a configuration from a file, or a bundled one by its name.

    `is_stored` says that it is that of a run, which may be older than some sections.
    Raises InvalidConfiguration, which names the file and each wrong option.
    """
    import yaml  # one of the packages without which --help works

    path = Path(name_or_path)
    if not path.is_file():
        path = BUNDLED / f"{name_or_path}.yaml"
    if not path.is_file():
        raise InvalidConfiguration(
            f"no configuration file {name_or_path!r}, and no bundled configuration of that name; "
            f"bundled: {', '.join(bundled_configs())}{did_you_mean(name_or_path, bundled_configs())}"
        )
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InvalidConfiguration(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    if is_stored and isinstance(document, dict):
        document = with_later_sections(document)
    try:
        return Config.model_validate(document)
    except ValidationError as error:
        options = known_options(Config, document if isinstance(document, dict) else {})
        raise InvalidConfiguration(f"{path}: {describe_problems(error, options)}") from error


def bundled_configs() -> list[str]:
    """Return the names of the configurations that come with the package."""
    return sorted(path.stem for path in BUNDLED.glob("*.yaml"))
