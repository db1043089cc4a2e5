"""
The configuration of a run: one YAML file that holds every option.

An unknown or misspelled option is an error. The manifest keeps a copy of the configuration that a model was trained
with.

    sections     data, preprocessing, augmentation, network, optimisation, evaluation
    prior        the distribution that new samples are generated from
    scoring      the scorer
    tables       the part of the data section that only tables have
    objective    the loss: one section for each family of models
    load         the whole configuration, read from a file
    settings     options of the command line in place of the configuration's
    problems     mistakes in the user's words
    bundled/     configurations that come with the package
"""

from __future__ import annotations

from training.config.load import BUNDLED, Config, bundled_configs, load_config, with_later_sections
from training.config.objective import (
    AutoencoderObjective,
    Binarisation,
    DenoisingObjective,
    LikelihoodName,
    VariationalObjective,
    option_of_labels,
)
from training.config.prior import PriorConfig
from training.config.problems import describe_problems
from training.config.scoring import ScorerConfig
from training.config.sections import (
    MAX_SPAN,
    AugmentationConfig,
    Auto,
    DataConfig,
    EvaluationConfig,
    NetworkConfig,
    NoiseKind,
    OptimisationConfig,
    PreprocessingConfig,
    Section,
    settled,
)
from training.config.tables import MissingValues, TableOptions

__all__ = [
    "BUNDLED",
    "MAX_SPAN",
    "AugmentationConfig",
    "Auto",
    "AutoencoderObjective",
    "Binarisation",
    "Config",
    "DataConfig",
    "DenoisingObjective",
    "EvaluationConfig",
    "LikelihoodName",
    "MissingValues",
    "NetworkConfig",
    "NoiseKind",
    "OptimisationConfig",
    "PreprocessingConfig",
    "PriorConfig",
    "ScorerConfig",
    "Section",
    "TableOptions",
    "VariationalObjective",
    "bundled_configs",
    "describe_problems",
    "load_config",
    "option_of_labels",
    "settled",
    "with_later_sections",
]
