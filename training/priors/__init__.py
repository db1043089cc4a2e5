"""
Priors: distributions that are fitted to the latents of training rows, so that any model can generate.

    codes       the latents of a part of the data; of a variational model, draws from the posteriors
    mixture     mixtures of Gaussians
    choice      the mixture that makes the validation part likeliest, and its comparison with N(0, I)
    flows       RealNVP and flow matching
    kinds       the prior of the kind that a configuration asks for
    graph       a mixture as a network of noise, for the export
    version     a version with a prior, made of one without
    commands    `hourglass-train prior`, which does that

`training.exporting.prior` writes the graph into a version's folder.
"""
