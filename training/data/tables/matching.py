"""The options under which another file has the features of a table: the same columns, encoded alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from training.config import DataConfig
from training.data.source import Source


def feature_columns(names: Sequence[str], one_hot: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return the columns of a table that features were made of."""
    encoded = {f"{column}={value}": column for column, values in one_hot.items() for value in values}
    return tuple(dict.fromkeys(encoded.get(name, name) for name in names))


def same_columns(config: DataConfig, source: Source) -> DataConfig:
    """
    Return how to read another file so that its features are those of a table; as configured for other sources.

    Further columns of the other file are passed over.
    """
    if not source.feature_names:
        return config
    columns = feature_columns(source.feature_names, source.one_hot)
    one_hot = dict(source.one_hot) or False
    return config.model_copy(update={"columns": columns, "drop": (), "one_hot": one_hot})
