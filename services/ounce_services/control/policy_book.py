"""Versions of the policy: read from the database, changed through the outbox."""

import logging
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from ounce_edge.dry_run.cards import card_ladder, ladder_names
from ounce_edge.dry_run.check import Finding, Level, check
from ounce_edge.dry_run.foresight import Foresight
from ounce_edge.dry_run.meeting import Choice, Meeting, Message, choose, meet
from ounce_edge.dry_run.recorded import FolderRecording
from ounce_edge.dry_run.replaying import replay_recorded
from ounce_schemas.documents import parse_policy
from ounce_schemas.errors import ArtifactError, BrokerError, PolicyError
from ounce_schemas.policy import Policy
from ounce_schemas.policy_history import Change, PolicyHistory, PolicyVersion, next_version

from ounce_services.control.carriers import Policies
from ounce_services.control.errors import NotFoundError, RefusedError, StaleError
from ounce_services.control.store.outbox import Kind, Outbox, State, policy_record
from ounce_services.control.store.policy_mirror import PolicyMirror
from ounce_services.policies.topic import record_of

_log = logging.getLogger(__name__)
_SOURCE = "the policy"


class Applied(NamedTuple):
    """What became of a change."""

    version: PolicyVersion
    state: State


class PolicyBook:
    """Reads and changes the policy.

    Args:
        topic: where workers read it.
        mirror: what is here of it.
        outbox: takes changes.
        models: folder of the ladders that policies are checked against.
        decisions: folder of recorded decisions; None: nothing can be replayed.
    """

    def __init__(
        self,
        topic: Policies,
        mirror: PolicyMirror,
        outbox: Outbox,
        models: Path,
        decisions: Path | None = None,
    ) -> None:
        self._topic = topic
        self._mirror = mirror
        self._outbox = outbox
        self._models = models
        self._decisions = decisions

    def follow(self) -> None:
        """Read the topic into the database.

        Raises:
            BrokerError: Kafka does not answer.
        """
        self._mirror.follow(self._topic.history())

    def history(self) -> PolicyHistory:
        """All versions, as last read of Kafka."""
        return self._mirror.history()

    def version(self, number: int | None = None) -> PolicyVersion:
        """A version; without number the one in force.

        Raises:
            NotFoundError: there is none.
        """
        history = self.history()
        found = history.current if number is None else history.versions.get(number)
        if found is None:
            which = "no version of the policy is in force" if number is None else (
                f"there is no version {number} of the policy")  # fmt: skip
            raise NotFoundError(which)
        return found

    def waiting(self) -> list[PolicyVersion]:
        """Changes that Kafka has not taken yet."""
        records = [r for r in self._outbox.waiting() if r.kind is Kind.POLICY]
        return [PolicyVersion.model_validate_json(record.payload) for record in records]

    def check(self, document: str) -> list[Finding]:
        """What is wrong with a policy; what can't be read at all is one finding."""
        try:
            return self._faults(parse_policy(document, _SOURCE))
        except PolicyError as e:
            return [Finding(Level.ERROR, "policy", str(e))]

    def _faults(self, policy: Policy) -> list[Finding]:
        """A ladder that can't be read keeps no policy from coming in force."""
        ladders, unread = {}, []
        for task in self.tasks():
            try:
                ladders[task] = card_ladder(self._models, task)
            except ArtifactError as e:
                text = f"its ladder can't be read, so it was left out of the checks: {e}"
                unread.append(Finding(Level.WARNING, f"task {task}", text))
        return [*check(policy, ladders), *unread]

    def tasks(self) -> list[str]:
        """Names of the tasks that have a ladder here."""
        return ladder_names(self._models)

    def parse(self, document: str) -> Policy:
        """The policy of a document.

        Raises:
            RefusedError: it is none.
        """
        try:
            return parse_policy(document, _SOURCE)
        except PolicyError as e:
            raise RefusedError(str(e)) from e

    def explain(self, policy: Policy, message: Message) -> tuple[Meeting, Choice | None]:
        """Which rule a message meets, and which plan answers it; None: its task has no ladder.

        Raises:
            ArtifactError: the ladder can't be read.
        """
        meeting = meet(policy, message, datetime.now(UTC).timestamp() * 1e3)
        if message.task not in self.tasks():
            return meeting, None
        return meeting, choose(meeting, card_ladder(self._models, message.task))

    def replay(self, document: str, tasks: tuple[str, ...] = ()) -> dict[str, Foresight]:
        """What a policy would have changed for the recorded messages, by task.

        Raises:
            NotFoundError: no decisions are recorded here.
            RefusedError: the policy can't be used.
        """
        if self._decisions is None:
            raise NotFoundError(
                "no decisions are recorded here: `ounce control serve` needs --decisions FOLDER"
            )
        recording = FolderRecording(self._decisions)
        return dict(replay_recorded(self.parse(document), recording, tasks))

    def apply(self, change: Change, base: int, force: bool = False) -> Applied:
        """Put a policy in force.

        Args:
            change: what is to be in force.
            base: the version that it was made from; 0: there was none.
            force: also where the checks find errors.

        Raises:
            StaleError: another version is in force.
            RefusedError: the checks find errors, or it is too large.
        """
        errors = tuple(
            f"{f.where}: {f.text}"
            for document in dict.fromkeys(change.documents)
            for f in self._faults(self.parse(document))
            if f.level is Level.ERROR
        )
        if errors and not force:
            raise RefusedError("the policy has errors; mend them, or force it", errors)
        try:
            self.follow()
        except BrokerError as e:
            _log.warning("Kafka is away, so the change waits: %s", e)
        history = self.history()
        current = history.current
        number = current.number if current is not None else 0
        if base != number:
            if current is None:
                raise StaleError(f'no version is in force, so none is {base}: send If-Match: "0"')
            raise StaleError(f"version {number} is in force {current.made()}, not {base}")
        if current is not None and current.holds(change):
            return Applied(current, State.IN_FORCE)
        try:
            version = next_version(history, change, uuid.uuid4().hex, datetime.now(UTC))
        except PolicyError as e:
            raise RefusedError(str(e)) from e
        return self._send(version)

    def restore(self, number: int, change_author: str, note: str, base: int) -> Applied:
        """Put an earlier version in force again, as a new one.

        Raises:
            NotFoundError: there is none of this number.
            StaleError: another version than `base` is in force.
        """
        document = self.version(number).document
        return self.apply(Change(document, change_author, note, number), base, force=True)

    def _send(self, version: PolicyVersion) -> Applied:
        fate = self._outbox.send(policy_record(version.number, record_of(version)))
        if fate.state is State.REFUSED:
            raise StaleError(fate.reason)
        if fate.state is State.IN_FORCE:
            self.follow()
        return Applied(version, fate.state)
