"""
Scorers: how strange a sample is, as a score, a p-value and an attribution to each of its numbers.

    features    the numbers of a sample that the parts look at, computed by a version's pair
    tails       conformal tails: the surprise at a value of a part, from values of held-out rows
    parts       the parts of a score as networks: reconstruction error, nearest neighbours, density of the latents
    graph       the whole score as a network of samples, latents and reconstructions, for the export
    fit         fits all of it to the training and validation parts, and calibrates it on rows of its own
    compose     one ONNX graph of a version's encoder, its decoder and the scorer
    version     a version with a scorer, made of one without
    commands    `hourglass-train scorer`, which does that

`training.exporting.scorer` writes the graph into a version's folder.
"""
