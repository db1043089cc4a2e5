"""The commands `list` and `compare`. As those of `training.commands`, they return the exit code."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from training.checks import check_fit, check_models_folder, check_run_folder
from training.commands import is_first_process, minutes_of_training, override
from training.config import Config, ScorerConfig, load_config
from training.data.dataset import DataSet
from training.errors import InvalidConfiguration

if TYPE_CHECKING:  # torch takes seconds to import
    from training.comparing.configurations import Contender

log = logging.getLogger(__name__)


def list_command(options: argparse.Namespace) -> int:
    """Print all versions of the repository: a table, or JSON."""
    from training.comparing.versions import describe_versions, read_versions, versions_as_json

    summaries, problems = read_versions(options.models_dir)
    for problem in problems:
        log.warning("%s", problem)
    print(versions_as_json(summaries) if options.json else describe_versions(summaries))
    return 0


def compare_command(options: argparse.Namespace) -> int:
    """Train each configuration into a run of its own, print the comparison, and export the best with --export."""
    started = time.monotonic()
    configs = choose_configs(options)
    for name in configs:
        check_run_folder(options.run_dir / name, resume=options.resume, overwrite=options.overwrite)
    if options.export:
        check_models_folder(options.models_dir)
    from training.data.calibration import load_run_data

    first = next(iter(configs.values()))
    data = load_run_data(first, options.data_dir)
    for config in configs.values():
        check_fit(config, data)
    if is_first_process():
        print(data.findings.describe(), file=sys.stderr)
    from training.comparing.configurations import best_of, contenders_as_json, describe_contenders

    minutes = minutes_of_training(options.max_minutes, started, exports=options.export)
    contenders = _train(configs, data, options, minutes)
    if not is_first_process():
        return 0
    rows = len(data.validation)
    print(contenders_as_json(contenders) if options.json else describe_contenders(contenders, rows))
    best = Path(best_of(contenders).run)
    if not options.export:
        log.info("nothing was exported; hourglass-train export %s exports the best", best)
        return 0
    from training.exporting.export import export
    from training.fitting.runs import load_run

    log.info("wrote %s", export(load_run(best, data), data, options.models_dir))
    return 0


def choose_configs(options: argparse.Namespace) -> dict[str, Config]:
    """
    Return the configurations by their names, all with the data and the seed of the first.

    Raises InvalidConfiguration if they name different data, or if two have the same name.
    """
    configs: dict[str, Config] = {}
    for name_or_path in options.configs:
        name = Path(name_or_path).stem
        if name in configs:
            raise InvalidConfiguration(f"two configurations are called {name}; copy one to a file of another name")
        configs[name] = override(load_config(name_or_path), options)
    name, first = next(iter(configs.items()))
    if any(config.is_conditional for config in configs.values()):  # which has no scorer, and all share the rows
        first = first.model_copy(update={"scorer": ScorerConfig(kind="none")})
    for other, config in configs.items():
        if (config.data.name, config.data.path) != (first.data.name, first.data.path):
            raise InvalidConfiguration(f"{name} and {other} name different data; --data names the data for all")
    return {name: _with_rows_of(first, config) for name, config in configs.items()}


def _with_rows_of(first: Config, config: Config) -> Config:
    """Give a configuration the first one's rows; the validation part, which they are judged by, trains none of them."""
    optimisation = config.optimisation.model_copy(update={"seed": first.optimisation.seed, "folds": 0})
    return config.model_copy(update={"data": first.data, "scorer": first.scorer, "optimisation": optimisation})


def _train(
    configs: dict[str, Config], data: DataSet, options: argparse.Namespace, minutes: float | None
) -> list[Contender]:
    """Train and judge each configuration; they share the minutes."""
    from training.comparing.configurations import judge
    from training.fitting.runs import remove
    from training.fitting.trainer import fit

    share = None if minutes is None else minutes / len(configs)
    contenders = []
    for number, (name, config) in enumerate(configs.items(), start=1):
        folder = options.run_dir / name
        log.info("training %s, %d of %d", name, number, len(configs))
        if options.overwrite and is_first_process():
            remove(folder)
        run = fit(config, data, folder, resume=options.resume, max_minutes=share, accelerator=options.accelerator)
        contenders.append(judge(name, run, data))
    return contenders
