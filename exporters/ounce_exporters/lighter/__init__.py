"""Other forms of models, each a model of its own: networks in FP16 or INT8, classical models in
tensor operators.

`forms` converts a graph, `race` times it against its original, `recipes` puts both on a ladder.
"""
