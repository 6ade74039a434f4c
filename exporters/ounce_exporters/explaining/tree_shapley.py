"""Shapley values of small trees, as trees of vectors.

What a coalition of parts knows of a row is the tree's mean where branches that ask for other parts
are taken by the shares of the training rows (S. M. Lundberg et al., "From Local Explanations to
Global Understanding with Explainable AI for Trees", Nature Machine Intelligence 2, 2020: the path
dependent form). Of a row these values depend only on which way it takes at every branch, also at
those beside its path. So a tree that asks for all branches, one after the other, has them in its
leaves.
"""

from math import factorial

import numpy as np
from numpy.typing import NDArray

from ounce_exporters.explaining.tree_terms import Floats, Weighed, goes_left
from ounce_exporters.export.trees import LEAF, Tree

MOST_BRANCHES = 7
"""Of a tree: any of depth 3 has no more."""


def suits(tree: Tree) -> bool:
    """Whether a tree is small enough."""
    return int((tree.feature != LEAF).sum()) <= MOST_BRANCHES


def shapley(weighed: Weighed, owners: NDArray[np.intp], n_parts: int) -> Tree:
    """A tree that gives the Shapley values of another one.

    Args:
        weighed: the tree.
        owners: part of each feature.
        n_parts: of the input.

    Returns:
        Values of shape (n_nodes, n_parts * n_outputs), part by part.
    """
    tree = weighed.tree
    branches = np.flatnonzero(tree.feature != LEAF).tolist()
    ways = {f: _ways(tree, f) for f in {int(tree.feature[node]) for node in branches}}
    growing = _Growing(weighed, owners, n_parts, branches)
    growing.add(0, ways, {})
    return growing.tree()


def _ways(tree: Tree, feature: int) -> list[dict[int, bool]]:
    """All ways that values of a feature can take at the branches that ask for it, by branch."""
    branches = np.flatnonzero(tree.feature == feature).tolist()
    ends = [tree.threshold[b] for b in branches if b not in tree.categories]
    known = [
        c for b in branches if b in tree.categories for c in np.concatenate(tree.categories[b])
    ]
    finite = np.unique(np.array([*ends, *known], np.float64))
    values = np.concatenate([finite, [np.inf, np.nan]])  # at a threshold is below it
    taken = np.stack([goes_left(tree, branch, values) for branch in branches])
    distinct = np.unique(taken, axis=1).T
    return [dict(zip(branches, way.tolist(), strict=True)) for way in distinct]


def _shapley_weights(members: NDArray[np.bool_]) -> Floats:
    """What makes Shapley values of the values of coalitions, shape (n_parts, n_coalitions).

    Args:
        members: parts of each coalition, shape (n_coalitions, n_parts).
    """
    n = members.shape[1]
    sizes = members.sum(axis=1)
    joining = np.array([factorial(max(s - 1, 0)) * factorial(n - s) for s in sizes])
    staying = np.array([factorial(s) * factorial(max(n - s - 1, 0)) for s in sizes])
    return np.where(members.T, joining, -staying) / factorial(n)


class _Growing:
    """A tree of vectors that grows branch by branch."""

    def __init__(
        self, weighed: Weighed, owners: NDArray[np.intp], n_parts: int, branches: list[int]
    ) -> None:
        self._weighed, self._owners, self._n_parts = weighed, owners, n_parts
        self._branches = branches
        self._parts = sorted({int(owners[weighed.tree.feature[b]]) for b in branches})
        n = len(self._parts)
        self._members = np.array([[c >> i & 1 for i in range(n)] for c in range(2**n)], bool)
        self._weights = _shapley_weights(self._members)
        self._nodes: list[tuple[int, int, int, Floats | None]] = []
        """Branch of the other tree, or `LEAF`; children; values."""

    def add(
        self, place: int, ways: dict[int, list[dict[int, bool]]], taken: dict[int, bool]
    ) -> int:
        """Append what asks for the branches from `place` on; the number of its first node.

        Args:
            place: in the list of branches.
            ways: by feature, those that are still possible.
            taken: ways at the branches before.
        """
        if place == len(self._branches):
            self._nodes.append((LEAF, 0, 0, self._values(taken)))
            return len(self._nodes) - 1
        branch = self._branches[place]
        feature = int(self._weighed.tree.feature[branch])
        possible = {way[branch] for way in ways[feature]}
        if len(possible) == 1:
            (only,) = possible
            return self.add(place + 1, ways, {**taken, branch: only})
        here = len(self._nodes)
        self._nodes.append((branch, 0, 0, None))
        children = []
        for left in (True, False):
            some = [way for way in ways[feature] if way[branch] == left]
            children.append(self.add(place + 1, {**ways, feature: some}, {**taken, branch: left}))
        self._nodes[here] = (branch, children[0], children[1], None)
        return here

    def _values(self, taken: dict[int, bool]) -> Floats:
        """Shapley values of rows that take these ways, shape (n_parts, n_outputs)."""
        found = np.zeros((self._n_parts, self._weighed.tree.values.shape[1]))
        found[self._parts] = self._weights @ self._means(0, taken)
        return found

    def _means(self, node: int, taken: dict[int, bool]) -> Floats:
        """What each coalition knows at a node, shape (n_coalitions, n_outputs)."""
        tree = self._weighed.tree
        if tree.feature[node] == LEAF:
            return np.broadcast_to(tree.values[node], (len(self._members), tree.values.shape[1]))
        left, right = (self._means(int(c[node]), taken) for c in (tree.left, tree.right))
        share, other = self._weighed.shares(node)
        part = self._parts.index(int(self._owners[tree.feature[node]]))
        knows = self._members[:, part, None]
        return np.where(knows, left if taken[node] else right, share * left + other * right)

    def tree(self) -> Tree:
        """What has grown."""
        old = self._weighed.tree
        branch, left, right, values = zip(*self._nodes, strict=True)
        asked = np.array(branch, np.int64)
        is_leaf = asked == LEAF
        width = self._n_parts * old.values.shape[1]
        return Tree(
            feature=np.where(is_leaf, LEAF, old.feature[asked]),
            threshold=np.where(is_leaf, 0.0, old.threshold[asked]),
            left=np.array(left, np.int64),
            right=np.array(right, np.int64),
            missing_left=np.where(is_leaf, False, old.missing_left[asked]),
            categories={i: old.categories[b] for i, b in enumerate(branch) if b in old.categories},
            values=np.array([np.zeros(width) if v is None else v.ravel() for v in values]),
        )
