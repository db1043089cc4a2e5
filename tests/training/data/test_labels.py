"""Tests of labels as indices into sorted classes."""

from __future__ import annotations

import numpy as np
import pytest

from training.data.labels import number_labels
from training.data.source import Source
from training.errors import DataError


def labelled(labels: np.ndarray | None, rows: int = 4) -> Source:
    """Return a source of rows with labels."""
    return Source("set.npz: x", np.arange(2 * rows).reshape(rows, 2), labels)


@pytest.mark.parametrize(
    ("labels", "classes", "indices"),
    [
        (np.array([10, 9, -1, 9]), ("-1", "9", "10"), [2, 1, 0, 1]),
        (np.array([10.0, 9.0, -1.0, 9.0]), ("-1", "9", "10"), [2, 1, 0, 1]),
        (np.array(["10", "9", "-1", "9"]), ("-1", "9", "10"), [2, 1, 0, 1]),
        (np.array([b"b", b"a", b"c", b"a"]), ("a", "b", "c"), [1, 0, 2, 0]),
        (np.array(["10", "9", "x", "9"]), ("10", "9", "x"), [0, 1, 2, 1]),
        (np.array([True, False, True, False]), ("False", "True"), [1, 0, 1, 0]),
    ],
)
def test_classes_are_sorted_and_whole_numbers_by_value(
    labels: np.ndarray, classes: tuple[str, ...], indices: list[int]
) -> None:
    names, (numbered,) = number_labels([labelled(labels)])
    assert names == classes
    assert numbered is not None
    assert numbered.dtype == np.int64
    assert numbered.tolist() == indices


def test_two_sources_share_their_classes() -> None:
    classes, labels = number_labels([labelled(np.array(["b", "c"]), 2), labelled(np.array(["a", "c", "b"]), 3)])
    assert classes == ("a", "b", "c")
    assert [part.tolist() for part in labels if part is not None] == [[1, 2], [0, 2, 1]]


@pytest.mark.parametrize("unlabelled", [0, 1])
def test_a_source_without_labels_has_none_beside_one_with_labels(unlabelled: int) -> None:
    sources = [labelled(np.array(["b", "a"]), 2)]
    sources.insert(unlabelled, labelled(None))
    classes, labels = number_labels(sources)
    assert classes == ("a", "b")
    assert len(labels) == 2
    assert labels[unlabelled] is None
    numbered = labels[1 - unlabelled]
    assert numbered is not None
    assert numbered.tolist() == [1, 0]


def test_sources_without_labels_have_no_classes() -> None:
    assert number_labels([labelled(None), labelled(None)]) == ((), [None, None])


@pytest.mark.parametrize(
    ("labels", "complaint"),
    [
        (np.arange(3), r"set\.npz: x: expected 4 labels, got shape \(3,\)"),
        (np.arange(4) / 2, r"row 1 \(from 0\): expected a label that is text or a whole number, got 0.5"),
        (np.array([1, 2, np.nan, 4]), r"row 2 \(from 0\): expected a label .*, got nan"),
        (np.ones(4, complex), "expected labels that are text or whole numbers, got complex128"),
    ],
)
def test_labels_of_a_wrong_shape_or_type_are_refused(labels: np.ndarray, complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        number_labels([labelled(labels)])
