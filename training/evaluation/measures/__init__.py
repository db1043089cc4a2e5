"""
Measurements of a model, each beside its baselines.

    reconstruction    errors of reconstructed test samples
    latents           accuracies of classifiers on the latents, and their neighbourhoods
    denoising         errors of denoised test samples
    classification    the error of the softmax layer of a fine-tuning with labels
    bounds            the evidence lower bound of a variational model
    importance        an importance-weighted estimate of log p(x)
    targets           the test samples as a likelihood takes them, grey or binarised
    densities         log p(x|z) of several decoder outputs for each sample
"""
