"""Model repositories that change, break or vanish while the server runs, and that are broken when it starts."""

from __future__ import annotations

import io
import os
import shutil
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from app.manifest import ENCODER, GOLDEN, MANIFEST, FileDigest, Manifest
from bench.faults.row import Row
from bench.faults.server import Bench, Server, wait_until
from bench.faults.traffic import Load, Outcomes

MODEL = "mnist-ae"
RELOAD_SECONDS = 0.5
SETTLE_SECONDS = 2.0
WARM_UP_RELOADS = 30
MEMORY_MIB = 5
"""More memory after many reloads than before, at most."""


def write_version(models: Path, version: int, files: dict[str, bytes] | None = None) -> Path:
    """Write a copy of the first version as another one, with some files replaced and checksums that fit."""
    folder = models / MODEL / str(version)
    partial = models / MODEL / f".{version}.partial"
    shutil.copytree(models / MODEL / "1", partial)
    for name, content in (files or {}).items():
        (partial / name).write_bytes(content)
    manifest = Manifest.read(partial)
    digests = {name: FileDigest.of(partial / name) for name in manifest.files}
    manifest.model_copy(update={"version": version, "files": digests}).write(partial)
    partial.rename(folder)
    return folder


def changes(bench: Bench) -> Iterator[Row]:
    """Add, break and remove versions under load."""
    models = bench.copy_models("changes")
    steps: dict[str, tuple[Callable[[], object], list[int]]] = {
        "a new version appears": (lambda: write_version(models, 2), [1, 2]),
        "a version appears whose encoder is garbage": (lambda: write_version(models, 3, {ENCODER: b"garbage"}), [1, 2]),
        "a version appears without a manifest": (lambda: (models / MODEL / "4").mkdir(), [1, 2]),
        "the newest valid version is removed": (lambda: shutil.rmtree(models / MODEL / "2"), [1]),
        "the whole repository vanishes at once": (lambda: models.rename(bench.scratch / "vanished"), [1]),
    }
    with bench.serve(models, reload_seconds=RELOAD_SECONDS) as server:
        load = Load(server.address, 16, rate=100)
        for name, (step, expected) in steps.items():
            problems = len(server.events("version skipped"))
            step()
            is_served = wait_until(lambda expected=expected: server.versions() == expected, 10)  # type: ignore[misc]
            time.sleep(3 * RELOAD_SECONDS)
            reported = len(server.events("version skipped")) - problems
            is_broken = "garbage" in name or "manifest" in name
            yield Row(
                f"under load: {name}",
                f"versions {expected}" + ("; one line in the log" if is_broken else ""),
                f"versions {server.versions()}; {reported} lines in the log",
                is_served and server.versions() == expected and (reported == 1) == is_broken,
            )
        outcomes = load.stop()
        yield Row("… and the requests meanwhile", "0 lost", outcomes.text(), outcomes.are_right)


def reloads(bench: Bench) -> Iterator[Row]:
    """Add and remove versions many times under full load, and compare the memory at rest."""
    count = 20 if bench.is_quick else 200
    for workers in (1, 2):
        models = bench.copy_models(f"reloads-{workers}")
        with bench.serve(models, workers=workers, reload_seconds=0.1) as server:
            _, before, _ = swap_under_load(server, models, WARM_UP_RELOADS)  # so that caches are filled
            done, after, outcomes = swap_under_load(server, models, count)
            peak = server.resident_mib("VmHWM")
        yield Row(
            f"{count} reloads under full load, {workers} worker(s): a version appears or is removed",
            f"0 lost; memory at rest within {MEMORY_MIB} MiB for each worker",
            f"{done} reloads, {outcomes.text()}; memory at rest {before:.0f} → {after:.0f}, peak {peak:.0f} MiB",
            done == count and outcomes.are_right and after - before <= MEMORY_MIB * workers,
        )


def swap_under_load(server: Server, models: Path, count: int) -> tuple[int, float, Outcomes]:
    """Return the number of reloads that every worker noticed, the memory afterwards, and the outcomes of the load."""
    load = Load(server.address, 16)
    time.sleep(2)
    done = swap(server, models, count)
    outcomes = load.stop()
    swap(server, models, 2)
    time.sleep(SETTLE_SECONDS)
    return done, server.resident_mib(), outcomes


