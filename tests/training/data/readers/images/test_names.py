"""Tests of what the names of folders and files say."""

from __future__ import annotations

import pytest

from training.data.readers.images.names import (
    find_parts,
    holds_images_only,
    is_mask_file,
    is_mask_folder,
    is_test_name,
    words_of,
)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("seg_train", ("seg", "train")),
        ("leftImg8bit", ("left", "Img", "8", "bit")),
        ("DIV2K_valid_HR", ("DIV", "2", "K", "valid", "HR")),
        ("imagesTr", ("images", "Tr")),
        ("TRAINING-2017", ("TRAINING", "2017")),
    ],
)
def test_names_are_split_into_words(name: str, words: tuple[str, ...]) -> None:
    assert words_of(name) == words


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        ("train val test", "train validation test"),
        ("Training Testing", "train test"),
        ("train valid test", "train validation test"),
        ("train test1", "train test"),
        ("train2017 val2017 test2017", "train validation test"),
        ("training_set test_set", "train test"),
        ("seg_train seg_test", "train test"),
        ("cars_train cars_test", "train test"),
        ("DIV2K_train_HR DIV2K_valid_HR", "train validation"),
        ("bounding_box_train bounding_box_test", "train test"),
        ("images_background images_evaluation", "train test"),
        ("imagesTr imagesTs", "train test"),
        ("trainA trainB testA testB", "train train test test"),
        ("TRAIN DEV TEST", "train validation test"),
        ("train test_easy test_hard", "train test test"),
    ],
)
def test_splits_of_well_known_data_sets_are_found(names: str, parts: str) -> None:
    found = find_parts(names.split())
    assert [found[name].part for name in names.split()] == parts.split()


@pytest.mark.parametrize(
    "names",
    ["train bus car", "cat dog", "train_station test_tube", "valid invalid", "val test", "tr ts", "0 1 2", "train"],
)
def test_classes_are_not_a_split(names: str) -> None:
    assert find_parts(names.split()) == {}


def test_folders_beside_the_parts_are_none_of_them() -> None:
    assert set(find_parts(["Train", "Test", "Meta", "unlabeled"])) == {"Train", "Test"}
    assert set(find_parts(["Training", "Test", "test-multiple_images"])) == {"Training", "Test"}
    assert set(find_parts(["train_images", "test_images", "train_masks"])) == {"train_images", "test_images"}


def test_parts_of_several_splits_keep_their_other_words() -> None:
    found = find_parts(["trainA", "trainB", "testA", "testB"])
    assert [found[name].rest for name in ("trainA", "testB")] == [("A",), ("B",)]
    assert find_parts(["cars_train", "cars_test"])["cars_test"].rest == ()


@pytest.mark.parametrize(
    ("name", "siblings", "is_mask"),
    [
        ("ground_truth", "train test", True),
        ("masks", "images", True),
        ("mask", "img", True),
        ("gtFine", "leftImg8bit", True),
        ("Test003_gt", "Test003 Test004", True),
        ("train_masks", "train_images", True),
        ("SegmentationClass", "JPEGImages", True),
        ("labelsTr", "imagesTr", True),
        ("1st_manual", "images mask", True),
        ("Training_GroundTruth", "Training_Data", True),
        ("ann_dir", "img_dir", True),
        ("with_mask", "without_mask", False),
        ("mask", "no_mask", False),
        ("gt", "suv limousine", False),
        ("images", "masks", False),
    ],
)
def test_folders_of_masks_are_found_beside_images(name: str, siblings: str, is_mask: bool) -> None:
    assert is_mask_folder(name, [name, *siblings.split()]) == is_mask


@pytest.mark.parametrize(
    ("stem", "is_mask"),
    [
        ("benign (1)_mask", True),
        ("benign (1)_mask_1", True),
        ("000_GT", True),
        ("ISIC-7_segmentation", True),
        ("benign (2)_mask", False),
        ("mask", False),
        ("000", False),
        ("gas-mask", False),
    ],
)
def test_files_of_masks_are_found_beside_their_image(stem: str, is_mask: bool) -> None:
    assert is_mask_file(stem, {"benign (1)", "000", "ISIC-7", stem}) == is_mask


def test_names_of_tests_and_of_plain_images() -> None:
    assert [is_test_name(name) for name in ("test", "Testing", "test_images_2", "test_tube", "val")] == [
        True,
        True,
        False,
        False,
        False,
    ]
    assert [holds_images_only(name) for name in ("images", "JPEGImages", "image_2", "image_masks", "cat")] == [
        True,
        True,
        True,
        False,
        False,
    ]
