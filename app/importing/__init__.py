"""
Import ONNX graphs that were not trained here as versions of a model.

    reading    read an ONNX file, or report why it cannot be used
    tidy       walk graphs, remove their origin, find random operators; `training` uses it too
    original   the imported graph, unchanged, run by onnxruntime
    steps      operations between a contract's tensor and a graph's: cast, transpose, reshape, scale and others
    names      words for outputs, and the names that frameworks give them
    samples    the kind and the shape of a sample, from the options and the graph
    layout     the steps between a sample's shape and a graph's
    heads      the contract's outputs of the encoder
    labels     the second input of a conditional graph
    numbers    types of numbers, and labels, between the contract and a graph
    decoding   the plan of the decoder
    files      the two graphs, or one that is cut
    surgery/   changes and findings inside a graph
    rewriting  the contract's graph: the original between steps
    batches    the batch axis, if the original fixes it
    proof      compare the rewritten graph with the original
    request    the options of an import
    pair       an encoder and a decoder that fit each other, and the plan for each
    writing    write the version: graphs, golden samples, card, manifest

This package needs `onnx`, which the server does not have: only the command `hourglass import` uses it.
"""