def swap(server: Server, models: Path, count: int, first: int = 0) -> int:
    """Add and remove a version in turn, and return how often every worker noticed. An odd first one removes it."""
    workers = len(server.workers())
    for number in range(first, first + count):
        event = "version removed" if number % 2 else "version loaded"
        before = server.log().count(event)
        if number % 2:
            shutil.rmtree(models / MODEL / "2")
        else:
            write_version(models, 2)
        if not wait_until(lambda e=event, b=before: server.log().count(e) >= b + workers, 30):  # type: ignore[misc]
            return number - first
    return count


def bomb() -> bytes:
    """Return golden samples whose array claims and has 8 GiB once it is decompressed."""
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("samples.npy", "w", force_zip64=True) as file,
    ):
        header = {"descr": "<f4", "fortran_order": False, "shape": (2**31, 1)}
        np.lib.format.write_array_header_1_0(file, header)
        for _ in range(2048):
            file.write(bytes(4 * 2**20))
    return stream.getvalue()


def replace_by(path: Path, make: Callable[[Path], object]) -> None:
    """Remove a file and make something else in its place."""
    path.unlink()
    make(path)


def breakages(bench: Bench) -> dict[str, Callable[[Path], object]]:
    """Return the ways to break the second version of a model."""
    return {
        "a truncated encoder": lambda folder: os.truncate(folder / ENCODER, 1000),
        "garbage as encoder, with a fitting checksum": lambda folder: refill(folder, ENCODER, b"garbage"),
        "a manifest that is not JSON": lambda folder: (folder / MANIFEST).write_text("{"),
        "a manifest of 200 MB": lambda folder: (folder / MANIFEST).write_bytes(b" " * 200_000_000),
        "a manifest that names ../../secret": lambda folder: (folder / MANIFEST).write_text(
            (folder / MANIFEST).read_text().replace(f'"{GOLDEN}"', '"../../secret"')
        ),
        "a named pipe as encoder": lambda folder: replace_by(folder / ENCODER, os.mkfifo),
        "a named pipe beside the files": lambda folder: os.mkfifo(folder / "notes"),
        "a folder as golden samples": lambda folder: replace_by(folder / GOLDEN, Path.mkdir),
        "golden samples that decompress to 8 GiB": lambda folder: refill(folder, GOLDEN, bomb()),
        "a link to /dev/zero as encoder": lambda folder: replace_by(
            folder / ENCODER, lambda path: path.symlink_to("/dev/zero")
        ),
    }


def refill(folder: Path, name: str, content: bytes) -> None:
    """Write a file of a version, with a fitting checksum."""
    (folder / name).write_bytes(content)
    manifest = Manifest.read(folder)
    digests = {**manifest.files, name: FileDigest.of(folder / name)}
    manifest.model_copy(update={"files": digests}).write(folder)


def at_start(bench: Bench) -> Iterator[Row]:
    """Start with a broken version beside valid ones."""
    for name, spoil in breakages(bench).items():
        models = bench.copy_models("broken")
        spoil(write_version(models, 2))
        with bench.serve(models, wait=False) as server:
            is_ready = server.wait_until_ready(30)
            versions = server.versions() if is_ready else []
            peak = server.resident_mib("VmHWM")
            reasons = [str(line.get("reason", "")) for line in server.events("version skipped")]
        yield Row(
            f"at the start: {name}",
            "refused with one line in the log; the others are served; at most 400 MiB",
            f"{'ready' if is_ready else 'NOT ready'}, versions {versions}, peak {peak:.0f} MiB; log: {reasons}".replace(
                str(models), ""
            )[:330],
            is_ready and versions == [1] and len(reasons) == 1 and peak < 400,
        )


def nothing_valid(bench: Bench) -> Iterator[Row]:
    """Start without any valid version."""
    empty = bench.scratch / "empty"
    empty.mkdir(exist_ok=True)
    for workers in (1, 2):
        with bench.serve(empty, wait=False, workers=workers) as server:
            code = server.wait(30)
            log = server.log().strip()
        yield Row(
            f"a repository without models, {workers} worker(s)",
            "one sentence, exit code 1",
            f"exit code {code}: {log[-200:]}".replace(str(bench.scratch), ""),
            code == 1 and "no valid model in" in log and "Traceback" not in log,
        )
