"""
The values that a configuration leaves to the data: those of its options that say `auto`.

    choose          every choice of a run, as a configuration without `auto`, and the reasons in lines
    likelihood      Bernoulli or Gaussian, by the values
    latents         the number of latents, by the spectrum
    augmentation    shifts and flips, by the linear reconstruction of held-out images
    budget          batch size, steps, learning rate and patience, by the number of rows
    precision       bfloat16, where the processor multiplies in it
    layers          widths and residual blocks, by the size of the samples
    spectrum        principal axes, which several choices and the network's shortcut are made from
"""
