"""The names that folders of images have: parts of a data set, masks beside images, folders of plain images."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Literal, NamedTuple

Part = Literal["train", "validation", "test"]

WORDS: dict[Part, frozenset[str]] = {
    "train": frozenset(("train", "training", "trn", "trainval", "trainset", "trainingset", "traindata")),
    "validation": frozenset(("val", "valid", "validation", "validate", "dev", "valset", "validationset", "devset")),
    "test": frozenset(("test", "testing", "tst", "testset", "testdata", "eval", "evaluation", "holdout", "heldout")),
}
ENDINGS: dict[str, Part] = {"tr": "train", "va": "validation", "ts": "test", "te": "test"}
"""Words that name a part only beside another word, as in `imagesTr` and `imagesTs`."""
FULL_NAMES: dict[str, Part] = {"images_background": "train", "images_evaluation": "test"}
"""Those of Omniglot. Source: https://github.com/brendenlake/omniglot"""
FILLERS = frozenset(["set", "data", "dataset", "split", "part"])
"""Words beside a part's that say nothing."""

IMAGE_WORDS = frozenset(["images", "image", "imgs", "img", "rgb", "frames", "pictures"])
MASK_WORDS = frozenset(
    ("mask", "masks", "gt", "label", "labels", "labeled", "labelled", "manual", "ann", "anns", "annot", "xyz", "depth")
)
"""Words of folders that hold masks if images or parts lie beside them. Alone they may name a class, such as `mask`."""
ALWAYS_MASK_WORDS = frozenset(
    ("groundtruth", "annotation", "annotations", "segmentation", "segmentations", "trimap", "trimaps")
)
MASK_ENDING = re.compile(
    r"[ _.-]*(masks?|gt|ground[ _-]?truth|seg|segmentation|labels?|annotations?|trimap)([ _-]?\d+)?", re.IGNORECASE
)


class PartName(NamedTuple):
    """A folder's name that contains a part's word."""

    part: Part
    rest: tuple[str, ...] = ()
    """The other words, without fillers and numbers: parts of one split have the same."""


def words_of(name: str) -> tuple[str, ...]:
    """Return the words and numbers of a name: `leftImg8bit_train` has left, Img, 8, bit and train."""
    return tuple(re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+|[^\W\d_]+", name))


def part_name(name: str) -> PartName | None:
    """Return the part that a folder's name states, or None."""
    words = words_of(name)
    lower = [word.lower() for word in words]
    if has_mask_word(lower):
        return None
    if name.lower() in FULL_NAMES:
        return PartName(FULL_NAMES[name.lower()], ("images",))
    for part, names in WORDS.items():
        if names & set(lower):
            taken = names if part != "train" else names | WORDS["validation"]
            rest = [word for word, plain in zip(words, lower, strict=True) if plain not in taken | FILLERS]
            return PartName(part, tuple(word for word in rest if not word.isdigit()))
    if len(lower) > 1 and lower[-1] in ENDINGS:
        return PartName(ENDINGS[lower[-1]], words[:-1])
    return None


def find_parts(siblings: Collection[str]) -> dict[str, PartName]:
    """
    Return the parts among the folders of one folder, or nothing if they are not a split.

    A split has a training part and another one. Names that have other words, too, must share them, as `cars_train` and
    `cars_test` do, unless one of the names has none: classes such as `train_station` and `test_tube` are not a split.
    Of several names of a part, those without other words are taken: `Test`, and not `test-multiple_images` beside it.
    Several splits beside each other, such as `trainA`, `testA`, `trainB` and `testB`, keep their other words.
    """
    parts = {name: found for name in siblings if (found := part_name(name))}
    splits: dict[tuple[str, ...], set[Part]] = {}
    exact = any(not found.rest for found in parts.values())
    for found in parts.values():
        splits.setdefault(() if exact else _key(found), set()).add(found.part)
    splits = {key: names for key, names in splits.items() if "train" in names and len(names) > 1}
    if exact:
        plain = {found.part for found in parts.values() if not found.rest}
        parts = {name: found for name, found in parts.items() if not found.rest or found.part not in plain}
    members = {name: found for name, found in parts.items() if (() if exact else _key(found)) in splits}
    return members if len(splits) > 1 else {name: PartName(found.part) for name, found in members.items()}


def is_test_name(name: str) -> bool:
    """Return True for a folder that can only be a test part: its name has no other word."""
    found = part_name(name)
    return found is not None and found.part == "test" and not found.rest


def parts_of_files(stems: Collection[str]) -> list[Part] | None:
    """
    Return the part that each file's name states, such as `train_1` or `0007-test`, or None if not all state one.

    There must be a training part and another one.
    """
    found = [_file_part(stem) for stem in stems]
    parts = [each.part for each in found if each]
    return parts if len(parts) == len(found) and "train" in parts and len(set(parts)) > 1 else None


def differ_only_by_part(stems: Collection[str]) -> bool:
    """Return False if names have other words that the training part's lack, as `train_station` and `test_tube` do."""
    rests: dict[bool, set[tuple[str, ...]]] = {True: set(), False: set()}
    for found in filter(None, map(_file_part, stems)):
        rests[found.part == "train"].add(_key(found))
    return rests[False] <= rests[True]


def _file_part(stem: str) -> PartName | None:
    """Return the part that the first or the last word of a file's name states."""
    words = [word for word in words_of(stem) if not word.isdigit()]
    found = [part_name(word) for word in (words[0], words[-1])] if words else []
    for index, end in enumerate(found):
        if end:
            return PartName(end.part, tuple(words[1:] if index == 0 else words[:-1]))
    return None


def holds_images_only(name: str) -> bool:
    """Return True for a folder whose name says that it holds images, which is not a class."""
    lower = [word.lower() for word in words_of(name)]
    return bool(IMAGE_WORDS & set(lower)) and not has_mask_word(lower)


def is_mask_folder(name: str, siblings: Collection[str], beside_files: bool = False) -> bool:
    """Return True if a folder holds masks, depths or the like, to judge by its name and what is beside it."""
    words = [word.lower() for word in words_of(name)]
    if not has_mask_word(words):
        return False
    if beside_files or ALWAYS_MASK_WORDS & set(words) or "ground truth" in " ".join(words):
        return True
    rest = [word for word in words if word not in MASK_WORDS]
    others = [sibling for sibling in siblings if sibling != name]
    return any(
        holds_images_only(other) or part_name(other) or (rest and [word.lower() for word in words_of(other)] == rest)
        for other in others
    )


def is_mask_file(stem: str, stems: Collection[str]) -> bool:
    """Return True if a file is another's mask: `a_mask` or `a (1)_gt` beside a file of the first name."""
    return any(
        MASK_ENDING.fullmatch(stem, found.start()) and stem[: found.start()] in stems
        for found in re.finditer(r"[ _.-]+", stem)
        if found.start()
    )


def has_mask_word(words: Collection[str]) -> bool:
    """Return True if lower-case words include one of masks."""
    return bool((MASK_WORDS | ALWAYS_MASK_WORDS) & set(words)) or "ground truth" in " ".join(words)


def _key(found: PartName) -> tuple[str, ...]:
    return tuple(word.lower() for word in found.rest)
