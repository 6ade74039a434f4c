"""decode -> wait -> choose -> run -> encode, for the requests of one task. Knows no Kafka."""

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import numpy as np
from ounce_schemas.label import Label
from ounce_schemas.task import TaskSpec

from ounce_edge.evidence.decided import Recorder
from ounce_edge.evidence.request_watch import RequestWatch
from ounce_edge.models.catalogue import Ladder
from ounce_edge.models.execution import Outcome
from ounce_edge.pipeline.answering import Answering
from ounce_edge.pipeline.choosing import Chooser
from ounce_edge.pipeline.clocks import Clocks
from ounce_edge.pipeline.duplicates import RecentIds
from ounce_edge.pipeline.edition import Edition
from ounce_edge.pipeline.finishing import Finishing
from ounce_edge.pipeline.in_flight import InFlight
from ounce_edge.pipeline.job import Job
from ounce_edge.pipeline.lanes import Lanes
from ounce_edge.pipeline.learning import Learned, learn
from ounce_edge.pipeline.progress import Progress
from ounce_edge.pipeline.rejecting import Rejecting
from ounce_edge.pipeline.reports import Report
from ounce_edge.pipeline.sampled_time import SampledTime
from ounce_edge.pipeline.snapshot import Snapshot
from ounce_edge.pipeline.turn import Turn
from ounce_edge.pipeline.waiting import Waiting
from ounce_edge.recommender.beliefs.plan_beliefs import Plans
from ounce_edge.recommender.pacing.lately import LeastLately
from ounce_edge.wire.dead_letters import MAX_MESSAGE_BYTES
from ounce_edge.wire.records import Columns, Publish, Record

LOOK_AGAIN_S = 0.001
"""How often a lane is looked at whose call takes longer than predicted."""


