"""
The errors that a user of `hourglass-train` can cause or mend; the command prints each as one sentence.

    TrainingError
    ├── InvalidConfiguration
    ├── DataError
    ├── RunError
    └── ExportError
"""

from __future__ import annotations


class TrainingError(Exception):
    """The base class of the errors that the user can mend."""


class InvalidConfiguration(TrainingError):
    """The configuration is missing, or an option has a value that it cannot have."""


class DataError(TrainingError):
    """The data set is missing or broken, or cannot be downloaded."""


class RunError(TrainingError):
    """The run's folder does not allow the command."""


class ExportError(TrainingError):
    """The exported graphs failed a check; nothing was written."""
