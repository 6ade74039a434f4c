"""Putting versions of the policy in force while the worker serves."""

import logging
import threading
from collections.abc import Collection, Mapping, Sequence

from ounce_schemas.errors import PolicyError
from ounce_schemas.event import EventKind
from ounce_schemas.policy import Policy
from ounce_schemas.policy_history import PolicyHistory, PolicyVersion
from ounce_schemas.topics import POLICIES_TOPIC

from ounce_edge.pipeline.edition import Edition
from ounce_edge.telemetry.events import Events
from ounce_edge.telemetry.metrics import Metrics
from ounce_edge.wire.records import Record
from ounce_edge.worker.kept_policy import KeptPolicy
from ounce_edge.worker.serving import Serving

logger = logging.getLogger(__name__)


class PolicyFollowing:
    """Follows `ounce.policies`: tries each new version on the models that serve, then replaces the
    editions of all tasks between two batches. A version that can't be used replaces nothing.

    Args:
        serving: of the worker.
        tasks: names of the tasks.
        events: tells people.
        metrics: show which version is in force, and whether it may be another than the latest.
        kept: keeps the last good one.
    """

    def __init__(
        self,
        serving: Serving,
        tasks: Collection[str],
        events: Events,
        metrics: Metrics,
        kept: KeptPolicy,
    ) -> None:
        self._serving = serving
        self._tasks = tasks
        self._events = events
        self._metrics = metrics
        self._kept = kept
        self._lock = threading.Lock()
        self._history = PolicyHistory()
        self._tried: PolicyVersion | None = None
        """The latest version that was tried, whether it is in force or refused."""
        self._in_force: str | None = None
        """Name of the version in force; None: the policy that the worker started with."""
        self._is_unreached = self._is_refused = False

    def start(self) -> None:
        """As `Follows` says."""
        self._history = PolicyHistory()

    def take(self, records: Sequence[Record]) -> None:
        """As `Follows` says."""
        for record in records:
            try:
                self._history.take(record.value())
            except PolicyError as e:
                logger.error("%s at %s: %s", POLICIES_TOPIC, record.offset(), e)

    def caught_up(self) -> None:
        """As `Follows` says: the version that is current now is put in force."""
        with self._lock:
            version = self._history.current
            if version is not None and version != self._tried:
                self._tried = version
                is_taken = self._put_in_force(version)
                self._is_refused = not is_taken
                if is_taken:
                    self._kept.write(version)
            self._note_reached(True)

    def tell_trouble(self, why: str | None) -> None:
        """As `Follows` says."""
        with self._lock:
            kind = EventKind.POLICIES_REACHED if why is None else EventKind.POLICIES_UNREACHED
            goes_on = self._in_force or "the policy of the start"
            text = (
                f"{POLICIES_TOPIC} is read again"
                if why is None
                else f"{POLICIES_TOPIC} can't be read, {goes_on} goes on: {why}"
            )
            self._note_reached(why is None)
            self._tell(kind, POLICIES_TOPIC, text)

    def use_kept(self) -> None:
        """The topic could not be read at the start: go on with the last good version, where one is
        kept and none is in force yet."""
        with self._lock:
            if self._in_force is not None:
                return
            self._note_reached(False)
            version = self._kept.read()
            if version is None:
                text = f"{POLICIES_TOPIC} can't be read and {self._kept.path} holds no policy: "
                text += "the policy of the start is in force"
                self._tell(EventKind.POLICIES_UNREACHED, POLICIES_TOPIC, text)
                return
            self._put_in_force(version, f", kept in {self._kept.path}, since the topic is not read")

    def _note_reached(self, is_reached: bool) -> None:
        self._is_unreached = not is_reached
        self._metrics.show_policy_stale(self._is_unreached or self._is_refused)

    def _put_in_force(self, version: PolicyVersion, how: str = "") -> bool:
        try:
            policy = version.policy()
            self._replace(policy)
        except PolicyError as e:
            goes_on = self._in_force or "the policy of the start"
            text = f"policy {version.name} {version.summary()} is refused, {goes_on} goes on: {e}"
            self._tell(EventKind.POLICY_REFUSED, version.name, text)
            return False
        before = self._in_force or "the policy of the start"
        self._in_force = version.name
        self._metrics.show_policy(version.name)
        text = f"policy {version.name} {version.summary()} is in force{how}; before: {before}"
        self._tell(EventKind.POLICY_CHANGED, version.name, text)
        return True

    def _replace(self, policy: Policy) -> None:
        """Put a policy in force for all tasks, or for none.

        Raises:
            PolicyError: a task's models can't serve under it.
        """
        before = {task: self._serving.edition(task) for task in self._tasks}
        after = self._all_under(before, policy)
        for task in self._tasks:
            while not self._serving.replace_edition(before[task], after[task]):
                before[task] = self._serving.edition(task)  # with other models by now
                after[task] = before[task].under(policy.for_task(task))

    def _all_under(self, before: Mapping[str, Edition], policy: Policy) -> dict[str, Edition]:
        return {task: edition.under(policy.for_task(task)) for task, edition in before.items()}

    def _tell(self, kind: EventKind, subject: str, text: str) -> None:
        for task in self._tasks:
            self._events.tell(kind, task, subject, text)
