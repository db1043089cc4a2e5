"""The commands `hourglass import`, `hourglass check` and `hourglass key`, after their options are parsed."""

from __future__ import annotations

import argparse
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from app.engine.repository import candidates, load_version, next_version
from app.errors import HourglassError, InvalidModel, NoModels, UnknownModel
from app.logs import configure_logging
from app.places import absence
from app.server.guard.keys import InvalidKeys, key_line, new_key


def import_command(options: argparse.Namespace) -> int:
    """Write a version from two ONNX graphs, and print its folder. A description of both goes to stderr."""
    if find_spec("onnx") is None:
        raise HourglassError("import needs the package onnx: pip install 'onnx>=1.19'")
    from app.importing.pair import read_pair
    from app.importing.request import ImportRequest
    from app.importing.writing import write_pair

    pair = read_pair(
        ImportRequest(
            encoder=options.encoder,
            decoder=options.decoder,
            name=options.name,
            shape=tuple(options.shape) if options.shape else None,
            layout=options.layout,
            value_range=tuple(options.range) if options.range else None,
            cut=options.cut,
            encoder_gives=options.encoder_gives,
            decoder_gives=options.decoder_gives,
            labels=tuple(options.labels),
            logits=options.logits,
            denoises=options.denoises,
            feature_names=tuple(options.feature_names),
            description=options.description,
        )
    )
    for line in pair.describe():
        print(line, file=sys.stderr)
    parent = options.models_dir / options.name
    try:
        if not options.dry_run:
            print(write_pair(pair, options.models_dir))
            return 0
        with tempfile.TemporaryDirectory() as scratch:
            write_pair(pair, Path(scratch))
    except OSError as error:
        raise HourglassError(f"{parent} cannot be written: {error.strerror or error}") from error
    print(f"all checks passed; this would be {parent / str(next_version(parent))}", file=sys.stderr)
    return 0


def check_command(options: argparse.Namespace) -> int:
    """Check each version as the server does, and print a line for it. Returns 1 if one is broken."""
    configure_logging("warning")
    root: Path = options.models_dir
    name, _, number = (options.model or "").partition("/")
    found = list(candidates(root))
    versions = [
        (folder, model, version)
        for folder, model, version in found
        if name in ("", model) and number in ("", str(version))
    ]
    if not versions:
        if found:
            raise UnknownModel(f"{root.resolve()} holds no version of {options.model!r}: expected NAME or NAME/VERSION")
        raise NoModels(absence(root))
    broken = 0
    for folder, model, version in versions:
        try:
            load_version(folder, model, version)
        except InvalidModel as error:
            broken += 1
            print(f"broken  {model}/{version}  {error}")
        else:
            print(f"whole   {model}/{version}")
    return 1 if broken else 0


def key_command(options: argparse.Namespace) -> int:
    """Print a new key to stderr, where it is seen once, and to stdout the line for the keys file, without the key."""
    key = new_key()
    try:
        line = key_line(options.name, "control" if options.control else "inference", key)
    except InvalidKeys as error:
        raise HourglassError(str(error)) from error
    print(f"the key of {options.name}, which is not stored anywhere: {key}", file=sys.stderr)
    print(line)
    return 0
