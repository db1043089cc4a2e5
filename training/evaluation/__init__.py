"""
Evaluation of models through onnxruntime, beside baselines.

    version       a version of the model repository: find it, choose the data, evaluate it
    evaluate      all measurements of a model on a data set
    measures      one module for each measurement
    subject       the model and the data under evaluation, chunk by chunk
    limits        bounds on rows, so that memory and time stay bounded
    units         the user's units and those of the network
    metrics       errors of outputs against targets
    features      principal components and random networks, in which samples are compared
    fidelity      measures of generated samples against real ones
    baselines     PCA, classical denoisers, scores of latents
    untrained     the network before training, as a baseline
    alarms        warnings about bad measurements
"""
