"""
Imports of encoders and decoders as other tools export them: what comes, what is adapted or refused.

    trial            one pair, its options, and the comparison with the original
    torch_pairs      pairs that both exporters of torch write
    networks         the networks of these pairs
    foreign_graphs   pairs with the traits of Keras, scikit-learn and diffusers, built node by node
    runtime_graphs   pairs with the traits of graphs that onnxruntime's tools write
"""
