"""Image files: parts of folders, files passed over, 16 bits, transparency, large photographs."""

from __future__ import annotations

import io
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from bench.cases.case import Case
from bench.cases.programs import server, train

Run = Callable[[Path], str]


def images(folder: Path, count: int, suffix: str = "png", seed: int = 0, shape: tuple[int, ...] = (16, 16)) -> None:
    """Write random images of 8 bits that all differ."""
    folder.mkdir(parents=True, exist_ok=True)
    draws = np.random.default_rng(seed)
    for number in range(count):
        Image.fromarray(draws.integers(0, 256, shape, np.uint8)).save(folder / f"{number}.{suffix}")


def trained_on(
    *folders: tuple[str, int], suffix: str = "png", options: tuple[str, ...] = (), config: str = "images-ae"
) -> Run:
    """Return a function that writes folders of images below `set` and trains on it."""

    def run(scratch: Path) -> str:
        for seed, (name, count) in enumerate(folders):
            images(scratch / "set" / name, count, suffix, seed)
        return train(scratch, config, "--data", "set", "--name", "set", *options)

    return run


def files_of_parts(scratch: Path) -> str:
    """Train on 20 files whose names begin with train, and 6 whose names begin with test."""
    images(scratch / "set", 26)
    for number in range(26):
        part = "train" if number < 20 else "test"
        (scratch / "set" / f"{number}.png").rename(scratch / "set" / f"{part}_{number}.png")
    return train(scratch, "images-ae", "--data", "set", "--name", "set")


def several_formats(scratch: Path) -> str:
    """Train on 54 BMP and 6 PNG files."""
    images(scratch / "set", 54, "bmp")
    images(scratch / "set", 6, "png", seed=1)
    return train(scratch, "images-ae", "--data", "set", "--name", "set")


def unknown_formats(scratch: Path) -> str:
    """Train on 9 PNG files beside 7 HEIC files, a hidden file and a broken link."""
    images(scratch / "set", 9)
    for number in range(7):
        (scratch / "set" / f"{number}.heic").write_bytes(b"heic")
    (scratch / "set" / "._0.png").write_bytes(b"resource fork")
    (scratch / "set" / "lost.png").symlink_to(scratch / "nowhere.png")
    return train(scratch, "images-ae", "--data", "set", "--name", "set")


def linked_folders(scratch: Path) -> str:
    """Train on a folder that links to two folders elsewhere."""
    for seed, name in enumerate(("cat", "dog")):
        images(scratch / "elsewhere" / name, 8, seed=seed)
    (scratch / "set").mkdir()
    for name in ("cat", "dog"):
        (scratch / "set" / name).symlink_to(scratch / "elsewhere" / name)
    return train(scratch, "images-ae", "--data", "set", "--name", "set")


def unreadable_files(scratch: Path) -> str:
    """Train on 9 images of which two are cut and one is a text."""
    images(scratch / "set", 9)
    for name in ("2", "5"):
        file = scratch / "set" / f"{name}.png"
        file.write_bytes(file.read_bytes()[:-30])
    (scratch / "set" / "7.png").write_text("no image")
    return train(scratch, "images-ae", "--data", "set", "--name", "set")


def deep_folder(scratch: Path) -> None:
    """Write 30 waves of 12 bits in files of 16."""
    (scratch / "deep").mkdir()
    draws = np.random.default_rng(0)
    y, x = np.mgrid[:32, :32]
    for number in range(30):
        wave = 2000 + 1900 * np.sin(x * draws.uniform(0.1, 0.5) + y * draws.uniform(0.1, 0.5))
        Image.fromarray(wave.astype(np.uint16)).save(scratch / "deep" / f"{number}.png")


def deep_images(scratch: Path) -> str:
    """Train on images of 12 bits."""
    deep_folder(scratch)
    return train(scratch, "images-ae", "--data", "deep", "--name", "deep")


def deep_images_served(scratch: Path) -> str:
    """Train on images of 12 bits, serve the model, and reconstruct a file as a picture."""
    deep_folder(scratch)
    outcome = train(scratch, "images-ae", "--data", "deep", "--name", "deep", "--models-dir", "models")
    with server(scratch / "models") as address:
        picture = Image.open(io.BytesIO(post(f"{address}/v1/models/deep/reconstruct", scratch / "deep" / "0.png")))
    return f"{outcome[:6]}: a picture of mode {picture.mode} with levels up to {np.asarray(picture).max()}"


def ink_folder(scratch: Path) -> None:
    """Write 20 black drawings on a transparent ground."""
    (scratch / "ink").mkdir()
    draws = np.random.default_rng(0)
    for number in range(20):
        ink = np.zeros((16, 16, 4), np.uint8)
        ink[..., 3] = draws.integers(0, 256, (16, 16))
        Image.fromarray(ink).save(scratch / "ink" / f"{number}.png")


def ink(scratch: Path) -> str:
    """Train on black drawings on a transparent ground."""
    ink_folder(scratch)
    return train(scratch, "images-ae", "--data", "ink", "--name", "ink")


