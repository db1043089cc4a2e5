"""Another file is read so that its features are those of a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from training.config import DataConfig
from training.data.load import load_data
from training.data.source import Source
from training.data.tables.matching import feature_columns, same_columns


def test_one_hot_features_are_one_column() -> None:
    one_hot = {"c": ("x", "y")}
    assert feature_columns(("a", "c=x", "c=y", "b"), one_hot) == ("a", "c", "b")
    assert feature_columns(("a", "c=x"), {}) == ("a", "c=x")
    source = Source("t.csv", np.zeros((1, 4)), feature_names=("a", "c=x", "c=y", "b"), one_hot=one_hot)
    config = same_columns(DataConfig(drop=("z",), one_hot=True), source)
    assert (config.columns, config.drop, config.one_hot) == (("a", "c", "b"), (), one_hot)
    assert same_columns(config, Source("x.npy", np.zeros((1, 4)))) is config


def test_a_test_file_has_the_columns_of_the_training_file(tmp_path: Path) -> None:
    rows = "".join(f"{n},{n % 7},{'red' if n % 3 else 'blue'},{n * n}\n" for n in range(30))
    (tmp_path / "train.csv").write_text("id,a,colour,b\n" + rows)
    (tmp_path / "test.csv").write_text("b,colour,a,id\n1,red,2,7\n3,red,4,7\n")
    config = DataConfig(path="train.csv", test_path="test.csv", one_hot=True)
    data = load_data(config, tmp_path, seed=0)
    assert data.test.samples.tolist() == [[2, 0, 1, 1], [4, 0, 1, 3]]
