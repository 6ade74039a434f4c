"""Policies on trial in one worker: the canary and the shadow of the version in force."""

import asyncio
import logging
from collections.abc import Callable

from ounce_schemas.topics import canaries_topic, shadow_topic

from ounce_edge.broker.compacted import TopicFollower
from ounce_edge.broker.event_producer import EventProducer
from ounce_edge.telemetry.metrics import Metrics
from ounce_edge.wire.records import Headers
from ounce_edge.worker.policies.canary_watch import CanaryWatch
from ounce_edge.worker.policies.following import PolicyFollowing
from ounce_edge.worker.policies.shadowing import Shadowing
from ounce_edge.worker.serving.serving import Serving
from ounce_edge.worker.settings.worker import WorkerSettings

logger = logging.getLogger(__name__)

_JUDGE_S = 1.0
"""From one look at a canary to the next."""


class Trials:
    """Connects what is on trial with Kafka, and looks at it every second.

    Args:
        settings: of the worker.
        serving: what answers.
        metrics: shows how trials go.
        name: of the worker.
    """

    def __init__(
        self, settings: WorkerSettings, serving: Serving, metrics: Metrics, name: str
    ) -> None:
        kafka, security = settings.kafka, settings.security
        self._metrics = metrics
        self._serving = serving
        self._evidence = EventProducer(
            kafka, security, canaries_topic(), "canaries are judged by this worker alone"
        )
        self._answers = {
            task: EventProducer(
                kafka, security, shadow_topic(task), "answers of the shadow are lost"
            )
            for task in settings.task
        }
        self.canaries = CanaryWatch(serving.trial_counts, self._send_evidence, name)
        self._look_again: Callable[[], None] = lambda: None
        self._shadowing = Shadowing(serving, self._send_answer, metrics.count_shadow)
        self._follower = TopicFollower(
            kafka,
            canaries_topic(),
            self.canaries,
            metrics.count_passed_over(canaries_topic()),
            fetch_wait_ms=settings.fetch_wait_ms,
            security=security,
        )

    def follow(self, following: PolicyFollowing) -> None:
        """Begin and end trials as the versions of the policy say."""
        self.canaries.begin_following = self._follower.start
        self.canaries.changed = following.look_at_canary
        self._look_again = following.look_again
        following.in_force = self._shadowing.follow
        self._serving.copy_to = self._shadowing.copy

    async def judge(self) -> None:
        """Look at the canary and at a refused version, again and again."""
        while True:
            await asyncio.sleep(_JUDGE_S)
            try:
                await asyncio.to_thread(self._look_again)
                if self.canaries.is_comparing:
                    await asyncio.to_thread(self.canaries.look)
            except Exception:  # without this no canary would be stopped, and nobody would know
                logger.exception("the policy on trial can't be judged, trying again")
            self._metrics.show_canary(self.canaries.evidence())

    def close(self) -> None:
        """End all trials here, and send what is queued."""
        self._follower.close()
        self._shadowing.close()
        self._evidence.close()
        for answers in self._answers.values():
            answers.close()

    def _send_evidence(self, key: bytes, value: bytes) -> None:
        self._evidence(key, value, [])

    def _send_answer(self, task: str, key: bytes, value: bytes, headers: Headers) -> None:
        self._answers[task](key, value, headers)
