"""Batches in the order of their deadlines."""

from bisect import insort
from collections.abc import Iterable, Sequence

from ounce_schemas.routing import Choice

from ounce_edge.recommender.beliefs.view import View
from ounce_edge.recommender.rule.batches import Line, PlannedBatch, by_tightest, put_together

ABSORB_MS = 2.5
"""Batches that begin within this time take along later ones; the next decision sees to others."""
_SHARED = (
    Choice.LIGHTEST_FEASIBLE,
    Choice.LIGHTEST_TOGETHER,
    Choice.LIGHTEST_TOGETHER.below_floor,
)


class Timetable:
    """Batches that run one after another, the one with the tightest deadline first.

    Args:
        view: what is believed of the plans.
        batches: in any order.

    Attributes:
        batches: in their order.
    """

    def __init__(self, view: View, batches: Iterable[PlannedBatch]) -> None:
        self._view = view
        self.batches = sorted(batches, key=by_tightest)

    def remove(self, batch: PlannedBatch) -> None:
        """Take a batch out."""
        self.batches.remove(batch)

    def insert(self, batch: PlannedBatch) -> None:
        """Put a batch in its place."""
        insort(self.batches, batch, key=by_tightest)

    def insert_or_join(self, new: PlannedBatch) -> None:
        """Put a batch in its place; beside one of the same plan and about the same deadline, it
        becomes part of that one."""
        for batch in self.batches:
            if (
                _may_share(batch, new)
                and new.tightest_ms < 2.0 * batch.tightest_ms
                and batch.tightest_ms < 2.0 * new.tightest_ms
            ):
                self.remove(batch)
                new = self._together([batch, new])
                break
        self.insert(new)

    def first_late(self) -> tuple[int, float] | None:
        """Place of the first batch that ends after its deadline, and by how much, milliseconds."""
        line = Line()
        for k, batch in enumerate(self.batches):
            late_ms = line.join(batch.usual_ms, batch.finish_ms) - batch.tightest_ms
            if late_ms > 0.0:
                return k, late_ms
        return None

    def absorb(self) -> None:
        """What runs first takes along later messages of the same plan, where nothing else becomes
        late for it: fewer calls."""
        k, line = 0, Line()
        while k < len(self.batches) and line.usual_ms < ABSORB_MS:
            head, rest = self.batches[k], self.batches[k + 1 :]
            mates = [batch for batch in rest if _may_share(head, batch)]
            while mates:
                whole, shared = self._together([head, *mates]), line.copy()
                if shared.join(whole.usual_ms, whole.finish_ms) <= head.tightest_ms:
                    others = [batch for batch in rest if batch not in mates]
                    if shared.keeps(others):
                        self.batches[k:] = [whole, *others]
                        break
                mates = mates[: len(mates) // 2]
            line.join(self.batches[k].usual_ms, self.batches[k].finish_ms)
            k += 1

    def merge_neighbours(self) -> None:
        """Neighbours of the same plan become one call, where both deadlines allow it."""
        merged: list[PlannedBatch] = []
        before = Line()
        """All but the last of them."""
        for batch in self.batches:
            if merged:
                last = merged[-1]
                if _may_share(last, batch):
                    whole = self._together([last, batch])
                    if before.copy().join(whole.usual_ms, whole.finish_ms) <= last.tightest_ms:
                        merged[-1] = whole
                        continue
                before.join(last.usual_ms, last.finish_ms)
            merged.append(batch)
        self.batches = merged

    def _together(self, batches: Sequence[PlannedBatch]) -> PlannedBatch:
        choice, choices = batches[0].choice, [batch.choice for batch in batches]
        if choices.count(choice) < len(choices):
            choice = Choice.LIGHTEST_TOGETHER
        return put_together(self._view, choice, batches)


def _may_share(one: PlannedBatch, other: PlannedBatch) -> bool:
    """Whether one call of the same plan may answer both: for one reason, or where the floors of
    some are kept and those of others are not (`Choice.below_floor`)."""
    return one.plan == other.plan and (
        one.choice is other.choice or (one.choice in _SHARED and other.choice in _SHARED)
    )
