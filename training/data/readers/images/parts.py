"""The layout of a folder of images: its own parts, the classes, and what lies beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from training.data.readers.images.listing import Listing
from training.data.readers.images.names import (
    Part,
    differ_only_by_part,
    find_parts,
    holds_images_only,
    is_mask_file,
    is_mask_folder,
    is_test_name,
    part_name,
    parts_of_files,
)
from training.errors import DataError

PARTS: tuple[Part, ...] = ("train", "validation", "test")
Folders = tuple[str, ...]
"""The folders from the root to a file, without the file."""


class Place(NamedTuple):
    """The place of an image in the layout."""

    file: Path
    part: Part
    above: Folders
    """Folders above the folder of the part."""
    below: Folders
    """Folders below it, or all folders if the data are not split."""


@dataclass
class Layout:
    """The images of each part, with their labels."""

    files: dict[Part, list[Path]] = field(default_factory=dict)
    labels: dict[Part, list[str] | None] = field(default_factory=dict)
    """The name of each image's class; None if the part has no folders of classes."""
    is_split: bool = False
    """True if the folders, or the files' names, say which part an image belongs to."""
    by_files: bool = False
    """True if the files' names say so."""
    names: dict[Part, str] = field(default_factory=dict)
    """The name of each part, as messages show it: its folder's, or of files the part's."""


def find_layout(listing: Listing, folders_are_parts: bool = True) -> Layout:
    """
    Return the layout of the images of a listing, and count masks and what lies beside the parts as passed over.

    Raises DataError if only some images belong to a part, if there is a test part without a training part, if images
    lie beside folders of classes, or if the files' names may state parts or classes.
    """
    paths = _without_masks(listing)
    tree = _Tree(listing.folder, paths)
    places, by_files = None, False
    if folders_are_parts:
        places = _split(listing, tree, paths)
        if places is None:
            _refuse_test_only(listing.folder, tree)
            places = _split_by_files(listing.folder, paths)
            by_files = places is not None
    layout = Layout(is_split=places is not None, by_files=by_files)
    if places is None:
        places = [Place(file, "train", (), _folders(listing.folder, file)) for file in paths]
    for part in PARTS:
        members = [place for place in places if place.part == part]
        if members:
            layout.files[part] = [place.file for place in members]
            layout.labels[part] = _labels(listing.folder, members, tree)
            layout.names[part] = part if by_files else f"{_part_folder(listing.folder, members)}/"
    return layout


class _Tree:
    """The folders that hold images, directly or below them."""

    def __init__(self, root: Path, files: Iterable[Path]) -> None:
        self._children: dict[Folders, dict[str, None]] = {}
        self.with_files: set[Folders] = set()
        for file in files:
            folders = _folders(root, file)
            self.with_files.add(folders)
            for depth, name in enumerate(folders):
                self._children.setdefault(folders[:depth], {})[name] = None

    def children(self, folders: Folders) -> Collection[str]:
        """Return the names of the folders in a folder."""
        return self._children.get(folders, {})

    def is_wrapper(self, folders: Folders) -> bool:
        """Return True if a folder is the only thing in its parent that has images."""
        return len(self.children(folders[:-1])) == 1 and folders[:-1] not in self.with_files

    def all(self) -> Iterable[Folders]:
        """Return all folders that have sub-folders."""
        return self._children


def _folders(root: Path, file: Path) -> Folders:
    return file.relative_to(root).parts[:-1]


def _without_masks(listing: Listing) -> list[Path]:
    """Return the images without masks, which are counted, unless nothing else is left."""
    tree = _Tree(listing.folder, listing.images)
    stems: dict[Path, set[str]] = {}
    for file in listing.images:
        stems.setdefault(file.parent, set()).add(file.stem)
    reasons: Counter[str] = Counter()
    paths = []
    for file in listing.images:
        folders = _folders(listing.folder, file)
        names = (
            name
            for depth, name in enumerate(folders)
            if is_mask_folder(name, tree.children(folders[:depth]), folders[:depth] in tree.with_files)
        )
        reason = next((f"{name}/ (masks)" for name in names), None)
        if reason is None and is_mask_file(file.stem, stems[file.parent]):
            reason = "masks beside their images"
        if reason is None:
            paths.append(file)
        else:
            reasons[reason] += 1
    if not paths:
        return listing.images
    listing.passed_over.update(reasons)
    return paths


