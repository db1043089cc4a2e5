"""
Flows: priors that are networks, between standard normal noise and codes.

    network     the base of both: whitened codes, and the density of N(0, I)
    base        a mixture of Gaussians in place of N(0, I), for RealNVP
    realnvp     RealNVP: affine couplings, with an exact density
    matching    flow matching: a velocity, integrated in steps
    fit         the training of either, and its likelihood of held-out codes
    graph       a flow as a graph of noise, for the export
"""
