"""What goes wrong when, drawn from a seed. Pure: the same seed gives the same schedule."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """A kind of fault."""

    KILL = "kill"
    """SIGKILL of a worker; its supervisor starts it again."""
    ZOMBIE = "zombie"
    """SIGSTOP of a worker for longer than its session, then SIGCONT."""
    TWIN = "twin"
    """SIGSTOP of a worker, a successor of the same name beside it, then SIGCONT."""
    STALL = "stall"
    """SIGSTOP for less than a session, then SIGCONT."""
    TERM = "term"
    """SIGTERM of a worker; its supervisor starts it again."""
    ADD = "add"
    """One worker more."""
    REMOVE = "remove"
    """SIGTERM of a worker that was added; it stays away."""
    BROKER_KILL = "broker-kill"
    """SIGKILL of the broker, then a start on the same data."""
    BROKER_STOP = "broker-stop"
    """SIGTERM of the broker, then a start on the same data."""
    BROKER_FREEZE = "broker-freeze"
    """SIGSTOP of the broker, often for longer than its own session and a transaction, then
    SIGCONT."""
    CUT = "cut"
    """All connections of a worker are reset, and new ones refused."""
    CUT_ALL = "cut-all"
    """The same, of every worker."""
    FLICKER = "flicker"
    """All connections of a worker are reset several times a second; new ones are accepted."""
    SILENCE = "silence"
    """The connections of a worker stay, but carry nothing."""
    SLOW = "slow"
    """What a worker and the broker tell each other arrives late."""
    REBALANCE = "rebalance"
    """Guests join the group, so that partitions move to them, and leave."""
    CORRUPT = "corrupt"
    """A burst of records that can't be served."""
    CLOCK = "clock"
    """A device's clock jumps: record timestamps in the past or in the future."""


OF_BROKER = frozenset({Kind.BROKER_KILL, Kind.BROKER_STOP, Kind.BROKER_FREEZE})
_WEIGHTS = {
    Kind.KILL: 4,
    Kind.ZOMBIE: 2,
    Kind.TWIN: 2,
    Kind.STALL: 1,
    Kind.TERM: 3,
    Kind.ADD: 1,
    Kind.REMOVE: 1,
    Kind.BROKER_KILL: 1,
    Kind.BROKER_STOP: 1,
    Kind.BROKER_FREEZE: 1,
    Kind.CUT: 2,
    Kind.CUT_ALL: 1,
    Kind.FLICKER: 2,
    Kind.SILENCE: 2,
    Kind.SLOW: 1,
    Kind.REBALANCE: 2,
    Kind.CORRUPT: 2,
    Kind.CLOCK: 1,
}
"""Faults of each kind in a deck; the first deck has one of each."""
_LEAST_GAP_OF_BROKER_S = 15.0
"""Between two broker faults: it takes several seconds to start, and should serve between them."""
_CLOCK_JUMPS_S = (-172_800.0, -3_600.0, -5.0, 5.0, 600.0, 3_000.0)
"""The broker refuses timestamps more than an hour ahead."""


@dataclass(frozen=True)
class Fault:
    """One fault that is due."""

    number: int
    at_s: float
    """From the start of the run."""
    kind: Kind
    worker: int = 0
    """Which of the workers that it can happen to, counted from 0, modulo how many there are."""
    lasts_s: float = 0.0
    amount: float = 0.0
    """Records of a burst, seconds of a clock's jump or of a delay, or guests of a group."""
    resets: bool = False
    """Whether connections that were silent are reset in the end."""

    def as_dict(self) -> dict[str, Any]:
        """For a report."""
        return asdict(self)


def make_schedule(
    seed: int,
    n_faults: int,
    *,
    gap_s: float,
    session_s: float,
    kinds: Sequence[Kind] = tuple(Kind),
) -> list[Fault]:
    """Faults in the order of their time.

    Args:
        seed: of everything drawn.
        n_faults: how many.
        gap_s: mean time from one to the next; they last longer than that at times, so they overlap.
        session_s: after which the group gives up a silent worker.
        kinds: those to draw from.

    Raises:
        ValueError: workers would be added and never removed, or removed without being added.
    """
    if (Kind.ADD in kinds) != (Kind.REMOVE in kinds) or not kinds:
        raise ValueError(f"{Kind.ADD} and {Kind.REMOVE} come together, and there is some kind")
    rng = random.Random(seed)
    deck = _decks(rng, kinds)
    faults: list[Fault] = []
    at_s, broker_due_s = gap_s, 0.0
    put_off: list[Kind] = []
    added = 0
    while len(faults) < n_faults:
        ready = next((k for k in put_off if _may(k, at_s, broker_due_s, added)), None)
        if ready is not None:
            put_off.remove(ready)
        kind = ready or next(deck)
        if not _may(kind, at_s, broker_due_s, added):
            if len(put_off) < 2 * len(kinds):
                put_off.append(kind)
            else:  # nothing else is left to draw: wait for what is put off
                at_s += gap_s
            continue
        faults.append(_fault(rng, len(faults), at_s, kind, session_s))
        added += (kind is Kind.ADD) - (kind is Kind.REMOVE)
        if kind in OF_BROKER:
            broker_due_s = at_s + faults[-1].lasts_s + _LEAST_GAP_OF_BROKER_S
        at_s += rng.uniform(0.1, 1.9) * gap_s
    return faults


def _decks(rng: random.Random, kinds: Sequence[Kind]) -> Iterator[Kind]:
    deck = list(kinds)
    while True:
        rng.shuffle(deck)
        yield from deck
        deck = [kind for kind in kinds for _ in range(_WEIGHTS[kind])]


def _may(kind: Kind, at_s: float, broker_due_s: float, added: int) -> bool:
    if kind in OF_BROKER:
        return at_s >= broker_due_s
    if kind is Kind.ADD:
        return added < 2
    if kind is Kind.REMOVE:
        return added > 0
    return True


def _fault(rng: random.Random, number: int, at_s: float, kind: Kind, session_s: float) -> Fault:
    worker = rng.randrange(60)  # a multiple of every number of workers up to 6
    lasts_s = amount = 0.0
    resets = rng.random() < 0.5
    longer = session_s + rng.uniform(1.0, 3.0)
    shorter = rng.uniform(0.2, 0.7) * session_s
    match kind:
        case Kind.ZOMBIE | Kind.TWIN:
            lasts_s = longer
        case Kind.STALL:
            lasts_s = shorter
        case Kind.CUT | Kind.SILENCE:
            lasts_s = longer if rng.random() < 0.5 else shorter
        case Kind.CUT_ALL | Kind.FLICKER:
            lasts_s = shorter
        case Kind.SLOW:
            lasts_s, amount = rng.uniform(3.0, 6.0), rng.uniform(0.05, 0.3)
        case Kind.REBALANCE:
            lasts_s, amount = rng.uniform(1.0, 3.0), rng.randint(1, 3)
        case Kind.BROKER_KILL | Kind.BROKER_STOP:
            lasts_s = rng.uniform(0.0, 3.0)
        case Kind.BROKER_FREEZE:
            lasts_s = rng.uniform(2.0, 14.0)
        case Kind.CORRUPT:
            amount = rng.randint(20, 200)
        case Kind.CLOCK:
            lasts_s, amount = rng.uniform(1.0, 3.0), rng.choice(_CLOCK_JUMPS_S)
        case _:
            pass
    return Fault(number, round(at_s, 3), kind, worker, round(lasts_s, 3), round(amount, 3), resets)
