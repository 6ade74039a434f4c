"""A control plane that is killed on its way to Kafka: `killed.py KAFKA DATABASE before|after`."""

import os
import signal
import sys
from pathlib import Path

from ounce_schemas.policy_history import Change
from ounce_services.control.access.principal import EVERYBODY
from ounce_services.control.carriers import PolicyCarrier
from ounce_services.control.plane import make_plane
from ounce_services.control.settings import ControlSettings
from ounce_services.control.store.outbox import Fate, Record


def main() -> None:
    """Apply a policy, and die before or after Kafka has it; the database does not know either."""
    kafka, state, when = sys.argv[1:]
    plane = make_plane(ControlSettings(kafka=kafka, state=Path(state), models=Path("none")))
    carry = PolicyCarrier.carry

    def carry_and_die(self: PolicyCarrier, record: Record) -> Fate:
        if when == "after":
            carry(self, record)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    PolicyCarrier.carry = carry_and_die  # type: ignore[method-assign]
    base = 0 if when == "before" else 1
    with plane.audit.watch(EVERYBODY, "policy.apply", when):
        plane.policies.apply(Change(f"min_accuracy: 0.{5 + base}", "ann", when), base)


main()
