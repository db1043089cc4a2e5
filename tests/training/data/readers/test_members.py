"""Tests of the names of an archive's members."""

from __future__ import annotations

import pytest

from training.data.readers.members import Part, find_labels, find_parts, find_samples, parse_member


@pytest.mark.parametrize(
    ("name", "part", "words"),
    [
        ("train_images", "train", ("images",)),
        ("val_labels", "validation", ("labels",)),
        ("x_test", "test", ("x",)),
        ("X_valid", "validation", ("x",)),
        ("testY", "test", ("y",)),
        ("ytrain", "train", ("y",)),
        ("train_set_x", "train", ("x",)),
        ("TrainingData", "train", ("data",)),
        ("test", "test", ()),
        ("train.images", "train", ("images",)),
        ("contest", None, ("contest",)),
        ("latest_images", None, ("latest", "images")),
        ("train_test_images", None, ("train", "test", "images")),
        ("devices", None, ("devices",)),
    ],
)
def test_a_name_has_a_part_and_words(name: str, part: Part | None, words: tuple[str, ...]) -> None:
    member = parse_member(name)
    assert (member.part, member.words) == (part, words)


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        (["train_images", "train_labels", "test_images"], {"train": "train_images", "test": "test_images"}),
        (["x_train", "x_val", "x_test", "y_train"], {"train": "x_train", "validation": "x_val", "test": "x_test"}),
        (["train", "test"], {"train": "train", "test": "test"}),
        (["train_images", "train_masks", "test_images"], {"train": "train_images", "test": "test_images"}),
        (["test_images", "val_images"], {}),
        (["train_images"], {}),
        (["train_images", "train_data", "test_images"], {}),
        (["images", "labels"], {}),
    ],
)
def test_parts_are_found_if_each_has_one_member(names: list[str], parts: dict[Part, str]) -> None:
    assert find_parts(names) == parts


@pytest.mark.parametrize(
    ("names", "label", "member"),
    [
        (["anything"], None, "anything"),
        (["anything", "y"], "y", "anything"),
        (["X", "y"], None, "X"),
        (["images", "labels", "ids"], None, "images"),
        (["x", "data"], None, "x"),
        (["a", "b"], None, None),
        (["images", "data"], None, None),
        ([], None, None),
    ],
)
def test_samples_are_found_by_name(names: list[str], label: str | None, member: str | None) -> None:
    assert find_samples(names, label) == member


def test_labels_belong_to_their_part() -> None:
    names = ["train_images", "train_labels", "test_images", "test_labels", "train_kind"]
    assert find_labels(names, "train", None) == "train_labels"
    assert find_labels(names, "test", "train_kind") is None
    assert find_labels(names, "train", "kind") == "train_kind"
    assert find_labels([*names, "train_y"], "train", None) is None
