"""
Torch modules: the networks, the layers they are made of, and their loss terms.

    base                the interface of every network: encode, decode, loss
    autoencoder, stacked_denoising, variational    one family of networks each
    denoiser            a network beside them, which only removes noise
    stacks              the layers of encoders and decoders
    likelihoods         p(x|z), the distribution of samples given latents
    objectives          terms of the losses, in nats
    build               the network of a configuration
    user_units          networks that read and write the user's units, for export
"""
