"""Histogram gradient boosting, which takes gaps as gaps and texts as categories."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

_MOST_TREES = 3000
"""Boosting grows a tree for each class in every round."""
_ROUNDS = 100
_LEAST_ROUNDS = 10
_MANY_CLASSES = 20
_L2 = 1.0
"""Of many classes. A leaf that holds only rows of a class of share s would else add 1/s to its
score in one step: of 200 classes, ten times what the whole ensemble should say."""


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
    return kind(
        max_iter=_rounds(n_classes, rounds),
        l2_regularization=_L2 if n_classes > _MANY_CLASSES else 0.0,
        categorical_features=categorical,
        early_stopping=False,
        random_state=seed,
        **options,
    )


def relative_work(n_classes: int) -> float:
    """Trees that boosting grows for so many classes, over those for two."""
    return _trees_a_round(n_classes) * _rounds(n_classes, _ROUNDS) / _ROUNDS


def _rounds(n_classes: int, most: int) -> int:
    return int(np.clip(_MOST_TREES // _trees_a_round(n_classes), _LEAST_ROUNDS, most))


def _trees_a_round(n_classes: int) -> int:
    return n_classes if n_classes > 2 else 1
