"""Canaries and shadows: what is on trial, started and ended through the policy's versions."""

from typing import NamedTuple

from ounce_schemas.canary import Canary, Shadow
from ounce_schemas.policy_history import Change, PolicyVersion

from ounce_services.control.errors import NotFoundError, RefusedError
from ounce_services.control.fleet import Topic
from ounce_services.control.policy_book import Applied, PolicyBook
from ounce_services.policies.canary_state import CanaryState, canary_state
from ounce_services.policies.model_trial import sides_of


class Reason(NamedTuple):
    """Who changes something, and why."""

    author: str
    note: str
    base: int
    """The version that it is based on."""


class TrialBook:
    """Reads, starts and ends trials.

    Args:
        topic: where workers read the policy; others of its cluster tell what they saw.
        policies: versions of the policy.
    """

    def __init__(self, topic: Topic, policies: PolicyBook) -> None:
        self._topic = topic
        self._policies = policies

    def version(self) -> PolicyVersion:
        """The version in force, which has a canary or a shadow.

        Raises:
            NotFoundError: nothing is on trial.
        """
        current = self._policies.history().current
        if current is None or not (current.canary or current.shadow):
            raise NotFoundError("nothing is on trial: start a canary or a shadow")
        return current

    def shadowed(self) -> PolicyVersion:
        """The version in force, which has a shadow.

        Raises:
            NotFoundError: it has none.
        """
        version = self.version()
        if version.shadow is None:
            raise NotFoundError(f"{version.name} has no shadow")
        return version

    def seen(self, version: PolicyVersion) -> CanaryState:
        """What workers saw of the canary of a version.

        Raises:
            BrokerError: Kafka does not tell.
        """
        return canary_state(self._topic, version.id)

    def start_canary(self, canary: Canary, model: str | None, reason: Reason) -> Applied:
        """Put a policy, or a model, on trial on a share of the devices.

        Args:
            canary: its document counts where no model is named.
            model: TASK/MODEL.
            reason: of the change.

        Raises:
            NotFoundError: no version is in force.
            RefusedError: the checks find errors.
            StaleError: another version is in force, or a canary is under way.
        """
        others = self._policies.version().document
        if model is not None:
            others, on_trial = sides_of(others, model)
            canary = canary.model_copy(update={"document": on_trial})
        change = Change(others, reason.author, reason.note, canary=canary)
        return self._policies.apply(change, reason.base)

    def start_shadow(self, shadow: Shadow, reason: Reason) -> Applied:
        """Let another policy answer beside; see `start_canary`."""
        document = self._policies.version().document
        change = Change(document, reason.author, reason.note, shadow=shadow)
        return self._policies.apply(change, reason.base)

    def promote(self, reason: Reason, force: bool = False) -> Applied:
        """Put what is on trial in force for all devices.

        Args:
            reason: of the change.
            force: also where it stopped itself.

        Raises:
            NotFoundError: no canary is under way.
            RefusedError: it stopped itself.
            BrokerError: Kafka does not tell whether it did.
        """
        version = self.version()
        if version.canary is None:
            raise NotFoundError(f"{version.name} has no canary")
        stop = None if force else self.seen(version).stop
        if stop is not None:
            raise RefusedError(f"it stopped itself: {stop.reason}; promote it by force, or stop it")
        note = reason.note or f"the canary of {version.name}"
        change = Change(version.canary.document, reason.author, note, promotes=version.number)
        return self._policies.apply(change, reason.base, force=True)

    def stop(self, reason: Reason) -> Applied:
        """End what is on trial: all devices have what the others had."""
        number = self.version().number
        note = reason.note or "without the trial"
        return self._policies.restore(number, reason.author, note, reason.base)
