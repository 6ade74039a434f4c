"""How much a glass box may compute: counted before it learns, so that wide tables end, too."""

from dataclasses import dataclass

MOST_READINGS = 3e9
"""Values that all trees read: rows x features x trees."""
MOST_LOOKED_AT = 2_016
"""Pairs that are looked at: all of 64 features."""
MOST_PAIR_READINGS = 3e8
"""Rows x outputs x pairs that are looked at."""
_MOST_ROWS_LOOKED_AT = 20_000
_MEMBERS = (4, 4, 4, 2, 2, 2, 1)
"""By number of classes, each of which grows trees of its own; 0 stands for a quantity."""
_MOST_ROUNDS = 1_000
_MOST_TREES = 3_000
_ENOUGH_ROUNDS = 200
"""Rather than fewer rounds, fewer ensembles."""
_LEAST_ROUNDS = 20


@dataclass(frozen=True)
class Budget:
    """What a glass box may do."""

    members: int
    """Ensembles that are averaged."""
    rounds: int
    """Of each ensemble at most."""
    features_looked_at: int
    """Among these pairs are looked for."""
    rows_looked_at: int


def find_budget(n_rows: int, n_features: int, n_classes: int) -> Budget:
    """The budget of a table.

    Args:
        n_rows: to learn from.
        n_features: that each row has.
        n_classes: 0 for a quantity.
    """
    trees = n_classes if n_classes > 2 else 1  # of each round
    readings = MOST_READINGS / max(n_rows * n_features * trees, 1)
    most = min(_MOST_ROUNDS, _MOST_TREES // trees)
    members = _MEMBERS[min(n_classes, len(_MEMBERS) - 1)]
    while members > 1 and readings / members < min(most, _ENOUGH_ROUNDS):
        members -= 1
    rounds = max(_LEAST_ROUNDS, int(min(most, readings / members)))
    features = n_features
    while features * (features - 1) // 2 > MOST_LOOKED_AT:
        features -= 1
    pairs = max(features * (features - 1) // 2, 1)
    rows = int(min(_MOST_ROWS_LOOKED_AT, n_rows, MOST_PAIR_READINGS / (pairs * max(n_classes, 1))))
    return Budget(members, rounds, features, max(rows, 1))
