"""What people are told of reading: requests that are lost, offsets that are missing, partitions
that are held up or read by others."""

import time
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta

from ounce_schemas.event import EventKind
from ounce_schemas.wording import counted

from ounce_edge.broker.places import Partition
from ounce_edge.broker.reading.starts import Start
from ounce_edge.broker.strangers import Stranger
from ounce_edge.telemetry.events import Events
from ounce_edge.telemetry.metrics import Metrics

_MOST_NAMED = 5
"""Partitions that one event names."""


class ReadingNews:
    """Tells it as events, with their metrics.

    Args:
        events: takes the events.
        metrics: counts what is lost.
        tasks: names of the tasks, by the topic of their requests.
        group: name of the consumer group.
        when_no_offsets: the setting, as text.
        clock: seconds on any steady clock.
    """

    def __init__(
        self,
        events: Events,
        metrics: Metrics,
        tasks: Mapping[str, str],
        group: str,
        when_no_offsets: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._events = events
        self._metrics = metrics
        self._tasks = tasks
        self.group = group
        self._when_no_offsets = when_no_offsets
        self._clock = clock
        self._blocked_s: dict[Partition, float] = {}
        """How long those partitions have been held up of which that is told."""
        self._strangers: dict[str, list[tuple[str, str]]] = {}
        """Client ids and hosts of strangers, by the topic that they were told to read."""

    def tell_starts(self, starts: Mapping[Partition, Start]) -> None:
        """Reading begins; tell what is lost by that, or may be answered again."""
        for place, start in starts.items():
            self._metrics.count_lost(self._tasks[place[0]], place[1], start.n_expired)
            if start.n_expired:
                self._tell_expired(place, start)
            if start.foreign is not None:
                self._tell(
                    EventKind.TOPIC_RECREATED,
                    place,
                    f"group {self.group} stood at offset {start.foreign} of {_show(place)}, which "
                    "is not of this topic: it was deleted and made again, or cut; it is read from "
                    f"its beginning, offset {start.offset}",
                )
        for topic in self._tasks:
            kept = {p: s for (t, p), s in starts.items() if t == topic and s.n_kept}
            if kept:
                self._tell_missing(topic, kept)

    def tell_recreated(self, topic: str) -> None:
        """The topic has another id than before."""
        self._events.tell(
            EventKind.TOPIC_RECREATED,
            self._tasks[topic],
            topic,
            f"{topic} was deleted and made again, and offsets of group {self.group} belong to the "
            "topic before: it is read from its beginning; some requests may be answered twice",
        )

    def tell_isolated(self, starts: Mapping[Partition, Start]) -> None:
        """Owners before ended or hung where reading of these begins, and models are isolated."""
        for topic, task in self._tasks.items():
            found = {p: start for (t, p), start in sorted(starts.items()) if t == topic}
            if not found:
                continue
            where = ", ".join(
                f"partition {p} at offset {start.offset}"
                for p, start in [*found.items()][:_MOST_NAMED]
            )
            more = len(found) - _MOST_NAMED
            self._events.tell(
                EventKind.MODELS_ISOLATED,
                task,
                topic,
                f"workers ended, or one hung, where reading of {topic} begins, "
                f"{where}{f' and {more} more' if more > 0 else ''}; "
                f"attempts={max(start.attempts for start in found.values())}; a "
                "request there may be fatal to a model, and models run in a process of their own "
                "until it is answered",
            )

    def tell_isolation_failed(self, why: str) -> None:
        """There can be no process for models."""
        self._tell_of_models(
            EventKind.ISOLATION_FAILED,
            f"models can't be isolated, and run in the worker: {why}; a request that is fatal to "
            "one of them goes on to end workers",
        )

    def tell_isolation_over(self, n_crashes: int) -> None:
        """Models run in the worker again."""
        self._tell_of_models(
            EventKind.ISOLATION_OVER,
            "models run in the worker again, after "
            f"{counted(n_crashes, 'crash', 'crashes')} of their process",
        )

    def _tell_of_models(self, kind: EventKind, text: str) -> None:
        for task in self._tasks.values():
            self._events.tell(kind, task, "models", text)

    def show_lag(self, lag: Mapping[Partition, int]) -> None:
        """Show how many records are left to read, by partition."""
        self._metrics.set_lag({(self._tasks[t], p): n for (t, p), n in lag.items()})

    def show_blocked(
        self,
        places: Collection[Partition],
        since_s: Mapping[Partition, float],
        n_waiting: Mapping[Partition, int],
    ) -> None:
        """Show which of these partitions an open transaction holds up; tell of what is new.

        Args:
            places: all that are read.
            since_s: those that are held up, and since when on the clock of `time.monotonic`.
            n_waiting: how many records wait there.
        """
        now_s = self._clock()
        blocked_s = {place: now_s - since for place, since in since_s.items()}
        for place in blocked_s.keys() - self._blocked_s.keys():
            self._tell_blocked(place, blocked_s[place], n_waiting[place])
        for place in self._blocked_s.keys() - blocked_s.keys():
            self._tell_unblocked(place, self._blocked_s[place])
        self._blocked_s = blocked_s
        self._metrics.set_blocked(
            {(self._tasks[t], p): blocked_s.get((t, p), 0.0) for t, p in places}
        )

    def tell_strangers(self, strangers: Collection[Stranger]) -> None:
        """Tell which of the topics are read by these members of the group, where other ones do than
        before."""
        for topic, task in self._tasks.items():
            theirs = [s for s in strangers if any(of == topic for of, _ in s.partitions)]
            known = [(s.client_id, s.host) for s in theirs]
            if known == self._strangers.get(topic, []):
                continue
            self._strangers[topic] = known
            if theirs:
                kind, text = EventKind.GROUP_SHARED, self._describe_strangers(topic, theirs)
            else:
                kind = EventKind.GROUP_UNSHARED
                text = f"all partitions of {topic} are read by workers of group {self.group} again"
            self._events.tell(kind, task, topic, text)

    def _describe_strangers(self, topic: str, strangers: Collection[Stranger]) -> str:
        each = "; ".join(
            f"client {s.client_id} at {s.host} has partition "
            + ", ".join(str(p) for of, p in s.partitions if of == topic)
            for s in strangers
        )
        return (
            f"group {self.group} has members that are no workers, and nobody answers the requests "
            f"of their partitions of {topic}: {each}; give these consumers a group of their own"
        )

    def _tell_blocked(self, place: Partition, blocked_s: float, n_waiting: int) -> None:
        since = datetime.now(UTC) - timedelta(seconds=blocked_s)
        self._tell(
            EventKind.PARTITION_BLOCKED,
            place,
            f"an open transaction of another producer has held up {_show(place)} since "
            f"{since:%Y-%m-%dT%H:%M:%SZ}: {counted(n_waiting, 'record waits', 'records wait')} "
            "behind it; restarting this "
            "worker does not help; kafka-transactions.sh find-hanging finds the producer, its "
            "abort ends the transaction",
        )

    def _tell_unblocked(self, place: Partition, blocked_s: float) -> None:
        self._tell(
            EventKind.PARTITION_UNBLOCKED,
            place,
            f"{_show(place)} is not held up any more, after {blocked_s:.0f} s: the transaction "
            "ended, or the partition moved to another worker",
        )

    def _tell_expired(self, place: Partition, start: Start) -> None:
        end, of = start.offset or 0, f"of {_show(place)}"
        lost = counted(start.n_expired, f"request {of} is lost", f"requests {of} are lost")
        self._tell(
            EventKind.REQUESTS_EXPIRED,
            place,
            f"{lost}, offsets {end - start.n_expired} to {end - 1}: "
            f"the topic dropped {'it' if start.n_expired == 1 else 'them'} before group "
            f"{self.group} read that far; raise its retention.ms or retention.bytes",
        )

    def _tell_missing(self, topic: str, kept: Mapping[int, Start]) -> None:
        n = sum(start.n_kept or 0 for start in kept.values())
        where = ", ".join(f"{p} at {start.offset}" for p, start in sorted(kept.items()))
        self._events.tell(
            EventKind.OFFSETS_MISSING,
            self._tasks[topic],
            topic,
            f"group {self.group} has no committed offsets of {topic}, which keeps at most "
            f"{counted(n, 'record')}: it "
            "is new, or its offsets expired (offsets.retention.minutes of the broker); reading "
            f"begins by --when-no-offsets={self._when_no_offsets}, partition {where}; "
            f"{_show_answered(kept.values())}",
        )

    def _tell(self, kind: EventKind, place: Partition, text: str) -> None:
        self._events.tell(kind, self._tasks[place[0]], _show(place), text)


def _show_answered(starts: Collection[Start]) -> str:
    found = [start.answered for start in starts if start.answered is not None]
    if len(found) < len(starts):
        return "what was answered before may be answered again"
    text = counted(
        sum(known.n for known in found),
        "request has an answer, and gets no other one",
        "requests have an answer, and get no other one",
    )
    if not all(known.is_whole for known in found):
        text += "; there was no time to look at all of them, and others may be answered again"
    return text


def _show(place: Partition) -> str:
    return f"{place[0]}[{place[1]}]"
