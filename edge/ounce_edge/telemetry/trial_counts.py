"""What became of messages under two policies that are compared."""

import threading
from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

from ounce_schemas.canary import Criterion

from ounce_edge.pipeline.reports import Report
from ounce_edge.recommender.canary.sequential_test import Outcomes


class Pair(NamedTuple):
    """Outcomes under both policies."""

    baseline: Outcomes = Outcomes()
    canary: Outcomes = Outcomes()


class TrialCounts:
    """Counts, while a canary runs; on any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._versions: tuple[str, ...] = ()
        self._pairs: defaultdict[tuple[str, Criterion], Pair] = defaultdict(Pair)

    def compare(self, baseline: str, canary: str) -> None:
        """Count what two versions of the policy do from now on."""
        with self._lock:
            self._versions = baseline, canary
            self._pairs.clear()

    def end(self) -> None:
        """Count nothing from now on."""
        with self._lock:
            self._versions = ()
            self._pairs.clear()

    def observe(self, report: Report) -> None:
        """What became of some requests, once the broker has their answers."""
        if not self._versions:
            return
        with self._lock:
            for group in report.groups:
                version, n = group.policy_version, group.n
                self._add(report.task, Criterion.DEADLINES, version, n, group.deadline_misses)
                self._add(report.task, Criterion.FLOORS, version, n, group.floor_misses)
                self._add(report.task, Criterion.ERRORS, version, n, 0)
            for version, n in report.unanswered.items():
                self._add(report.task, Criterion.ERRORS, version, n, n)

    def observe_answers(self, task: str, answers: Mapping[str, Outcomes]) -> None:
        """What labels said of answers, by version of the policy."""
        if not self._versions:
            return
        with self._lock:
            for version, found in answers.items():
                self._add(task, Criterion.ACCURACY, version, *found)

    def take(self) -> Mapping[tuple[str, Criterion], Pair]:
        """Outcomes since they were taken last, by task and criterion. Where only one policy has
        any, they wait for some of the other."""
        with self._lock:
            both = {
                key: pair for key, pair in self._pairs.items() if pair.baseline.n and pair.canary.n
            }
            for key in both:
                del self._pairs[key]
            return both

    def _add(self, task: str, criterion: Criterion, version: str, n: int, n_bad: int) -> None:
        if version not in self._versions:  # of a version before
            return
        pair, more = self._pairs[task, criterion], Outcomes(n, n_bad)
        self._pairs[task, criterion] = (
            pair._replace(baseline=pair.baseline.plus(more))
            if version == self._versions[0]
            else pair._replace(canary=pair.canary.plus(more))
        )
