"""
Train the network of a configuration.

The way of a run, from the command line to the export:

    cli, commands                 read the options and the configuration; load the data (training.data)
    fitting.runs                  opens the run's folder: config.yaml, data.sha256; later run.json and network.pt
    fitting.trainer               fits the preprocessing, builds the network, trains its stages under Lightning
    fitting.stages                one stage: its parameters, the loss of a batch, the optimiser and its schedule
    fitting.lightning_trainer     Lightning's Trainer for a stage, with its callbacks
    fitting.cross_validation      the number of epochs of few rows, which then all train
    fitting.denoising             the stage of the denoiser, after those of the stack
    fitting.batches, ranks        the batches of an epoch, and each process's share of a batch
    fitting.draws, corruption     the random numbers of a step, and the noise made from them
    fitting.callbacks             checkpoints, the deadline, the check of the loss, the average of the weights
    networks, preprocessing       the networks, their likelihoods and loss terms; the units that they work in
    exporting.export, evaluation  turn the finished run into a version: graphs, measurements, figures, card, manifest
"""
