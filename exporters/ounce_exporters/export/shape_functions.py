"""Trees that ask for one or two features each, added up: one look-up tree a feature or pair.

A sum of such trees is a sum of step functions. Each function becomes one balanced tree, so a model
of thousands of small trees answers after a few comparisons a feature, with the same sums.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.errors import ExportError

from ounce_exporters.export.trees import LEAF, Ensemble, Tree

Floats = NDArray[np.float64]


def collapse(ensemble: Ensemble) -> Ensemble:
    """The same sums, of one tree for each feature or pair of features.

    Raises:
        ExportError: a path from root to leaf asks for more than two features.
    """
    groups: dict[tuple[int, ...], list[Tree]] = {}
    for tree in ensemble.trees:
        for asked, part in _parts(tree):
            groups.setdefault(asked, []).append(part)
    base = ensemble.base + sum(
        (tree.values[0] for tree in groups.pop((), [])), np.zeros_like(ensemble.base)
    )
    trees = [_look_up(asked, of, ensemble.n_features) for asked, of in sorted(groups.items())]
    return Ensemble(trees, base, ensemble.link, ensemble.n_features)


def _parts(tree: Tree) -> Iterator[tuple[tuple[int, ...], Tree]]:
    """The tree as a sum of trees whose paths that add anything ask for one or two features."""
    asked: dict[int, frozenset[int]] = {0: frozenset()}
    for node in range(len(tree.feature)):  # a parent stands before its children
        if tree.feature[node] != LEAF:
            here = asked[node] | {int(tree.feature[node])}
            asked[int(tree.left[node])] = asked[int(tree.right[node])] = here
    leaves = np.flatnonzero(tree.feature == LEAF).tolist()
    sets = sorted({asked[leaf] for leaf in leaves}, key=lambda s: (-len(s), sorted(s)))
    if len(sets[0]) > 2:
        raise ExportError(f"a path asks for {len(sets[0])} features, not one or two")
    part_of = {leaf: next(s for s in sets if asked[leaf] <= s) for leaf in leaves}
    for wanted in sorted(set(part_of.values()), key=sorted):
        chosen = [leaf for leaf in leaves if part_of[leaf] == wanted]
        values = np.zeros_like(tree.values)
        values[chosen] = tree.values[chosen]
        yield tuple(sorted(wanted)), replace(tree, values=values)


def evaluate(tree: Tree, rows: Floats) -> Floats:
    """What a tree adds for each row: shape (n_rows, n_outputs); rows of all features, float64."""
    at = np.zeros(len(rows), np.int64)
    while True:
        asking = np.flatnonzero(tree.feature[at] != LEAF)
        if len(asking) == 0:
            return tree.values[at]
        node = at[asking]
        x = rows[asking, tree.feature[node]]
        goes_left = np.where(np.isnan(x), tree.missing_left[node], x <= tree.threshold[node])
        for number, (left, right) in tree.categories.items():
            here = node == number
            known = np.where(np.isin(x[here], left), True, tree.missing_left[number])
            goes_left[here] = np.where(np.isin(x[here], right), False, known)
        at[asking] = np.where(goes_left, tree.left[node], tree.right[node])


@dataclass(frozen=True)
class _Cells:
    """The intervals of one feature between which a function steps, and then a gap."""

    feature: int
    thresholds: Floats
    """Upper ends of all intervals but the last, ascending."""
    is_text: bool

    @property
    def examples(self) -> Floats:
        """A value of each interval, and NaN; of places of texts a whole one."""
        ends = np.floor(self.thresholds) if self.is_text else self.thresholds
        return np.concatenate([ends, [np.inf, np.nan]])


def _cells(feature: int, trees: Sequence[Tree]) -> _Cells:
    ends: list[float] = []
    is_text = False
    for tree in trees:
        for node in np.flatnonzero(tree.feature == feature).tolist():
            if node in tree.categories:
                is_text = True
                for category in np.concatenate(tree.categories[node]).tolist():
                    ends += [category - 0.5, category + 0.5]
            else:
                ends.append(float(tree.threshold[node]))
    return _Cells(feature, np.unique(ends), is_text)


def _look_up(asked: tuple[int, ...], trees: Sequence[Tree], n_features: int) -> Tree:
    cells = [_cells(feature, trees) for feature in asked]
    grid = np.meshgrid(*(c.examples for c in cells), indexing="ij")
    rows = np.zeros((grid[0].size, n_features))
    for c, values in zip(cells, grid, strict=True):
        rows[:, c.feature] = values.ravel()
    total = sum((evaluate(tree, rows) for tree in trees[1:]), evaluate(trees[0], rows))
    building = _Building(cells)
    building.add(0, total.reshape(*grid[0].shape, -1))
    return building.tree()


@dataclass
class _Building:
    """A tree that grows node by node."""

    cells: Sequence[_Cells]
    nodes: list[tuple[int, float, int, int, Floats | None]] = field(default_factory=list)

    def add(self, axis: int, values: Floats) -> int:
        """Append the subtree of a feature and of those behind it, and return its root.

        Args:
            axis: place of the feature in `cells`.
            values: what to add, by interval of this feature and then its gap, then of the later
                features; the last axis is the outputs.
        """
        if values.ndim == 1:
            return self._node(LEAF, 0.0, values)
        numbers, gap = values[:-1], values[-1]
        if np.array_equal(numbers[-1], gap):  # a gap is not below any threshold
            return self._steps(axis, numbers, 0)
        here = self._node(self.cells[axis].feature, np.inf)
        return self._join(here, self._steps(axis, numbers, 0), self.add(axis + 1, gap))

    def _steps(self, axis: int, values: Floats, first: int) -> int:
        """The subtree of some intervals, the first of which is number `first`."""
        if (values == values[0]).all():
            return self.add(axis + 1, values[0])
        cells, middle = self.cells[axis], len(values) // 2
        here = self._node(cells.feature, float(cells.thresholds[first + middle - 1]))
        left = self._steps(axis, values[:middle], first)
        return self._join(here, left, self._steps(axis, values[middle:], first + middle))

    def _node(self, feature: int, threshold: float, values: Floats | None = None) -> int:
        self.nodes.append((feature, threshold, 0, 0, values))
        return len(self.nodes) - 1

    def _join(self, here: int, left: int, right: int) -> int:
        feature, threshold, _, _, values = self.nodes[here]
        self.nodes[here] = feature, threshold, left, right, values
        return here

    def tree(self) -> Tree:
        """What has grown; the first node is the root."""
        feature, threshold, left, right, values = zip(*self.nodes, strict=True)
        width = next(len(v) for v in values if v is not None)
        return Tree(
            feature=np.array(feature, np.int64),
            threshold=np.array(threshold, np.float64),
            left=np.array(left, np.int64),
            right=np.array(right, np.int64),
            missing_left=np.zeros(len(feature), np.bool_),
            categories={},
            values=np.array([np.zeros(width) if v is None else v for v in values]),
        )
