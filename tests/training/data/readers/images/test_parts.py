"""Tests of the layouts of folders: parts, classes and masks, by names of files that are never opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.data.readers.images.listing import list_files
from training.data.readers.images.parts import Layout, find_layout
from training.errors import DataError

Seen = dict[str, dict[str, int] | int]
"""For each part, the number of images of each class, or of all if there are no classes."""


def layout_of(folder: Path, names: str, **options: bool) -> tuple[Layout, Seen, int]:
    """Write an empty file for each name, and return the layout, its counts, and the number of files passed over."""
    for name in names.split():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    listing = list_files(folder)
    layout = find_layout(listing, **options)
    seen: Seen = {}
    for part, files in layout.files.items():
        labels = layout.labels[part]
        seen[part] = len(files) if labels is None else {label: labels.count(label) for label in sorted(set(labels))}
    assert sum(map(len, layout.files.values())) + listing.passed_over.total() == len(names.split())
    return layout, seen, listing.passed_over.total()


@pytest.mark.parametrize(
    ("names", "expected", "passed_over"),
    [
        pytest.param(
            "train/x/1.png train/y/2.png val/x/3.png test/y/4.png",
            {"train": {"x": 1, "y": 1}, "validation": {"x": 1}, "test": {"y": 1}},
            0,
            id="ImageFolder",
        ),
        pytest.param("Train/1.png Test/2.png Meta/3.png", {"train": 1, "test": 1}, 1, id="flat, with capitals"),
        pytest.param(
            "nut/train/good/1.png nut/test/good/2.png nut/test/broken/3.png nut/ground_truth/broken/3_mask.png",
            {"train": {"good": 1}, "test": {"broken": 1, "good": 1}},
            1,
            id="MVTec AD, one folder above",
        ),
        pytest.param(
            "cable/train/good/1.png cable/test/bad/2.png nut/train/good/3.png nut/test/bad/4.png readme.txt",
            {"train": {"cable/good": 1, "nut/good": 1}, "test": {"cable/bad": 1, "nut/bad": 1}},
            1,
            id="MVTec AD, all objects",
        ),
        pytest.param(
            "train/good/rgb/1.png train/good/gt/1.png train/good/xyz/1.tiff test/hole/rgb/2.png test/hole/gt/2.png",
            {"train": {"good": 1}, "test": {"hole": 1}},
            3,
            id="MVTec 3D-AD",
        ),
        pytest.param(
            "train/n01/images/1.JPEG train/n02/images/2.JPEG val/images/3.JPEG test/images/4.JPEG",
            {"train": {"n01": 1, "n02": 1}, "validation": 1, "test": 1},
            0,
            id="Tiny ImageNet",
        ),
        pytest.param(
            "images/train/1.jpg images/val/2.jpg labels/train/1.txt labels/val/2.txt",
            {"train": 1, "validation": 1},
            2,
            id="YOLO",
        ),
        pytest.param(
            "train/images/1.jpg train/masks/1.png valid/images/2.jpg valid/masks/2.png",
            {"train": 1, "validation": 1},
            2,
            id="segmentation",
        ),
        pytest.param(
            "leftImg8bit/train/ulm/1.png leftImg8bit/val/bonn/2.png gtFine/train/ulm/1.png gtFine/val/bonn/2.png",
            {"train": {"ulm": 1}, "validation": {"bonn": 1}},
            2,
            id="Cityscapes",
        ),
        pytest.param(
            "seg_train/seg_train/sea/1.jpg seg_test/seg_test/sea/2.jpg seg_pred/seg_pred/3.jpg",
            {"train": {"sea": 1}, "test": {"sea": 1}},
            1,
            id="Intel scenes",
        ),
        pytest.param(
            "trainA/1.jpg trainB/2.jpg testA/3.jpg testB/4.jpg",
            {"train": {"A": 1, "B": 1}, "test": {"A": 1, "B": 1}},
            0,
            id="CycleGAN",
        ),
        pytest.param(
            "Train/Train001/1.tif Train/Train002/1.tif Test/Test001/2.tif Test/Test002/3.tif Test/Test001_gt/2.bmp",
            {"train": {"Train001": 1, "Train002": 1}, "test": {"Test001": 1, "Test002": 1}},
            1,
            id="UCSD",
        ),
        pytest.param(
            "training/images/1.tif training/1st_manual/1.gif training/mask/1.gif test/images/2.tif test/mask/2.gif",
            {"train": 1, "test": 1},
            3,
            id="DRIVE",
        ),
        pytest.param(
            "cat/train/1.png cat/test/2.png dog/train/3.png dog/test/4.png",
            {"train": {"cat": 1, "dog": 1}, "test": {"cat": 1, "dog": 1}},
            0,
            id="parts below classes",
        ),
        pytest.param("imagesTr/1.png imagesTs/2.png labelsTr/1.png", {"train": 1, "test": 1}, 1, id="Decathlon"),
        pytest.param("a/b/train/x/1.png a/b/val/x/2.png", {"train": {"x": 1}, "validation": {"x": 1}}, 0, id="nested"),
        pytest.param(
            "train/x/1.png test/x/2.png preview.png", {"train": {"x": 1}, "test": {"x": 1}}, 1, id="a preview"
        ),
        pytest.param("train_1.png train_2.png test_1.png", {"train": 2, "test": 1}, 0, id="parts in the files' names"),
        pytest.param(
            "x/train_1.png x/test_2.png y/train_3.png y/test-4.png",
            {"train": {"x": 1, "y": 1}, "test": {"x": 1, "y": 1}},
            0,
            id="parts in the files' names, below classes",
        ),
        pytest.param(
            "0001-train.png 0002-train.png 0003-val.png 0004-test.png",
            {"train": 2, "validation": 1, "test": 1},
            0,
            id="parts at the end of the files' names",
        ),
        pytest.param(
            "train_cat_1.png train_dog_2.png test_cat_3.png", {"train": 2, "test": 1}, 0, id="parts before other words"
        ),
        pytest.param("train_1.png train_2.png", {"train": 2}, 0, id="files of a training part"),
        pytest.param("train_1.png test_1.png photo.png", {"train": 3}, 0, id="not all files name a part"),
        pytest.param("train/x/1.png train/y/2.png", {"train": {"x": 1, "y": 1}}, 0, id="only a training part"),
        pytest.param(
            "benign/1.png benign/1_mask.png normal/2.png", {"train": {"benign": 1, "normal": 1}}, 1, id="BUSI"
        ),
        pytest.param(
            "Class1/Train/1.PNG Class1/Train/Label/1_label.PNG Class1/Test/2.PNG Class2/Train/3.PNG Class2/Test/4.PNG",
            {"train": {"Class1": 1, "Class2": 1}, "test": {"Class1": 1, "Class2": 1}},
            1,
            id="DAGM",
        ),
        pytest.param(
            "VOC/JPEGImages/1.jpg VOC/SegmentationClass/1.png VOC/Annotations/1.xml", {"train": 1}, 2, id="Pascal VOC"
        ),
        pytest.param(
            "candle/Data/Images/Normal/1.JPG candle/Data/Images/Anomaly/2.JPG candle/Data/Masks/Anomaly/2.png",
            {"train": {"Anomaly": 1, "Normal": 1}},
            1,
            id="VisA",
        ),
        pytest.param(
            "x/train/NORMAL/1.jpg x/test/NORMAL/2.jpg x/x/train/NORMAL/1.jpg __MACOSX/x/train/._1.jpg",
            {"train": {"NORMAL": 1}, "test": {"NORMAL": 1}},
            2,
            id="chest X-rays, with a copy inside",
        ),
        pytest.param("images/1.png masks/1.png", {"train": 1}, 1, id="masks without parts"),
        pytest.param(
            "with_mask/1.png without_mask/2.png", {"train": {"with_mask": 1, "without_mask": 1}}, 0, id="faces"
        ),
        pytest.param("all/cat/1.png all/dog/2.png", {"train": {"cat": 1, "dog": 1}}, 0, id="a folder around classes"),
        pytest.param("bus/1.png train/2.png", {"train": {"bus": 1, "train": 1}}, 0, id="a class called train"),
        pytest.param("masks/1.png masks/2.png", {"train": {"masks": 2}}, 0, id="nothing but masks"),
        pytest.param("trimaps/1.png trimaps/2.png", {"train": {"trimaps": 2}}, 0, id="nothing but trimaps"),
    ],
)
def test_the_layout_of_well_known_data_sets(tmp_path: Path, names: str, expected: Seen, passed_over: int) -> None:
    layout, seen, count = layout_of(tmp_path, names)
    assert seen == expected
    assert count == passed_over
    assert layout.is_split == (len(expected) > 1)


def test_files_whose_names_state_parts_can_be_split_at_random(tmp_path: Path) -> None:
    assert not layout_of(tmp_path, "train_1.png test_1.png", folders_are_parts=False)[0].is_split


def test_the_names_of_parts_can_be_classes(tmp_path: Path) -> None:
    layout, seen, _ = layout_of(tmp_path, "train/1.png test/2.png", folders_are_parts=False)
    assert seen == {"train": {"test": 1, "train": 1}}
    assert not layout.is_split


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        ("test/1.png other/2.png", r"/test: the name is that of a held-out part, .*--set data\.parts=none"),
        ("val/1.png test/2.png", r"the name is that of a held-out part, which is not trained on"),
        ("test/x/1.png", r"--data .*/test trains on it"),
        ("cat/test/1.png cat/other/2.png dog/3.png", r"cat/test: the name is that of a held-out part"),
        ("a/train/1.png a/test/2.png b/3.png", r"but a/ has parts such as train and test, and b/ has none"),
        ("train_station_1.png test_tube_2.png", r"may state parts or classes; .*--set data\.parts=none"),
        ("1.png cat/2.png", r"expected all images in sub-folders or none, got 1\.png beside .*cat/2\.png"),
        ("train/1.png train/cat/2.png test/cat/3.png", r"in sub-folders or none, got train/1\.png beside"),
    ],
)
def test_layouts_with_two_meanings_are_refused(tmp_path: Path, names: str, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        layout_of(tmp_path, names)
