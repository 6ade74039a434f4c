"""Putting versions of the policy in force while the worker serves."""

import threading
from collections.abc import Callable, Collection, Sequence

from ounce_schemas.errors import PolicyError
from ounce_schemas.event import EventKind
from ounce_schemas.policy_history import PolicyHistory, PolicyVersion
from ounce_schemas.policy_trial import policy_in_force, shadow_policy
from ounce_schemas.topics import policies_topic

from ounce_edge.telemetry.events import Events
from ounce_edge.telemetry.metrics import Metrics
from ounce_edge.wire.records import Record
from ounce_edge.worker.policies.canary_watch import CanaryWatch
from ounce_edge.worker.policies.kept import KeptPolicy
from ounce_edge.worker.serving.serving import Serving


class PolicyFollowing:
    """Follows `ounce.policies`: tries each new version on the models that serve, then replaces the
    editions of all tasks between two batches. A version that can't be used replaces nothing.

    Args:
        serving: of the worker.
        tasks: names of the tasks.
        events: tells people.
        metrics: show which version is in force, and whether it may be another than the latest.
        kept: keeps the last good one.
        canaries: says whether what a version has on trial may run.
    """

    def __init__(
        self,
        serving: Serving,
        tasks: Collection[str],
        events: Events,
        metrics: Metrics,
        kept: KeptPolicy,
        canaries: CanaryWatch,
    ) -> None:
        self._serving = serving
        self._tasks = tasks
        self._events = events
        self._metrics = metrics
        self._kept = kept
        self._canaries = canaries
        self.in_force: Callable[[PolicyVersion], None] = lambda version: None
        """Called with each version that is in force."""
        self._lock = threading.Lock()
        self._history = PolicyHistory()
        self._tried: PolicyVersion | None = None
        """The latest version that was tried, whether it is in force or refused."""
        self._lacking: Sequence[str] = ()
        """Catalogues of models that it was tried with."""
        self._in_force: str | None = None
        """Name of the version in force; None: the policy that the worker started with."""
        self._is_unreached = self._is_refused = False
        self._on_trial: PolicyVersion | None = None
        """The version in force, where a share of the devices has its canary."""

    def start(self) -> None:
        """As `Follows` says."""
        self._history = PolicyHistory()

    def take(self, record: Record) -> None:
        """As `Follows` says."""
        self._history.take(record.value())

    def caught_up(self) -> None:
        """As `Follows` says: the version that is current now is put in force."""
        with self._lock:
            version = self._history.current
            if version is not None and version != self._tried:
                self._try(version)
            self._note_reached(True)

    def look_again(self) -> None:
        """Try a version that was refused once more, where other models serve by now."""
        with self._lock:
            version = self._tried
            if self._is_refused and version is not None and self._catalogues() != self._lacking:
                self._try(version)
                self._note_reached(not self._is_unreached)

    def _try(self, version: PolicyVersion) -> None:
        self._tried, self._lacking = version, self._catalogues()
        self._is_refused = not self._put_in_force(version)
        if not self._is_refused:
            self._kept.write(version)

    def _catalogues(self) -> Sequence[str]:
        return [self._serving.edition(task).ladder.version for task in self._tasks]

    def tell_trouble(self, why: str | None) -> None:
        """As `Follows` says."""
        with self._lock:
            kind = EventKind.POLICIES_REACHED if why is None else EventKind.POLICIES_UNREACHED
            goes_on = self._in_force or "the policy of the start"
            text = (
                f"{policies_topic()} is read again"
                if why is None
                else f"{policies_topic()} can't be read, {goes_on} goes on: {why}"
            )
            self._note_reached(why is None)
            self._tell(kind, policies_topic(), text)

    def use_kept(self) -> None:
        """The topic could not be read at the start: go on with the last good version, where one is
        kept and none is in force yet."""
        with self._lock:
            if self._in_force is not None:
                return
            self._note_reached(False)
            version = self._kept.read()
            if version is None:
                text = f"{policies_topic()} can't be read and {self._kept.path} holds no policy: "
                text += "the policy of the start is in force"
                self._tell(EventKind.POLICIES_UNREACHED, policies_topic(), text)
                return
            self._put_in_force(version, f", kept in {self._kept.path}, since the topic is not read")

    def _note_reached(self, is_reached: bool) -> None:
        self._is_unreached = not is_reached
        self._metrics.show_policy_stale(self._is_unreached or self._is_refused)

    def _put_in_force(self, version: PolicyVersion, how: str = "") -> bool:
        try:
            self._try_trials(version)
            self._canaries.follow(version)
            self._replace(version)
        except PolicyError as e:
            goes_on = self._in_force or "the policy of the start"
            text = f"policy {version.name} {version.summary()} is refused, {goes_on} goes on: {e}"
            self._tell(EventKind.POLICY_REFUSED, version.name, text)
            return False
        before = self._in_force or "the policy of the start"
        self._in_force = version.name
        self._metrics.show_policy(version.name)
        self.in_force(version)
        text = f"policy {version.name} {version.summary()} is in force{how}; before: {before}"
        self._tell(EventKind.POLICY_CHANGED, version.name, text)
        return True

    def look_at_canary(self) -> None:
        """Begin or end the trial of the version in force, as what is known of it says."""
        with self._lock:
            version = self._tried
            if version is None or version.name != self._in_force or version.canary is None:
                return
            runs, stop = self._canaries.may_run(version), self._canaries.stop_of(version)
            if runs is (self._on_trial is version):
                return
            try:
                self._replace(version)
            except PolicyError as e:
                text = f"the canary of {version.name} does not run: {e}"
                self._tell(EventKind.POLICY_REFUSED, version.name, text)
                return
            if stop is not None:
                text = f"the canary of policy {version.name} is stopped: {stop.reason}"
                self._tell(EventKind.CANARY_STOPPED, version.name, text)

    def _try_trials(self, version: PolicyVersion) -> None:
        """Refuse a version whose canary or shadow can't be used, before it runs.

        Raises:
            PolicyError: naming the reason.
        """
        for task in self._tasks:
            edition, shadow = self._serving.edition(task), shadow_policy(version, task)
            if version.canary is not None:
                edition.under(policy_in_force(version, task, True))
            if shadow is not None:
                edition.under(shadow)

    def _replace(self, version: PolicyVersion) -> None:
        """Put a version in force for all tasks, or for none.

        Raises:
            PolicyError: a task's models can't serve under it.
        """
        runs = self._canaries.may_run(version)
        policies = {task: policy_in_force(version, task, runs) for task in self._tasks}
        before = {task: self._serving.edition(task) for task in self._tasks}
        after = {task: edition.under(policies[task]) for task, edition in before.items()}
        for task in self._tasks:
            while not self._serving.replace_edition(before[task], after[task]):
                before[task] = self._serving.edition(task)  # with other models by now
                after[task] = before[task].under(policies[task])
        if version.canary is not None and runs and self._on_trial is not version:
            text = f"{version.canary.share:.1%} of the devices have the canary of {version.name}"
            self._tell(EventKind.CANARY_STARTED, version.name, text)
        self._on_trial = version if runs else None
        self._canaries.compare(self._on_trial)

    def _tell(self, kind: EventKind, subject: str, text: str) -> None:
        for task in self._tasks:
            self._events.tell(kind, task, subject, text)
