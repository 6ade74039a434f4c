"""A glass box: what each feature adds, and each of a few pairs, read off one curve or map each.

Boosting with trees of one feature each, then of the pairs that explain most of what is left (Lou,
Caruana, Gehrke and Hooker, "Accurate Intelligible Models with Pairwise Interactions", KDD 2013).
Several ensembles are averaged, each stopped early by rows of its own. All trees of a feature or
pair are one step function. So each is exported as one look-up tree.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from ounce_exporters.export.shape_functions import collapse
from ounce_exporters.export.tree_reading import read_ensemble
from ounce_exporters.export.trees import LEAF, Ensemble, as_logits, count_numbers, emit
from ounce_exporters.training.budget import Budget, find_budget
from ounce_exporters.training.estimator import GraphEstimator
from ounce_exporters.training.interactions import find_pairs

_QUICK_RATE, _QUICK_ROUNDS = 0.3, 60
"""Of the model whose errors tell which pairs are worth a map."""
_BINS = 63
"""Intervals of a feature; the map of a pair has up to their square. More where a column has more
texts, since each is an interval."""
_MOST_PAIRS = 10

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
        texts = rows[:, : sum(self.categorical_features or ())]
        self.n_bins_ = max(_BINS, int(np.nanmax(texts, initial=0)) + 1)
        budget = find_budget(len(rows), rows.shape[1], self.n_classes)
        singles: list[tuple[int, ...]] = [(i,) for i in range(rows.shape[1])]
        first = self._boosting(0, min(budget.rounds, _QUICK_ROUNDS), singles)
        first.set_params(learning_rate=_QUICK_RATE).fit(rows, y, sample_weight)
        self.__dict__.pop("ensemble", None)  # of an earlier fit
        pairs = self._find_pairs(rows, y, first, budget)
        self.members_: list[Any] = []
        for number in range(budget.members):
            self.tell((number + 1) / (budget.members + 1))
            member = self._boosting(number, budget.rounds, [*singles, *pairs])
            self.members_.append(member.fit(rows, y, sample_weight))
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
        return emit(self.ensemble)

    def count_numbers(self) -> int:
        """Learned numbers."""
        return count_numbers(self.ensemble)

    @cached_property
    def ensemble(self) -> Ensemble:
        """A tree for each feature or pair; of classes an output for each."""
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

    def _boosting(self, number: int, rounds: int, groups: Sequence[tuple[int, ...]]) -> Any:
        kind = HistGradientBoostingClassifier if self.n_classes else HistGradientBoostingRegressor
        return kind(
            learning_rate=self.learning_rate,
            max_iter=rounds,
            max_leaf_nodes=self.max_leaf_nodes,
            min_samples_leaf=8,
            max_bins=self.n_bins_,
            max_features=0.5,
            interaction_cst=groups,
            categorical_features=self._sorted_texts(),
            early_stopping=True,
            validation_fraction=0.15,
            n_iter_no_change=15,
            random_state=self.random_state * 4 + number,
        )

    def _find_pairs(
        self, rows: NDArray[np.float32], y: NDArray[Any], model: Any, budget: Budget
    ) -> list[tuple[int, int]]:
        chosen = slice(None, None, -(-len(rows) // budget.rows_looked_at))
        features = _most_used(model, rows.shape[1], budget.features_looked_at)
        rows, y = rows[chosen], y[chosen]
        if self.n_classes:
            left = np.eye(self.n_classes)[np.asarray(y, np.int64)] - model.predict_proba(rows)
        else:
            left = (np.asarray(y, np.float64) - model.predict(rows))[:, None]
        texts = self._sorted_texts() or [False] * rows.shape[1]
        return find_pairs(rows, left, texts, features, min(self.pairs, rows.shape[1]))


def _most_used(model: Any, n_features: int, most: int) -> list[int]:
    """Features whose splits in a fitted boosting gained most."""
    gains = np.zeros(n_features)
    for trees in model._predictors:
        for tree in trees:
            splits = tree.nodes[tree.nodes["is_leaf"] == 0]
            np.add.at(gains, splits["feature_idx"], splits["gain"])
    chosen: list[int] = np.argsort(-gains, kind="stable")[:most].tolist()
    return chosen
