"""The glass box finds what two features do together, also beside columns of texts."""

import numpy as np
from ounce_exporters.training.glass_box import GlassBox


def test_a_pair_of_numbers_is_found_beside_texts() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(900, 5)).astype(np.float32)
    x[:, 3:] = rng.integers(0, 4, (900, 2))
    y = (x[:, 0] > 0) * (x[:, 2] > 0) * 4.0 - (x[:, 0] > 0) * 2.0 - (x[:, 2] > 0) * 2.0
    texts = [False, False, False, True, True]
    train, test = slice(0, 600), slice(600, None)

    def error(pairs: int) -> float:
        model = GlassBox(0, texts, pairs=pairs).fit(x[train], y[train])
        return float(np.square(model.outputs(x[test])[:, 0] - y[test]).mean() / y[test].var())

    assert error(pairs=0) > 0.8
    assert error(pairs=3) < 0.2
