"""The product's own rule."""

from collections.abc import Sequence

from ounce_edge.evidence.model_watch import ModelWatch
from ounce_edge.models.execution import Outcome
from ounce_edge.recommender.pacing.next_calls import Circumstances, choose_next_calls
from ounce_edge.recommender.pacing.overload import Overload
from ounce_edge.recommender.pacing.slicing import LATE
from ounce_schemas.routing import Fallback

from benchmarks.routing.overhead import Overhead
from benchmarks.routing.rules.base import MAX_WAITING, Queue, Rule, Work
from benchmarks.routing.tables import Table


class Ours(Rule):
    """The worker's code: beliefs, decision, slices and model watch are the modules that serve. No
    labels arrive and nothing is explored."""

    reads_on = True

    def __init__(self, table: Table, overhead: Overhead) -> None:
        super().__init__(table, overhead)
        self._watch = ModelWatch(self.plans, "digits", [(m.name, "") for m in self.plans.models])
        self._late_credit_ms = 0.0
        self._overload = Overload()

    def choose(self, now_ms: float, queue: Queue) -> Sequence[Work]:
        view = self.plans.view(now_ms / 1e3)
        left_ms = queue.deadline_ms - now_ms
        all_left_ms = queue.all_deadline_ms - now_ms
        overload_lasts = self._overload.look(all_left_ms, 1.0 / MAX_WAITING, now_ms / 1e3)
        now = choose_next_calls(
            Circumstances(
                view,
                left_ms,
                queue.floor,
                Fallback.MOST_ACCURATE_IN_TIME,
                overload_lasts,
                late_credit_ms=self._late_credit_ms,
            )
        ).share
        self._late_credit_ms = now.late_credit_ms
        return [Work(g.plan, g.items, cuts=g.choice not in LATE) for g in now.here]

    def learn(self, work: Work, outcome: Outcome, answer_ms: float) -> None:
        self._watch.learn_outcome(work.plan, outcome)
        self.plans.overhead.observe(len(work.items), answer_ms, answer_ms)
