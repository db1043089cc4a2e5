"""
Every error that a user of `hourglass-train` can cause or mend: one sentence each, no traceback.

    TrainingError
    ├── InvalidConfiguration
    ├── DataError
    ├── RunError
    └── ExportError
"""

from __future__ import annotations


class TrainingError(Exception):
    """Something that the user can mend."""


class InvalidConfiguration(TrainingError):
    """The configuration is missing or says something that cannot be."""


class DataError(TrainingError):
    """The data set is missing, broken or cannot be had."""


class RunError(TrainingError):
    """The run's folder does not allow what was asked."""


class ExportError(TrainingError):
    """The exported graphs are not what they must be; nothing was written."""
