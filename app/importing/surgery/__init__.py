"""
Changes and findings inside a graph, before it is run.

    pruning    keep some outputs, and only what they need
    cutting    make an encoder and a decoder of a whole autoencoder
    recurrent  initial states of recurrent nodes, if they fix the batch
    causes     true causes of refusals: training mode, randomness, dynamic quantisation
"""
