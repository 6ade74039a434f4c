"""Lighter forms of networks: the same network in FP16 or INT8, as a model of its own.

`forms` converts a graph, `race` times it against its original, `recipes` puts both on a ladder.
"""
