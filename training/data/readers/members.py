"""The members of a published archive by their names: which part of the data each holds, and samples or labels."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Part = Literal["train", "validation", "test"]

PARTS: dict[str, Part] = {
    "train": "train",
    "training": "train",
    "trn": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
    "tst": "test",
}
"""Words of names, and the part that each stands for."""
SAMPLE_WORDS = {"x", "samples", "sample", "images", "image", "imgs", "img", "pictures", "data", "features", "inputs"}
SAMPLE_WORDS |= {"input", "rows", "windows", "series", "signals", "array", "arr", "values", "pixels"}
LABEL_WORDS = {"y", "labels", "label", "targets", "target", "classes", "class", "lab"}
NEUTRAL_WORDS = {"set", "orig", "all"}
"""Words that say nothing about a member."""
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
JOINED = re.compile(rf"([xy])?({'|'.join(sorted(PARTS, key=len, reverse=True))})([xy])?")
"""Two words without anything between them, such as `xtrain`."""


@dataclass(frozen=True)
class Member:
    """A member's name, its part, and the words of the name without the part's."""

    name: str
    part: Part | None
    words: tuple[str, ...]

    @property
    def holds_samples(self) -> bool:
        """True if the name is one of samples; `train` alone is one, too."""
        return set(self.words) <= SAMPLE_WORDS and (self.part is not None or bool(self.words))

    @property
    def holds_labels(self) -> bool:
        """True if the name is one of labels."""
        return bool(self.words) and set(self.words) <= LABEL_WORDS


def parse_member(name: str) -> Member:
    """Return part and words of a member's name, such as `train_images`, `x_test` or `valY`."""
    words: list[str] = []
    for word in WORD.findall(name):
        joined = JOINED.fullmatch(word.lower())
        words += [part for part in joined.groups() if part] if joined else [word.lower()]
    parts = [PARTS[word] for word in words if word in PARTS]
    rest = tuple(word for word in words if word not in PARTS and word not in NEUTRAL_WORDS)
    return Member(name, parts[0] if len(parts) == 1 else None, rest if len(parts) <= 1 else tuple(words))


def find_parts(names: Iterable[str]) -> dict[Part, str]:
    """Return the member of samples of each part; empty unless each part, and the training part, has exactly one."""
    members = [member for member in map(parse_member, names) if member.part and member.holds_samples]
    parts = {member.part: member.name for member in members if member.part}
    return parts if "train" in parts and len(parts) == len(members) > 1 else {}


def find_labels(names: Sequence[str], part: Part, label: str | None) -> str | None:
    """Return the member of a part's labels: the one like `label`, or else the only one whose name is of labels."""
    words = parse_member(label).words if label else None
    members = [member for member in map(parse_member, names) if member.part == part]
    fitting = [member.name for member in members if (member.words == words if words else member.holds_labels)]
    return fitting[0] if len(fitting) == 1 else None


def find_samples(names: Iterable[str], label: str | None) -> str | None:
    """Return the member that holds the samples: the only one, or the only one whose name is of samples."""
    others = [name for name in names if name != label]
    if len(others) == 1:
        return others[0]
    fitting = [name for name in others if parse_member(name).holds_samples]
    preferred = [name for name in fitting if name in ("samples", "x")]
    return preferred[0] if preferred else fitting[0] if len(fitting) == 1 else None
