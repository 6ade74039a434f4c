"""The models of a table with a column of sentences."""

from functools import partial

from ounce_exporters.training.byte_networks import fit_byte_cnn, fit_hashed_mlp
from ounce_exporters.training.hashed_linear import fit_hashed_linear
from ounce_exporters.training.tuning import Family


def families(*, balanced: bool) -> list[Family]:
    """Models that read the bytes of texts, and the columns beside them."""
    return [
        Family(
            "hashed-linear",
            "classical",
            "linear model of hashed byte n-grams",
            lambda **options: partial(fit_hashed_linear, balanced=balanced, **options),
            {},
        ),
        Family(
            "hashed-mlp",
            "neural",
            "multilayer perceptron on mean embeddings of hashed byte n-grams",
            lambda **_: partial(fit_hashed_mlp, balanced=balanced),
            {},
        ),
        Family(
            "byte-cnn",
            "neural",
            "convolutions over bytes",
            lambda **_: partial(fit_byte_cnn, balanced=balanced),
            {},
        ),
    ]
