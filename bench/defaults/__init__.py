"""
Train with the defaults on data sets that the bundled configurations were not made for, beside PCA and rivals.

    sets        the data sets: from installed packages, from formulas, and from the data folder
    rivals      PCA, and a plain training loop as a competent user writes it, with the same minutes
    trial       one data set and seed: the command, and the errors of all on the same test rows
    __main__    the table
"""
