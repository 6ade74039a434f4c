"""Answers of a policy that nobody acts on, made where nothing else is to be done.

A thread of the lowest priority runs a pipeline of its own on copies of some requests, few at a
time. It begins only where nothing waits to be answered; copies that wait too long are dropped. Its
clock shows the time at which the worker took the request, so it decides with the time that was left
then.
"""

import copy
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from ounce_schemas.policy import EffectivePolicy
from ounce_schemas.policy_history import PolicyVersion
from ounce_schemas.policy_trial import shadow_policy
from ounce_schemas.topics import dead_letters_topic

from ounce_edge.models.catalogue import ServedModel
from ounce_edge.pipeline.clocks import Clocks
from ounce_edge.pipeline.edition import Edition
from ounce_edge.pipeline.pipeline import Pipeline
from ounce_edge.pipeline.turn import Turn
from ounce_edge.recommender.beliefs.latency import LatencyBelief
from ounce_edge.wire.records import Headers, Outgoing, Record
from ounce_edge.worker.serving.serving import Serving

logger = logging.getLogger(__name__)

MOST_COPIES = 512
"""That wait; more are dropped."""
MOST_WAIT_S = 2.0
_BITE = 16
"""Copies that are answered before the next look whether something else is to be done. So many hold
the interpreter for less than a millisecond at a time."""
_LOOK_S = 0.002
_LOWEST = 19

SendAnswer = Callable[[str, bytes, bytes, Headers], None]
"""Publishes a shadow's answer: task, key, body, headers."""


class _Copy(NamedTuple):
    record: Record
    at_s: float
    """When the worker took it, since 1970."""


class _Shadow:
    """Of one task."""

    def __init__(self, live: Edition, edition: Edition) -> None:
        self.live = live
        self._ahead_s = 0.0
        clocks = Clocks(wall=lambda: time.time() - self._ahead_s)
        self.pipeline = Pipeline(edition, clocks=clocks)

    def answer(self, some: Sequence[_Copy], publish: Callable[[Outgoing], None]) -> None:
        self._ahead_s = time.time() - some[-1].at_s
        self.pipeline.admit([each.record for each in some], publish)
        while len(self.pipeline.waiting):
            self.pipeline.step(publish, Turn(slice_ms=1000.0))


class Shadowing:
    """Copies requests, on the thread that serves, and answers them on its own.

    Args:
        serving: what answers; is asked whether it has nothing to do.
        send: publishes.
        count: told of task, outcome and number of messages.
    """

    def __init__(
        self, serving: Serving, send: SendAnswer, count: Callable[[str, str, int], None]
    ) -> None:
        self._serving = serving
        self._send = send
        self._count = count
        self._rng = np.random.default_rng()
        """Chooses what is copied."""
        self._version: PolicyVersion | None = None
        self._copies: Mapping[str, deque[_Copy]] = {}
        """By topic of the requests."""
        self._shadows: dict[str, _Shadow] = {}
        """By topic of the requests; the thread's own."""
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def follow(self, version: PolicyVersion) -> None:
        """This version is in force: begin or end its shadow."""
        if version.shadow is None:
            self._version, self._copies = None, {}
            return
        self._copies = {
            topic: deque[_Copy]()
            for topic, task in self._serving.tasks.items()
            if task in version.shadow.tasks
        }
        self._version = version
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)
            self._thread.start()

    def copy(self, records: Sequence[Record]) -> None:
        """Copy a share of a poll; on the thread that serves."""
        version, copies = self._version, self._copies
        if version is None or version.shadow is None or not records:
            return
        at_s = time.time()
        chosen = np.flatnonzero(self._rng.random(len(records)) < version.shadow.share)
        for i in chosen.tolist():
            queue = copies.get(str(records[i].topic()))
            if queue is None:
                continue
            if len(queue) >= MOST_COPIES:
                self._count(self._serving.tasks[str(records[i].topic())], "dropped", 1)
            else:
                queue.append(_Copy(records[i], at_s))

    def close(self) -> None:
        """Answer no more."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(5.0)

    def _run(self) -> None:
        if hasattr(os, "setpriority"):  # of this thread alone, where the kernel is Linux
            try:
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOWEST)
            except OSError as e:
                logger.warning("the shadow has the priority of what serves: %s", e)
        while not self._stopping.wait(_LOOK_S):
            for topic, queue in self._copies.items():
                try:
                    self._drop_old(topic, queue)
                    while queue and self._serving.is_idle and not self._stopping.is_set():
                        self._answer_some(topic, queue)
                except Exception:  # without this the thread would end, and nobody would know
                    logger.exception("the shadow can't answer, trying again")
                    self._shadows.pop(topic, None)

    def _drop_old(self, topic: str, queue: "deque[_Copy]") -> None:
        n, oldest_s = 0, time.time() - MOST_WAIT_S
        while queue and queue[0].at_s < oldest_s:
            queue.popleft()
            n += 1
        if n:
            self._count(self._serving.tasks[topic], "dropped", n)

    def _answer_some(self, topic: str, queue: "deque[_Copy]") -> None:
        task, version = self._serving.tasks[topic], self._version
        policy = None if version is None else shadow_policy(version, task)
        if policy is None:
            queue.clear()
            return
        live, shadow = self._serving.edition(task), self._shadows.get(topic)
        if (
            shadow is None
            or shadow.live.ladder is not live.ladder
            or shadow.pipeline.edition.policy.version != policy.version
        ):
            shadow = self._shadows[topic] = _Shadow(live, shadow_edition(live, policy))
        some = [queue.popleft() for _ in range(min(_BITE, len(queue)))]
        shadow.answer(some, lambda outgoing: self._publish(task, outgoing))

    def _publish(self, task: str, outgoing: Outgoing) -> None:
        if outgoing.topic == dead_letters_topic(task):
            self._count(task, "dead-letter", len(outgoing.values))
            return
        headers = outgoing.headers or [None] * len(outgoing.values)
        for value, key, own in zip(outgoing.values, outgoing.keys, headers, strict=True):
            self._send(task, key or b"", value or b"", own or [])
        self._count(task, "answered", len(outgoing.values))


def shadow_edition(live: Edition, policy: EffectivePolicy) -> Edition:
    """The models of an edition under another policy, with beliefs of its own, which begin as they
    are there."""
    known = dict(zip(live.model_keys, live.plans.models, strict=True))

    def belief(served: ServedModel) -> LatencyBelief:
        return copy.deepcopy(known[served.card.model, served.card.sha256].latency)

    return Edition(live.ladder, policy, belief, schemas=live.schemas, pixels=live.pixels)
