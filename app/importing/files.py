"""The graphs of an import: two files, or one file of a whole autoencoder that is cut."""

from __future__ import annotations

from app.errors import UnfitGraph
from app.importing.original import GraphFile
from app.importing.reading import read_model
from app.importing.request import ImportRequest
from app.importing.surgery.cutting import cut, suggestion


def read_files(request: ImportRequest) -> tuple[GraphFile, GraphFile]:
    """Return the graphs of the encoder and of the decoder. Raises UnfitGraph."""
    encoder = GraphFile(request.encoder, read_model(request.encoder))
    decoder = encoder if request.decoder is None else GraphFile(request.decoder, read_model(request.decoder))
    is_whole = _bytes(encoder) == _bytes(decoder)
    if request.cut is None:
        if is_whole:
            raise UnfitGraph(_one_file(encoder, request.decoder is None))
        return encoder, decoder
    if not is_whole:
        raise UnfitGraph("--cut is for a whole autoencoder in one file: leave out --decoder")
    before, after = cut(encoder.model, request.cut, encoder.name)
    return (
        GraphFile(request.encoder, before, f" up to {request.cut}"),
        GraphFile(request.encoder, after, f" from {request.cut} on"),
    )


def _one_file(file: GraphFile, decoder_is_missing: bool) -> str:
    """Return the message for a file that must be cut, or that was named twice by mistake."""
    reason = "--decoder is missing" if decoder_is_missing else "the encoder and the decoder are the same file"
    return (
        f"{reason}: export the encoder and the decoder as two files; a whole autoencoder in one file, such as "
        f"{file.name}, must be cut at its latents with --cut TENSOR{suggestion(file.model)}"
    )


def _bytes(file: GraphFile) -> bytes:
    return bytes(file.model.SerializeToString(deterministic=True))