class Pipeline:
    """Serves one task: `admit` takes records, `step` answers some of what waits.

    Args:
        edition: what answers, until another one is put in its place.
        clocks: deadlines count from record timestamps on its wall clock.
        lanes: make long calls beside; without them every call is made within `step`.
        log: takes a record of each decision.
        rng: chooses what is explored.
        max_message_bytes: of a dead letter.
    """

    def __init__(
        self,
        edition: Edition,
        *,
        clocks: Clocks | None = None,
        lanes: Lanes | None = None,
        log: Recorder | None = None,
        rng: np.random.Generator | None = None,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
    ) -> None:
        clocks, lanes = clocks or Clocks(), Lanes(0) if lanes is None else lanes
        self.waiting = Waiting()
        self._edition = edition
        self._clocks = clocks
        self._lanes = lanes
        self._log = log
        self._recent_ids = RecentIds()
        self._progress = Progress()
        self._tightest = LeastLately(edition.policy.max_latency_ms)
        self._chooser = Chooser(self.waiting, lanes, rng or np.random.default_rng())
        self._decide_time = SampledTime()
        self._in_flight = InFlight(lanes, clocks.steady)
        self._rejecting = Rejecting(edition.task.name, max_message_bytes)
        self._answering = Answering(edition.task, clocks)
        self._finishing = Finishing(self.waiting, self._answering, self._rejecting, clocks)
        self._watch = RequestWatch()
        self._due_at_s = 0.0
        self.keeps_trails = False
        """Whether reports say how each answer came about, for traces."""

    def replace_edition(self, edition: Edition) -> None:
        """Answer with another edition from the next batch on; beliefs of models that stay go along.

        Groups on lanes are finished with the edition that chose their plans. What waits keeps its
        targets, and is decided under the new edition, by the rules that it meets there.

        Raises:
            ValueError: it is of another task, or of one with other inputs or outputs.
        """
        if not edition.task.is_asked_like(self.task):
            text = f"an edition of task {edition.task.name} can't replace one of {self.task.name} "
            raise ValueError(f"{text}unless the two tasks are equal; start a worker for it")
        edition.inherit(self._edition)
        self._edition = edition
        self._watch.keep_routes(len(edition.routes))
        self._reroute()
        if self._log is not None:
            self._log.begin(edition.log_header())

    def _reroute(self) -> None:
        decoder, now_ms = self._edition.decoder, self._clocks.wall() * 1e3
        self.waiting.reroute(lambda batch: decoder.routes(batch, now_ms))

    def admit(self, records: Sequence[Record], publish: Publish) -> Report:
        """Take records of this task's requests topic: valid ones wait, others become dead letters.

        In the end every record leads to exactly one published record: a prediction or a dead
        letter.
        """
        report = Report(self.task.name, self._clocks.steady(), self.keeps_trails)
        columns = Columns.of(records)
        batch, rejected = self._edition.decoder.decode(columns, self._clocks.wall() * 1e3)
        many = batch.many_rows()
        n_open = len(batch) + len(many) + len(rejected)
        poll = self._progress.begin(columns.next_offsets(), n_open)
        poll.decoded_s = report.began_at_s, self._clocks.steady()
        for message in many:
            message.release = poll.end_one
        if len(batch):
            repeated = set[int]()
            if any(batch.identities):
                repeated = self._recent_ids.repeats(batch.identities)
            senders = None if self._log is None else self._log.senders.numbers(batch)
            self.waiting.add(batch, repeated, poll, senders)
            self._tightest.add(float(batch.max_latency_ms.min()), self._clocks.steady())
            report.repeats = len(repeated)
            report.count_marks(batch)
        self._rejecting.reject(rejected, publish, report)
        poll.open -= len(rejected)
        self._due_at_s = 0.0
        report.next_offsets = self._progress.advance()
        return report

    def step(self, publish: Publish, turn: Turn | None = None) -> Report:
        """Take what lanes have answered, decide for all that waits, and answer what comes first.

        Args:
            publish: takes predictions and dead letters.
            turn: what may be done now; None: as `Turn` has it.
        """
        report = Report(self.task.name, self._clocks.steady(), self.keeps_trails)
        for job, outcome in self._in_flight.take_ended():
            self._answer(job, outcome, publish, report)
        n_held = self._serve(publish, turn or Turn(), report) if len(self.waiting) else 0
        self._due_at_s = 0.0
        if len(self.waiting) <= n_held:  # nothing else to do before a call or a load has ended
            next_end_s = min(self._lanes.next_end_ms / 1e3, self._chooser.load_look_s)
            self._due_at_s = self._clocks.steady() + max(next_end_s, LOOK_AGAIN_S)
        report.next_offsets = self._progress.advance()
        return report

    def _serve(self, publish: Publish, turn: Turn, report: Report) -> int:
        """Decide, hand long calls over, and make the first of the others; how many requests wait
        for a lane."""
        now_ms, began_s = self._clocks.wall() * 1e3, self._clocks.steady()
        self._chooser.look_for_overload(self._edition, turn, now_ms, began_s)
        report.incidents += self._watch.look_at_overload(self.overload_lasts, began_s)
        turns = self._chooser.share(self._edition, turn, now_ms, began_s)
        return sum(self._serve_route(route, publish, own, report) for route, own in turns)

    def _serve_route(self, route: int, publish: Publish, turn: Turn, report: Report) -> int:
        """`_serve`, for the requests of one route."""
        edition, began_s, now_ms = self._edition, self._clocks.steady(), self._clocks.wall() * 1e3
        spent = self._decide_time.begin()
        chosen = self._chooser.choose(edition, route, turn, now_ms, began_s)
        report.decide_ms += self._decide_time.end_ms(spent)
        chosen_s = began_s, self._clocks.steady()
        if chosen is None:
            return 0
        decided, promised = chosen.decided, edition.promised_floors[route]
        report.incidents += [
            *edition.watch.look_at_accuracy(began_s),
            *edition.watch.look_at_worse(),
            *self._watch.look_at_floors(route, chosen.view, decided.floors, promised),
        ]
        senders = None if self._log is None else self.waiting.senders(chosen.considered)
        taken = self.waiting.take(chosen.waiting_items)
        waited_ms = [now_ms - t.batch.timestamps_ms for t in taken]
        report.waited_ms = np.maximum(np.concatenate([report.waited_ms, *waited_ms]), 0.0)
        schedule, now = decided.schedule, chosen.now
        for i, (group, some) in enumerate(zip([*now.beside, *now.here], taken, strict=False)):
            job = Job(edition, chosen.route, chosen.view, schedule.by_cost, group, some, chosen_s)
            left_ms = decided.left_ms[group.items] - (self._clocks.steady() - began_s) * 1e3
            if i < len(now.beside):
                takes_ms = chosen.view.calls[group.plan, len(group.items)].expected_ms
                self._in_flight.start(job, partial(job.run, left_ms, self._clocks.steady), takes_ms)
            else:
                self._answer(job, job.run(left_ms, self._clocks.steady), publish, report)
        if len(schedule.refused):
            report.unanswered[chosen.route.routing.version] += len(schedule.refused)
            self._rejecting.refuse(taken[-1], publish, report)
        if self._log is not None:
            chosen.record(self._log, now_ms, senders, [t.batch.whole_ids() for t in taken])
            report.incidents += self._log.take_incidents()
        return now.n_held

    def _answer(self, job: Job, outcome: Outcome, publish: Publish, report: Report) -> None:
        self._finishing.finish(job, outcome, publish, report)
        if job.edition is not self._edition:  # what was given back has routes of its own edition
            self._reroute()

    def learn(self, labels: Sequence[Label]) -> Learned:
        """Hold labels against the answers that they are about."""
        return learn(self._edition, self._answering.memory, labels, self._clocks.steady())

    def snapshot(self) -> Snapshot:
        """What is believed and held here at this moment."""
        now_s, is_stopped = self._clocks.steady(), self._log is not None and self._log.is_stopped
        return Snapshot.of(self._edition, now_s, self.n_open, self.overload_lasts, is_stopped)

    def flush(self) -> None:
        """Let readers see the decisions recorded so far."""
        if self._log is not None:
            self._log.flush()

    def close(self) -> None:
        """Write what is buffered of the decisions."""
        if self._log is not None:
            self._log.close()

    def drop(self, partitions: Iterable[int]) -> int:
        """Forget what is open of partitions that others own now; how many requests."""
        lost = set(partitions)
        self._progress.disown(lost)
        return self.waiting.drop(lost) + self._in_flight.drop(lost)

    def reach_end(self, partition: int, offset: int) -> Mapping[int, int]:
        """All that can be read of the partition was admitted, up to this offset.

        Returns:
            By partition, the offset up to which all is answered, where that is news.
        """
        self._progress.reach_end(partition, offset)
        return self._progress.advance()

    def forget_ids(self) -> None:
        """What was answered lately is answered again: it is no repetition."""
        self._recent_ids = RecentIds()

    @property
    def task(self) -> TaskSpec:
        """What is served."""
        return self._edition.task

    @property
    def edition(self) -> Edition:
        """What answers now."""
        return self._edition

    @property
    def ladder(self) -> Ladder:
        """The models that answer now."""
        return self._edition.ladder

    @property
    def plans(self) -> Plans:
        """The plans that answer now, and what is believed of them."""
        return self._edition.plans

    @property
    def n_open(self) -> int:
        """Requests that wait or are on a lane."""
        return len(self.waiting) + len(self._in_flight)

    @property
    def n_bytes(self) -> int:
        """Bytes held of the records of open requests."""
        return self.waiting.n_bytes(self._in_flight.taken)

    @property
    def took_lane_at_s(self) -> float:
        """When a call of this task went to a lane last, on the steady clock."""
        return self._in_flight.started_at_s

    def due_in_s(self) -> float:
        """Seconds until `step` has something to do; infinite when nothing is open."""
        if not self.n_open:
            return math.inf
        is_free = bool(self._lanes.n_free) and math.isinf(self._chooser.load_look_s)
        if self._in_flight.any_ended or (len(self.waiting) and is_free):
            return 0.0
        return max(self._due_at_s - self._clocks.steady(), 0.0)

    @property
    def overload_lasts(self) -> bool:
        """Whether late requests have piled up, for a while."""
        return self._chooser.overload_lasts and len(self.waiting) > 0

    @property
    def any_timely(self) -> bool:
        """Whether a request waits that is not late yet."""
        deadlines_ms = self.waiting.deadline_ms
        return bool(len(deadlines_ms) and deadlines_ms.max() > self._clocks.wall() * 1e3)

    @property
    def tightest_ms(self) -> float:
        """The tightest deadline of the requests that came lately, in milliseconds."""
        return self._tightest.least
