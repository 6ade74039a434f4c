"""Trees and forests of them."""

from typing import Any, Literal

from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

_MOST_LEAVES = 10_000
"""Of one tree: a forest of a hundred then stays within about 100 MB."""


def decision_tree(
    seed: int, *, n_classes: int, depth: int | None = None, min_samples_leaf: int = 5
) -> Any:
    """One tree (CART).

    Args:
        seed: decides between splits that are alike.
        n_classes: number of classes; 0 for a quantity.
        depth: of the tree; by default one with leaves enough for all classes.
        min_samples_leaf: rows of a leaf at least.
    """
    kind = DecisionTreeClassifier if n_classes else DecisionTreeRegressor
    depth = depth or max(8, 4 + n_classes.bit_length())  # 2 ** 8 leaves are few for 100 classes
    return kind(max_depth=depth, min_samples_leaf=min_samples_leaf, random_state=seed)


def forest(
    kind: Literal["random", "extra"],
    seed: int,
    *,
    n_classes: int,
    n_rows: int,
    n_trees: int = 100,
    min_samples_leaf: int = 1,
) -> Any:
    """Trees that are grown to the end, or to so many leaves that the file stays small.

    Args:
        kind: random forest, or extra trees, which split at random thresholds.
        seed: of everything that is random.
        n_classes: number of classes; 0 for a quantity.
        n_rows: rows that it learns from.
        n_trees: how many.
        min_samples_leaf: rows of a leaf at least, unless leaves were too many.
    """
    kinds = {
        "random": (RandomForestRegressor, RandomForestClassifier),
        "extra": (ExtraTreesRegressor, ExtraTreesClassifier),
    }
    return kinds[kind][bool(n_classes)](
        n_trees,
        max_features="sqrt" if n_classes else 0.5,
        min_samples_leaf=max(min_samples_leaf, n_rows // _MOST_LEAVES),
        random_state=seed,
    )
