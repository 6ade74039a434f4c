"""A glass box: what each feature adds, and each of a few pairs, read off one curve or map each.

Boosting with trees of one feature each, then of the pairs that are left to explain most (Lou,
Caruana, Gehrke and Hooker, "Accurate Intelligible Models with Pairwise Interactions", KDD 2013).
Several ensembles, each stopped early by rows of its own, are averaged. All trees of a feature or
pair are one step function, so the model is exported as one look-up tree each.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from ounce_exporters.export.shape_functions import collapse
from ounce_exporters.export.tree_reading import read_ensemble
from ounce_exporters.export.trees import LEAF, Ensemble, as_logits, count_numbers, emit
from ounce_exporters.training.estimator import GraphEstimator

_ENSEMBLES = (4, 4, 4, 2, 2, 2, 1)
"""By number of classes, each of which grows trees of its own; 0 stands for a quantity."""
_QUICK_RATE, _QUICK_ROUNDS = 0.3, 60
"""Of the model whose errors tell which pairs are worth a map."""
_MOST_ROUNDS = 1000
_MOST_TREES = 3000
_BINS = 63
"""Intervals of a feature at most; the map of a pair has up to their square."""
_MOST_PAIRS = 10
_COARSE = 8
"""Intervals of a feature while pairs are looked for."""
_CELLS = 32
"""Places of a feature in the map of a pair at most: a text of more values is in no pair."""
_LOOKED_AT = 20_000

Floats = NDArray[np.float64]


class GlassBox(GraphEstimator):
    """An additive model of features and pairs of features.

    Args:
        n_classes: number of classes; 0 for a quantity.
        categorical_features: which features are places of texts.
        pairs: how many pairs of features at most.
        max_leaf_nodes: of each tree.
        learning_rate: of boosting.
        random_state: seed.
    """

    def __init__(
        self,
        n_classes: int = 2,
        categorical_features: Sequence[bool] | None = None,
        pairs: int = _MOST_PAIRS,
        *,
        max_leaf_nodes: int = 4,
        learning_rate: float = 0.1,
        random_state: int = 0,
    ) -> None:
        self.n_classes = n_classes
        self.categorical_features = categorical_features
        self.pairs = pairs
        self.max_leaf_nodes = max_leaf_nodes
        self.learning_rate = learning_rate
        self.random_state = random_state

    def fit(
        self, X: NDArray[Any], y: NDArray[Any], sample_weight: Floats | None = None
    ) -> "GlassBox":
        """Learn from features, array of shape (n_rows, n_features); a gap is NaN."""
        rows = self._texts_first(X)
        singles: list[tuple[int, ...]] = [(i,) for i in range(rows.shape[1])]
        first = self._boosting(0, singles)
        first.set_params(learning_rate=_QUICK_RATE, max_iter=_QUICK_ROUNDS)
        first.fit(rows, y, sample_weight)
        pairs = self._find_pairs(rows, y, first)
        self.members_ = [
            self._boosting(number, [*singles, *pairs]).fit(rows, y, sample_weight)
            for number in range(_ENSEMBLES[min(self.n_classes, 6)])
        ]
        return self

    def outputs(self, X: NDArray[Any]) -> NDArray[np.float32]:
        """Logits of shape (n_rows, n_classes), or values of shape (n_rows, 1)."""
        rows = self._texts_first(X)
        parts = [
            member.decision_function(rows) if self.n_classes else member.predict(rows)
            for member in self.members_
        ]
        sums = np.mean(parts, axis=0).reshape(len(rows), -1)
        if self.n_classes == 2:
            sums = np.concatenate([-sums / 2, sums / 2], axis=1)
        return np.asarray(sums, np.float32)

    def to_graph(self) -> onnx.ModelProto:
        """From `features` to `uncalibrated`."""
        return emit(self._ensemble())

    def count_numbers(self) -> int:
        """Learned numbers."""
        return count_numbers(self._ensemble())

    def _ensemble(self) -> Ensemble:
        members = [read_ensemble(member) for member in self.members_]
        n = len(members)
        places = np.append(self._order(members[0].n_features), LEAF)  # LEAF is -1, the last
        trees = [
            replace(t, feature=places[t.feature], values=t.values / n)
            for m in members
            for t in m.trees
        ]
        base = np.sum([m.base for m in members], axis=0) / n
        joint = collapse(Ensemble(trees, base, "identity", members[0].n_features))
        return as_logits(joint) if self.n_classes else joint

    def _order(self, n_features: int) -> NDArray[np.int64]:
        """Texts, then numbers: scikit-learn puts them so inside, and its groups of features that
        may meet in a tree count by places inside."""
        texts = np.asarray(self.categorical_features or [False] * n_features)
        return np.argsort(~texts, kind="stable")

    def _sorted_texts(self) -> list[bool] | None:
        texts = self.categorical_features
        return None if texts is None else sorted(texts, reverse=True)

    def _texts_first(self, X: NDArray[Any]) -> NDArray[np.float32]:
        rows = np.asarray(X, np.float32)
        return rows[:, self._order(rows.shape[1])]

    def _boosting(self, number: int, groups: Sequence[tuple[int, ...]]) -> Any:
        kind = HistGradientBoostingClassifier if self.n_classes else HistGradientBoostingRegressor
        trees_a_round = self.n_classes if self.n_classes > 2 else 1
        return kind(
            learning_rate=self.learning_rate,
            max_iter=int(np.clip(_MOST_TREES // trees_a_round, 20, _MOST_ROUNDS)),
            max_leaf_nodes=self.max_leaf_nodes,
            min_samples_leaf=8,
            max_bins=_BINS,
            max_features=0.5,
            interaction_cst=groups,
            categorical_features=self._sorted_texts(),
            early_stopping=True,
            validation_fraction=0.15,
            n_iter_no_change=15,
            random_state=self.random_state * 4 + number,
        )

    def _find_pairs(
        self, rows: NDArray[np.float32], y: NDArray[Any], model: Any
    ) -> list[tuple[int, ...]]:
        """The pairs whose coarse map explains most of what single features leave."""
        chosen = slice(None, None, -(-len(rows) // _LOOKED_AT))
        rows, y = rows[chosen], y[chosen]
        if self.n_classes:
            truth = np.eye(self.n_classes)[np.asarray(y, np.int64)]
            left = truth - model.predict_proba(rows)
        else:
            left = (np.asarray(y, np.float64) - model.predict(rows))[:, None]
        texts = self._sorted_texts() or [False] * rows.shape[1]
        places = [_coarse(c, is_text=t) for c, t in zip(rows.T, texts, strict=True)]
        gains = {
            (i, j): _gain(places[i], places[j], left)
            for i, j in combinations(range(len(places)), 2)
            if max(places[i].max(), places[j].max()) < _CELLS
        }
        best = sorted(gains, key=lambda pair: (-gains[pair], pair))
        return list(best[: min(self.pairs, rows.shape[1])])


def _coarse(column: NDArray[np.float32], *, is_text: bool) -> NDArray[np.int64]:
    """Place of each value among a few intervals of about equally many rows, or its text's place;
    gaps have a place of their own."""
    gaps = np.isnan(column)
    present = column[~gaps]
    if is_text:
        return np.where(gaps, 0, column + 1).astype(np.int64)
    if len(present) == 0:
        return np.zeros(len(column), np.int64)
    ends = np.unique(np.quantile(present, np.linspace(0, 1, _COARSE + 1)[1:-1]))
    return np.where(gaps, _COARSE, np.searchsorted(ends, column)).astype(np.int64)


def _gain(first: NDArray[np.int64], second: NDArray[np.int64], left: Floats) -> float:
    """What the map of a pair takes off the squares of what is left, beyond chance."""
    cells = first * _CELLS + second
    n_cells = _CELLS**2
    counts = np.bincount(cells, minlength=n_cells) + 1.0
    total = 0.0
    for column in left.T:
        sums = np.bincount(cells, weights=column, minlength=n_cells)
        rows = np.bincount(first, weights=column), np.bincount(first) + 1.0
        columns = np.bincount(second, weights=column), np.bincount(second) + 1.0
        total += float((sums**2 / counts).sum())
        total -= float((rows[0] ** 2 / rows[1]).sum() + (columns[0] ** 2 / columns[1]).sum())
    return total
