"""What faults happen to, and that they did."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from trials.chaos.broker import ChaosKafka
from trials.chaos.fleet import ChaosFleet
from trials.chaos.schedule import Fault
from trials.chaos.workers import Supervisor


@dataclass
class Happened:
    """A fault that was made to happen; times on the monotonic clock."""

    fault: Fault
    to: str
    began_s: float
    ended_s: float | None = None


@dataclass(frozen=True)
class Stage:
    """All that faults happen to."""

    broker: ChaosKafka
    broker_thread: ThreadPoolExecutor
    """The one thread on which the broker is started."""
    supervisor: Supervisor
    fleet: ChaosFleet
    group: str
    topic: str
    session_s: float
    assignor: str
    """Of the workers' consumers, and so of guests."""