def _split(listing: Listing, tree: _Tree, paths: list[Path]) -> list[Place] | None:
    """Return the places of the images that belong to parts, or None if no folder is split."""
    places, loose = [], []
    splits = {folders: found for folders in tree.all() if (found := find_parts(tree.children(folders)))}
    if not splits:
        return None
    for file in paths:
        folders = _folders(listing.folder, file)
        depth = next((depth for depth in range(len(folders) + 1) if folders[:depth] in splits), None)
        if depth is None:
            loose.append(file)
            continue
        name = folders[depth] if depth < len(folders) else None
        part = splits[folders[:depth]].get(name) if name else None
        if part is None:
            listing.passed_over[f"{name}/ (beside the parts)" if name else "beside the parts"] += 1
        else:
            above = (*folders[:depth], *(["_".join(part.rest)] if part.rest else []))
            places.append(Place(file, part.part, above, folders[depth + 1 :]))
    _check_loose(listing, splits, loose)
    return places


def _split_by_files(root: Path, paths: list[Path]) -> list[Place] | None:
    """Return the places of images whose names all state a part, or None. Raises DataError if they may state classes."""
    stems = [file.stem for file in paths]
    parts = parts_of_files(stems)
    if parts is None:
        return None
    if not differ_only_by_part(stems):
        examples = " and ".join(paths[parts.index(part)].name for part in dict.fromkeys(parts))
        raise DataError(
            f"{root}: the names of the files, such as {examples}, may state parts or classes; put the files into "
            f"folders, or say --set data.parts=none to split them at random"
        )
    return [Place(file, part, (), _folders(root, file)) for file, part in zip(paths, parts, strict=True)]


def _check_loose(listing: Listing, splits: Collection[Folders], loose: list[Path]) -> None:
    """Count images above all parts as passed over. Raises DataError for folders without parts beside those with."""
    for file in loose:
        folders = _folders(listing.folder, file)
        if not any(split[: len(folders)] == folders for split in splits):
            split = "/".join((*next(iter(splits)), ""))
            raise DataError(
                f"{listing.folder}: expected parts in every folder or in none, but {split or '.'} has parts such as "
                f"train and test, and {'/'.join(folders)}/ has none; name one of the folders with --data, or say "
                f"--set data.parts=none if their names are classes"
            )
        listing.passed_over["beside the parts"] += 1


def _refuse_test_only(root: Path, tree: _Tree) -> None:
    """Raise DataError if a folder is called as a test part is, and no training part is beside it."""
    for folders in tree.all():
        children = tree.children(folders)
        parts = [found.part for name in children if (found := part_name(name))]
        held_out = len(parts) == len(children) and "train" not in parts
        for name in children:
            if is_test_name(name) or held_out:
                path = root.joinpath(*folders, name)
                raise DataError(
                    f"{path}: the name is that of a held-out part, which is not trained on, but there is no training "
                    f"part beside it; --data {path} trains on it, and --set data.parts=none makes it a class"
                )


def _labels(root: Path, members: Sequence[Place], tree: _Tree) -> list[str] | None:
    """Return the class of each image: its folders above the part as far as they differ, and the first one below."""
    above = [place.above for place in members]
    common = 0
    while all(len(folders) > common for folders in above) and len({folders[common] for folders in above}) == 1:
        common += 1
    names = []
    for place in members:
        names.append((*place.above[common:], *_class_folders(root, place, tree)))
    unlabelled = [place.file for place, name in zip(members, names, strict=True) if not name]
    if len(unlabelled) == len(members):
        return None
    if unlabelled:
        nested = next(place.file for place, name in zip(members, names, strict=True) if name)
        raise DataError(
            f"{root}: expected all images in sub-folders or none, got {unlabelled[0].relative_to(root)} beside {nested}"
        )
    return ["/".join(name) for name in names]


def _class_folders(root: Path, place: Place, tree: _Tree) -> Folders:
    """Return the folder of an image's class, at most one: the first below the part that says something."""
    folders = _folders(root, place.file)
    start = len(folders) - len(place.below)
    for depth in range(start, len(folders)):
        here = folders[: depth + 1]
        plain = holds_images_only(folders[depth]) or part_name(folders[depth])
        only_folders = start == 0 and here not in tree.with_files
        if not (tree.is_wrapper(here) and (plain or only_folders)):
            return (folders[depth],)
    return ()


def _part_folder(root: Path, members: Sequence[Place]) -> str:
    """Return the name of the folder of a part, for messages; if there are several, the first one's."""
    place = members[0]
    folders = _folders(root, place.file)
    return folders[len(folders) - len(place.below) - 1] if len(folders) > len(place.below) else "."
