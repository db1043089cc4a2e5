"""The reader of a folder of images, which decodes them with the server's functions."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import ImageColor

from training.config import DataConfig
from training.data.readers.images.decode import Depth, Header, Size, read_headers, read_sample, read_samples
from training.data.readers.images.listing import list_files
from training.data.readers.images.names import Part
from training.data.readers.images.notes import note_findings
from training.data.readers.images.parts import PARTS, Layout, find_layout
from training.data.readers.images.size import choose_size
from training.data.source import PixelFormat, Source
from training.errors import DataError

log = logging.getLogger(__name__)

DEEP_LEVELS = (0.0, 65535.0)
"""The numbers of 16-bit images: each level is its own number."""


def read_images(folder: Path, config: DataConfig) -> Source:
    """
    Read all images of a folder, (N, C, H, W), sorted by path, with its own parts if it is split.

    They are uint8; or uint16 if a file has 16 bits, whose levels then are the numbers; or the file's own numbers if
    all hold floating point or 32-bit numbers. Without a configured size they keep theirs, if it is the same for all
    and allowed; without a colour they are grey if all files are. Raises DataError.
    """
    _background(config.background, 3)  # a wrong colour is an error before anything is read
    listing = list_files(folder)
    layout = find_layout(listing, config.parts == "folders")
    files = [file for part in PARTS for file in layout.files.get(part, [])]
    headers = read_headers(folder, files)
    depth = _common_depth(files, headers, config.bits)
    chosen = choose_size([header.size for header in headers], config.image_size)
    grey = config.colour == "grey" or (config.colour is None and all(header.is_grey for header in headers))
    channels = 1 if grey or depth == "numbers" else 3
    background = _background(config.background, channels)
    samples = _decode(folder, files, (channels, *chosen.size), depth, background, resize=chosen.resizes)
    _check_transparent(folder, samples, headers, config.background)
    notes = {"size": chosen.note} if chosen.note else {}
    notes |= note_findings(listing, layout, headers, depth, config.background)
    pixels = PixelFormat(
        bits=8 if depth == "8 bits" else 16,
        levels=DEEP_LEVELS if depth == "16 bits" else None,
        background=background,
    )
    return replace(_with_parts(folder, layout, samples), pixels=pixels, notes=notes)


def _common_depth(files: Sequence[Path], headers: Sequence[Header], bits: int | None) -> Depth:
    """Return the depth in which all images are read. Raises DataError if only some hold numbers without levels."""
    depths = {header.depth: file for file, header in zip(files, headers, strict=True)}
    if "numbers" in depths and len(depths) > 1:
        number_file = depths.pop("numbers")
        other, file = depths.popitem()
        raise DataError(
            f"{number_file}: the image holds floating point or 32-bit numbers, but {file} has levels of {other}; "
            f"images of one data set must be of one kind"
        )
    if bits is None or "numbers" in depths:
        return "16 bits" if "16 bits" in depths else next(iter(depths))
    return "16 bits" if bits == 16 else "8 bits"


def _background(colour: str | None, channels: int) -> tuple[int, ...]:
    """Return one number from 0 to 255 per channel, or none without a colour. Raises DataError."""
    if colour is None:
        return ()
    try:
        number = ImageColor.getcolor(colour, "L" if channels == 1 else "RGB")
    except ValueError as error:
        raise DataError(f"--background: expected a colour such as white, black or #ffcc00, got {colour!r}") from error
    return number if isinstance(number, tuple) else (number,)


def _decode(
    folder: Path,
    files: Sequence[Path],
    shape: tuple[int, int, int],
    depth: Depth,
    background: Sequence[int],
    *,
    resize: bool,
) -> npt.NDArray[Any]:
    """Return the pixels of all files, (N, C, H, W). Raises DataError, which names all that cannot be decoded."""
    size: Size = shape[1:]

    def read(path: Path) -> npt.NDArray[Any]:
        return read_sample(path, shape[0], size, depth, background, resize=resize)

    if depth == "numbers":
        return np.stack(read_samples(folder, files, lambda _, file: read(file)))
    samples = np.empty((len(files), *shape), np.uint8 if depth == "8 bits" else np.uint16)

    def store(row: int, file: Path) -> None:
        samples[row] = read(file)

    read_samples(folder, files, store)
    return samples


def _check_transparent(
    folder: Path, samples: npt.NDArray[Any], headers: Sequence[Header], background: str | None
) -> None:
    """Warn of transparent images that are of one colour over the background. Raises DataError if all rows are equal."""
    rows = [row for row, header in enumerate(headers) if header.is_transparent]
    empty = sum(bool((samples[row] == samples[row].flat[0]).all()) for row in rows)
    if not empty:
        return
    other = "white" if background is None else "another colour"
    remedy = f"--background {other} may show what is drawn on them"
    ground = f"{empty} of {len(samples)} images have nothing but one colour left, laid over {background or 'black'}"
    if (samples == samples[0]).all():
        raise DataError(f"{folder}: all images are the same: {ground}; {remedy}")
    log.warning("%s: %s; %s", folder, ground, remedy)


def _with_parts(folder: Path, layout: Layout, samples: npt.NDArray[Any]) -> Source:
    """Return the source of the training images, with the other parts."""
    sources: dict[Part, Source] = {}
    start = 0
    for part in PARTS:
        files, labels = layout.files.get(part), layout.labels.get(part)
        if files:
            rows = samples[start : start + len(files)]
            start += len(files)
            sources[part] = Source(str(folder), rows, None if labels is None else np.array(labels), files=tuple(files))
    return replace(sources["train"], validation=sources.get("validation"), test=sources.get("test"))
