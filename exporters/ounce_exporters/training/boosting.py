"""Histogram gradient boosting, which takes gaps as gaps and texts as categories."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

_MOST_TREES = 3000
"""Boosting grows a tree for each class in every round."""
_ROUNDS = 100


def boosting(
    seed: int,
    *,
    n_classes: int,
    categorical: Sequence[bool],
    rounds: int = _ROUNDS,
    **options: Any,
) -> Any:
    """Boosted trees.

    Args:
        seed: of everything that is random.
        n_classes: number of classes; 0 for a quantity.
        categorical: which features are places of texts.
        rounds: trees for each class at most.
        options: of scikit-learn's estimator.
    """
    kind = HistGradientBoostingClassifier if n_classes else HistGradientBoostingRegressor
    trees_a_round = n_classes if n_classes > 2 else 1
    return kind(
        max_iter=int(np.clip(_MOST_TREES // trees_a_round, 10, rounds)),
        categorical_features=categorical,
        early_stopping=False,
        random_state=seed,
        **options,
    )
