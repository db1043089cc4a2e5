"""
Import ONNX graphs that were not trained here as versions of a model.

    reading    read an ONNX file, or report why it cannot be used
    tidy       walk graphs, remove their origin, find random operators; `training` uses it too
    original   the imported graph, unchanged, run by onnxruntime
    steps      operations between a contract's tensor and a graph's: cast, transpose, reshape, scale and others
    layout     the shape of a sample, and the steps between it and a graph's shape
    heads      the meaning of the encoder's outputs
    rewriting  the contract's graph: the original between steps
    batches    the batch axis, if the original fixes it
    proof      compare the rewritten graph with the original
    request    the options of an import
    pair       an encoder and a decoder that fit each other, and the plan for each
    writing    write the version: graphs, golden samples, card, manifest

This package needs `onnx`, which the server does not have: only the command `hourglass import` uses it.
"""
