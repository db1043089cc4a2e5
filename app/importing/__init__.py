"""
Versions out of ONNX graphs that were not trained here.

    reading    a file of others: its graph in one piece, or the reason why not
    tidy       walk graphs, remove their origin, find randomness, compare answers; training exports use it too
    original   that graph on onnxruntime, as it came: the measure of what is made of it
    steps      what can stand between a contract's tensor and a graph's: cast, transpose, reshape, scale and the like
    layout     which of them a sample needs
    heads      what the encoder's outputs are
    rewriting  the contract's graph, with these steps inside
    batches    the batch axis made free
    proof      the rewritten graph compared with the original
    request    the options, and what a sample is by them
    pair       an encoder and a decoder that fit each other, and how they are adapted
    writing    their version: graphs, golden samples, card, manifest

Needs the package onnx, which the server does without: only the command `hourglass import` comes here.
"""
