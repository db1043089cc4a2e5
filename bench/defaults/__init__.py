"""
Train with the defaults on data sets that the bundled configurations were not made for, beside PCA and rivals.

    sets            the data sets: from installed packages, from formulas, and from the data folder
    rivals          PCA, and a plain training loop as a competent user writes it, with the same minutes
    pythae_rival    pythae's autoencoder, in an environment of its own
    trial           one data set and seed: the command, and the errors of all on the same test rows
    chosen          the options of both tables, and the data sets that they choose
    denoising       the table of denoising
    __main__        the table of reconstruction
"""
