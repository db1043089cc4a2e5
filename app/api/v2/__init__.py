"""`/v2`: the wire of the Open Inference Protocol. Every task of every model is a model of its own."""
