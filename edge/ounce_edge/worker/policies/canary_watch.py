"""Whether a policy on trial goes on: each worker writes what it saw, reads what all saw, and stops
the trial where that is enough."""

import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping

from ounce_schemas import canary as records
from ounce_schemas.canary import Criterion, Stop, read_record
from ounce_schemas.policy_history import PolicyVersion
from ounce_schemas.policy_trial import canary_name
from ounce_schemas.topics import canaries_topic

from ounce_edge.dry_run.canary_evidence import (
    Key,
    comparison_document,
    comparisons_of,
    join_by_key,
    stop_reason,
)
from ounce_edge.recommender.canary.sequential_test import Outcomes
from ounce_edge.recommender.canary.verdict import Comparison, bet, needed_evidence, nothing_seen
from ounce_edge.telemetry.trial_counts import TrialCounts
from ounce_edge.wire.records import Record

logger = logging.getLogger(__name__)


class CanaryWatch:
    """Knows of one canary at a time; follows `ounce.canaries`. On any thread.

    Args:
        counts: what became of messages here.
        send: writes a record of `ounce.canaries`, now or later.
        worker: its name.
    """

    def __init__(
        self, counts: TrialCounts, send: Callable[[bytes, bytes], None], worker: str
    ) -> None:
        self._counts = counts
        self._send = send
        self._worker = worker
        self._run = f"{worker[:200]}/{uuid.uuid4().hex[:12]}"
        self._lock = threading.Lock()
        self._version: PolicyVersion | None = None
        """Whose canary runs here."""
        self._is_known = False
        """Whether the topic was read to its end."""
        self._stops: dict[str, Stop] = {}
        """By id of the version."""
        self._own: dict[Key, Comparison] = {}
        self._others: dict[str, dict[str, Mapping[Key, Comparison]]] = {}
        """By id of the version and run."""
        self.begin_following: Callable[[], None] = lambda: None
        """Called with the first version that has a canary."""
        self.changed: Callable[[], None] = lambda: None
        """Called when a canary may run or is stopped."""
        self._follows = False

    def follow(self, version: PolicyVersion) -> None:
        """A version is to be put in force; where it has a canary, the topic has to be read."""
        if version.canary is not None and not self._follows:
            self._follows = True
            self.begin_following()

    def may_run(self, version: PolicyVersion) -> bool:
        """Whether a share of the devices may have its canary: it has one that is not stopped."""
        with self._lock:
            is_stopped = version.id in self._stops
            return version.canary is not None and self._is_known and not is_stopped

    def stop_of(self, version: PolicyVersion) -> Stop | None:
        """Why its canary was stopped."""
        with self._lock:
            return self._stops.get(version.id)

    def compare(self, version: PolicyVersion | None) -> None:
        """From now on a share of the devices has the canary of this version; None: no canary."""
        with self._lock:
            if version == self._version:
                return
            self._version, self._own = version, {}
            if version is None:
                self._counts.end()
            else:
                self._counts.compare(version.name, canary_name(version))

    @property
    def is_comparing(self) -> bool:
        """Whether a canary runs here."""
        return self._version is not None

    def look(self) -> None:
        """Bet on what was seen since the last look, tell others, and stop the canary where all that
        was seen is enough."""
        with self._lock:
            version = self._version
            if version is None or version.canary is None or version.id in self._stops:
                return
            self._bet(version)
            reason = stop_reason(version.canary, self._seen(version))
            if reason is not None:
                at_ms = int(time.time() * 1e3)
                stop = Stop(canary=version.id, worker=self._worker, at_ms=at_ms, reason=reason)
                self._stops[version.id] = stop
                self._write(stop)
        if reason is not None:
            self.changed()

    def evidence(self) -> Mapping[Key, float]:
        """What all workers saw of the canary that runs, as a share of what stops it."""
        with self._lock:
            version = self._version
            if version is None or version.canary is None:
                return {}
            seen = self._seen(version)
            needed = needed_evidence(len({task for task, _ in seen}), version.canary.confidence)
            return {key: found.evidence / needed for key, found in seen.items()}

    def start(self) -> None:
        """As `Follows` says."""
        with self._lock:
            self._others.clear()

    def take(self, record: Record) -> None:
        """As `Follows` says."""
        value = record.value()
        if value is None:
            return
        found = read_record(record.key(), value)
        with self._lock:
            if isinstance(found, Stop):
                self._stops.setdefault(found.canary, found)
            elif found.run != self._run:
                self._others.setdefault(found.canary, {})[found.run] = comparisons_of(found)

    def caught_up(self) -> None:
        """As `Follows` says."""
        with self._lock:
            self._is_known = True
        self.changed()

    def tell_trouble(self, why: str | None) -> None:
        """As `Follows` says."""
        if why is None:
            logger.info("%s is read", canaries_topic())
        else:
            logger.warning("%s can't be read, canaries are judged alone: %s", canaries_topic(), why)

    def _bet(self, version: PolicyVersion) -> None:
        canary = version.canary
        blocks = self._counts.take()
        if canary is None or not blocks:
            return
        seen = self._seen(version)
        for key, (baseline, outcomes) in blocks.items():
            of_items = key[1] is Criterion.ACCURACY
            self._own[key] = bet(
                self._own.get(key) or nothing_seen(of_items),
                baseline,
                outcomes,
                seen[key].baseline if key in seen else Outcomes(),
                canary.margin_of(key[1]),
            )
        at_ms = int(time.time() * 1e3)
        self._write(
            records.Evidence(
                canary=version.id,
                run=self._run,
                at_ms=at_ms,
                comparisons=tuple(
                    comparison_document(key, found) for key, found in self._own.items()
                ),
            )
        )

    def _seen(self, version: PolicyVersion) -> Mapping[Key, Comparison]:
        return join_by_key([self._own, *self._others.get(version.id, {}).values()])

    def _write(self, record: records.Evidence | Stop) -> None:
        self._send(record.key, record.model_dump_json().encode())