def ink_served(scratch: Path) -> str:
    """Train on drawings over white, serve the model, and encode a drawing and an empty picture."""
    ink_folder(scratch)
    outcome = train(
        scratch, "images-ae", "--data", "ink", "--name", "ink", "--background", "white", "--models-dir", "models"
    )
    Image.new("RGBA", (16, 16)).save(scratch / "empty.png")
    with server(scratch / "models") as address:
        drawn, empty = (
            json.loads(post(f"{address}/v1/models/ink/encode", file, accept="application/json"))["latents"]
            for file in (scratch / "ink" / "0.png", scratch / "empty.png")
        )
    return f"{outcome[:6]}: latents are {'equal' if drawn == empty else 'different'}"


def large_images(*shapes: tuple[int, int], options: tuple[str, ...] = ()) -> Run:
    """Return a function that trains on images of these sizes in turn, 24 in all."""

    def run(scratch: Path) -> str:
        for number in range(24):
            images(scratch / "set" / f"{number}", 1, "jpg", number, (*shapes[number % len(shapes)], 3))
        return train(scratch, "images-ae", "--data", "set", "--name", "set", *options)

    return run


def post(url: str, file: Path, accept: str = "image/png") -> bytes:
    """Send an image file and return the body of the answer, or of the error."""
    headers = {"Content-Type": "image/png", "Accept": accept}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, file.read_bytes(), headers), timeout=60) as answer:
            content: bytes = answer.read()
    except urllib.error.HTTPError as error:
        content = error.read()
    return content


CASES = [
    Case("2.1", "54 BMP and 6 PNG files", several_formats, r"exit 0.*rows 60,"),
    Case("2.2", "PNG beside HEIC and hidden files", unknown_formats, r"rows 9,.*passed over 9 files.*heic 7"),
    Case("2.3", "classes that are links to folders", linked_folders, r"rows 16,.*classes 2: cat 8, dog 8"),
    Case("2.4", "three unreadable files of nine", unreadable_files, r"exit 1.*2\.png.*5\.png.*7\.png"),
    Case(
        "3.1",
        "train, val and test with classes below",
        trained_on(("train/x", 20), ("train/y", 20), ("val/x", 6), ("val/y", 6), ("test/x", 6), ("test/y", 6)),
        r"exit 0.*classes 2: x 32, y 32.*split 40 training, 12 validation, 12 test",
    ),
    Case(
        "3.2",
        "MVTec AD: masks of defects beside test images",
        trained_on(("train/good", 20), ("test/good", 4), ("test/hole", 6), ("ground_truth/hole", 6)),
        r"exit 0.*passed over 6 files: ground_truth.*classes 2: good 24, hole 6.*, 10 test",
    ),
    Case(
        "3.3",
        "seg_train/seg_train and seg_test/seg_test",
        trained_on(("seg_train/seg_train/sea", 20), ("seg_train/seg_train/wood", 20), ("seg_test/seg_test/sea", 6)),
        r"exit 0.*classes 2: sea 26, wood 20.*, 6 test",
    ),
    Case(
        "3.4",
        "images and masks of two parts",
        trained_on(("train/images", 20), ("train/masks", 20), ("valid/images", 6), ("valid/masks", 6)),
        r"exit 0.*passed over 26 files: masks.*no labels.*split 18 training, 6 validation, 2 test",
    ),
    Case("3.5", "a test part alone", trained_on(("test/x", 20), ("test/y", 20)), r"exit 1.*no training part.*--data"),
    Case("3.6", "files called train_0.png and test_0.png", files_of_parts, r"exit 0.*split 19 training.*, 6 test"),
    Case(
        "3.7",
        "a conditional network, and val without folders of classes",
        trained_on(
            ("train/x", 20), ("train/y", 20), ("val", 6), ("test/x", 6),
            options=("--set", "objective.conditional=true"), config="images-vae",
        ),
        r"exit 1.*the validation part has none.*--set objective\.conditional=false",
    ),
    Case("4.1", "12 bits in files of 16", deep_images, r"exit 0.*range \d+ to 38\d\d"),
    Case("4.2", "the model of 4.1 answers with a picture", deep_images_served, r"mode I;16 .* [23]\d\d\d$"),
    Case("10.1", "black drawings on a transparent ground", ink, r"exit 1.*laid over black.*--background white"),
    Case("10.2", "a drawing and an empty picture, served over white", ink_served, r"exit 0: latents are different"),
    Case("7.1", "photographs of 300x300", large_images((300, 300)), r"exit 0.*64x64.*--image-size H W"),
    Case("7.2", "photographs of mixed sizes", large_images((200, 300), (300, 200), (90, 70)), r"exit 0.*--image-size"),
    Case(
        "7.3",
        "photographs in a chosen size",
        large_images((200, 300), (90, 70), options=("--image-size", "48", "32")),
        r"exit 0.*an image of 48x32 pixels",
    ),
]  # fmt: skip
"""Situations of kinds 2, 3, 4, 7 (large images) and 10 of image files."""
