"""Configurations for tests of training: bundled ones with some options changed."""

from __future__ import annotations

from training.config import BUNDLED, Config, load_config


def bundled_config(name: str, **optimisation: object) -> Config:
    """Return a bundled configuration with other options of its optimisation."""
    config = load_config(str(BUNDLED / f"{name}.yaml"))
    changed = config.optimisation.model_copy(update=optimisation)
    return config.model_copy(update={"optimisation": changed})


def with_objective(config: Config, **objective: object) -> Config:
    """Return the configuration with other options of its objective."""
    return config.model_copy(update={"objective": config.objective.model_copy(update=objective)})
