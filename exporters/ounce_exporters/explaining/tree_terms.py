"""What each part of the input adds to the sums of trees, as trees of vectors.

A tree's mean at a node is that of the training rows that come there. Three ways to share a leaf:

- A tree of one part, or of two: what the leaf is over the mean at the root goes to the part, or
  half to each. That is exact.
- `paths`: at each branch the change of the mean goes to the part that the branch asks for (A.
  Saabas, "Interpreting Random Forests", 2014).
- `tree_shapley`: Shapley values.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ounce_exporters.export.trees import LEAF, Tree

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Weighed:
    """A tree, and how many training rows come to each of its nodes."""

    tree: Tree
    rows: Floats
    """Shape (n_nodes,)."""
    means: Floats
    """Of the values of the leaves below a node, shape (n_nodes, n_outputs)."""

    def shares(self, node: int) -> tuple[float, float]:
        """Of a node's rows, those that go left and right; where none come, half each."""
        left, right = self.rows[self.tree.left[node]], self.rows[self.tree.right[node]]
        return (0.5, 0.5) if left + right == 0 else (left / (left + right), right / (left + right))


def weigh(tree: Tree, features: Floats) -> Weighed:
    """Send training rows through a tree.

    Args:
        tree: whose children stand behind their parents.
        features: shape (n_rows, n_features).
    """
    n_nodes = len(tree.feature)
    numbered = replace(tree, values=np.arange(float(n_nodes))[:, None])
    leaves = find_leaves(numbered, features)
    rows = np.bincount(leaves, minlength=n_nodes).astype(np.float64)
    means = np.where((tree.feature == LEAF)[:, None], tree.values, 0.0)
    for node in reversed(np.flatnonzero(tree.feature != LEAF).tolist()):
        left, right = int(tree.left[node]), int(tree.right[node])
        rows[node] = rows[left] + rows[right]
        share = 0.5 if rows[node] == 0 else rows[left] / rows[node]
        means[node] = share * means[left] + (1.0 - share) * means[right]
    return Weighed(tree, rows, means)


def find_leaves(tree: Tree, features: Floats) -> NDArray[np.intp]:
    """The leaf that each row comes to, shape (n_rows,)."""
    at = np.zeros(len(features), np.intp)
    while True:
        asking = np.flatnonzero(tree.feature[at] != LEAF)
        if not len(asking):
            return at
        nodes = at[asking]
        for node in np.unique(nodes).tolist():
            here = asking[nodes == node]
            left = goes_left(tree, node, features[here, tree.feature[node]])
            at[here] = np.where(left, tree.left[node], tree.right[node])


def goes_left(tree: Tree, node: int, values: Floats) -> NDArray[np.bool_]:
    """Which values of a node's feature go left, shape (n,)."""
    if node in tree.categories:
        left, right = tree.categories[node]
        known = np.isin(values, left) | np.isin(values, right)
        return np.asarray(np.where(known, np.isin(values, left), tree.missing_left[node]))
    missing = np.isnan(values)
    return np.asarray(np.where(missing, tree.missing_left[node], values <= tree.threshold[node]))


def paths(weighed: Weighed, owners: NDArray[np.intp], n_parts: int) -> Tree:
    """The tree with what each part adds along the path to each leaf.

    Args:
        weighed: the tree.
        owners: part of each feature.
        n_parts: of the input.

    Returns:
        Values of shape (n_nodes, n_parts * n_outputs), part by part.
    """

    def share(added: Floats, node: int, child: int) -> None:
        step = weighed.means[child] - weighed.means[node]
        added[owners[weighed.tree.feature[node]]] += step

    return _along_paths(weighed, n_parts, share)


def halves(weighed: Weighed, owners: NDArray[np.intp], n_parts: int) -> Tree:
    """The tree, of one part or of two, with an equal share for each; arguments as of `paths`."""
    tree = weighed.tree
    asked = np.unique(owners[tree.feature[tree.feature != LEAF]])
    values = np.zeros((len(tree.feature), n_parts, tree.values.shape[1]))
    over = (tree.values - weighed.means[0]) / max(len(asked), 1)
    leaves = np.flatnonzero(tree.feature == LEAF)
    for part in asked:
        values[leaves, part] = over[leaves]
    return replace(tree, values=values.reshape(len(values), -1))


def _along_paths(weighed: Weighed, n_parts: int, share: Callable[[Floats, int, int], None]) -> Tree:
    tree = weighed.tree
    values = np.zeros((len(tree.feature), n_parts, tree.values.shape[1]))
    for node in np.flatnonzero(tree.feature != LEAF).tolist():  # parents before their children
        for child in (int(tree.left[node]), int(tree.right[node])):
            values[child] = values[node]
            share(values[child], node, child)
    values[tree.feature != LEAF] = 0.0
    return replace(tree, values=values.reshape(len(values), -1))


def count_values(trees: Sequence[Tree]) -> int:
    """Numbers that the leaves hold."""
    return sum(int(np.count_nonzero(tree.values)) for tree in trees)
