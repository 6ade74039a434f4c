"""What workers wrote of a canary, as comparisons that may stop it."""

from collections.abc import Iterable, Mapping

import numpy as np
from ounce_schemas import canary as records
from ounce_schemas.canary import Canary, Criterion

from ounce_edge.recommender.canary.sequential_test import Outcomes
from ounce_edge.recommender.canary.verdict import Comparison, join, needed_evidence, nothing_seen

Key = tuple[str, Criterion]
"""Task and criterion."""


def join_by_key(seen: Iterable[Mapping[Key, Comparison]]) -> Mapping[Key, Comparison]:
    """What several workers saw."""
    each = list(seen)
    keys = dict.fromkeys(key for one in each for key in one)
    return {key: join(one[key] for one in each if key in one) for key in keys}


def stop_reason(canary: Canary, seen: Mapping[Key, Comparison]) -> str | None:
    """Why a canary is to be stopped; None: it goes on.

    Args:
        canary: with its margins.
        seen: by all workers.
    """
    needed = needed_evidence(len({task for task, _ in seen}), canary.confidence)
    for (task, criterion), found in seen.items():
        if found.evidence >= needed:
            return (
                f"task {task} is worse in {criterion} by more than "
                f"{canary.margin_of(criterion):g}: {found.canary.share:.2%} of "
                f"{found.canary.n} messages were bad, and {found.baseline.share:.2%} of "
                f"{found.baseline.n} without it"
            )
    return None


def comparisons_of(evidence: records.Evidence) -> Mapping[Key, Comparison]:
    """What one run of a worker saw; without what this version does not know how to read."""
    found = {}
    for each in evidence.comparisons:
        of_items = each.criterion is Criterion.ACCURACY
        if len(each.growth) == len(nothing_seen(of_items).growth):
            found[each.task, each.criterion] = Comparison(
                of_items, Outcomes(*each.baseline), Outcomes(*each.canary), np.array(each.growth)
            )
    return found


def comparison_document(key: Key, found: Comparison) -> records.Comparison:
    """As a worker writes it."""
    task, criterion = key
    return records.Comparison(
        task=task,
        criterion=criterion,
        baseline=tuple(found.baseline),
        canary=tuple(found.canary),
        growth=tuple(found.growth.tolist()),
    )
