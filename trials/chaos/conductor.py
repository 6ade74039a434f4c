"""Makes the faults of a schedule happen, and notes when they did."""

import heapq
import itertools
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from trials.chaos.guests import Guests
from trials.chaos.schedule import Fault, Kind
from trials.chaos.stage import Happened, Stage
from trials.chaos.workers import Slot

_TICK_S = 0.02
_PATIENCE_S = 30.0
"""A fault that finds nobody to happen to for so long is given up."""
_FLICKERS_EVERY_S = 0.3
_GHOST_S = 5.0
"""What is left to a process that has been replaced and goes on."""


class Conductor:
    """Runs on one thread: call `run` from the one that starts the workers.

    Args:
        stage: what faults happen to.
        tell: is told what happens.
        look: called often, meanwhile.
    """

    def __init__(
        self, stage: Stage, tell: Callable[[str], None], look: Callable[[], None] = lambda: None
    ) -> None:
        self._stage = stage
        self._tell = tell
        self._look = look
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._broker_job: Future[None] | None = None
        self._guests = Guests(stage)
        self.happened: list[Happened] = []
        self.missed: list[Fault] = []

    def run(self, faults: Sequence[Fault], *, timeout_s: float) -> None:
        """Make all faults happen, and return when they are over.

        Raises:
            RuntimeError: they are not over in time, or the broker did not come back.
        """
        start_s = time.monotonic()
        queue = deque(faults)
        waiting: list[Fault] = []
        while queue or waiting or self._later or self._broker_job is not None:
            now_s = time.monotonic()
            if now_s - start_s > timeout_s:
                raise RuntimeError(f"the faults are not over after {timeout_s:g} s")
            while queue and start_s + queue[0].at_s <= now_s:
                waiting.append(queue.popleft())
            for fault in [*waiting]:
                if self._begin(fault):
                    waiting.remove(fault)
                elif now_s > start_s + fault.at_s + _PATIENCE_S:
                    waiting.remove(fault)
                    self.missed.append(fault)
                    self._tell(f"{fault.kind}: missed, there was nobody that it could happen to")
            self.tick()
            time.sleep(_TICK_S)

    def tick(self) -> None:
        """Do what is due by now."""
        now_s = time.monotonic()
        while self._later and self._later[0][0] <= now_s:
            heapq.heappop(self._later)[2]()
        if self._broker_job is not None and self._broker_job.done():
            job, self._broker_job = self._broker_job, None
            job.result()
        self._stage.supervisor.tend()
        self._look()

    def close(self) -> None:
        """Let guests go."""
        self._guests.close()

    def _begin(self, fault: Fault) -> bool:
        """Whether it could."""
        begin = {
            Kind.KILL: self._kill,
            Kind.TERM: self._term,
            Kind.ZOMBIE: self._stall,
            Kind.STALL: self._stall,
            Kind.TWIN: self._twin,
            Kind.ADD: self._add,
            Kind.REMOVE: self._remove,
            Kind.BROKER_KILL: self._broker,
            Kind.BROKER_STOP: self._broker,
            Kind.BROKER_FREEZE: self._broker,
            Kind.CUT: self._disturb,
            Kind.CUT_ALL: self._disturb,
            Kind.FLICKER: self._disturb,
            Kind.SILENCE: self._disturb,
            Kind.SLOW: self._disturb,
            Kind.REBALANCE: self._invite,
            Kind.CORRUPT: self._corrupt,
            Kind.CLOCK: self._clock,
        }[fault.kind]
        return begin(fault)

    def _kill(self, fault: Fault) -> bool:
        slot = self._worker(fault)
        if slot is None:
            return False
        self._stage.supervisor.kill(slot)
        self._note(fault, slot.name)
        return True

    def _term(self, fault: Fault) -> bool:
        slot = self._worker(fault)
        if slot is None:
            return False
        self._stage.supervisor.term(slot)
        self._note(fault, slot.name)
        return True

    def _stall(self, fault: Fault) -> bool:
        slot = self._worker(fault)
        if slot is None:
            return False
        child = slot.child
        self._stage.supervisor.pause(slot)

        def resume() -> None:
            if slot.child is child:
                self._stage.supervisor.resume(slot)

        self._note(fault, slot.name, fault.lasts_s, resume)
        return True

    def _twin(self, fault: Fault) -> bool:
        slot = self._worker(fault)
        if slot is None:
            return False
        supervisor = self._stage.supervisor
        supervisor.pause(slot)
        ghost = supervisor.replace(slot)

        def resume() -> None:
            if ghost.running:
                supervisor.wake(ghost)
                self._after(_GHOST_S, lambda: supervisor.end_ghost(ghost))

        self._note(fault, slot.name, fault.lasts_s, resume)
        return True

    def _add(self, fault: Fault) -> bool:
        free = [s for s in self._stage.supervisor.slots if not s.wanted and s.child is None]
        if not free:
            return False
        free[0].wanted, free[0].start_due_s = True, 0.0
        self._note(fault, free[0].name)
        return True

    def _remove(self, fault: Fault) -> bool:
        added = [s for s in self._stage.supervisor.slots[3:] if s.wanted and s.serving]
        if not added:
            return False
        slot = added[fault.worker % len(added)]
        slot.wanted = False
        self._stage.supervisor.term(slot)
        self._note(fault, slot.name)
        return True

    def _broker(self, fault: Fault) -> bool:
        if self._broker_job is not None:
            return False
        broker = self._stage.broker
        happened = Happened(fault, "broker", time.monotonic())
        self.happened.append(happened)
        self._tell(f"{fault.kind}: broker away for {fault.lasts_s:.1f} s and its start, if any")
        leave, come_back = {
            Kind.BROKER_KILL: (broker.kill, broker.start),
            Kind.BROKER_STOP: (broker.stop, broker.start),
            Kind.BROKER_FREEZE: (broker.freeze, broker.thaw),
        }[fault.kind]

        def outage() -> None:
            leave()
            time.sleep(fault.lasts_s)
            come_back()
            happened.ended_s = time.monotonic()

        self._broker_job = self._stage.broker_thread.submit(outage)
        return True

    def _disturb(self, fault: Fault) -> bool:
        candidates = [s for s in self._stage.supervisor.slots if s.wanted and not s.disturbed]
        if not candidates:
            return False
        chosen = candidates
        if fault.kind is not Kind.CUT_ALL:
            chosen = [candidates[fault.worker % len(candidates)]]
        for slot in chosen:
            slot.disturbed = True
            if fault.kind is Kind.SILENCE:
                slot.link.silence()
            elif fault.kind is Kind.SLOW:
                slot.link.delay(fault.amount)
            elif fault.kind is Kind.FLICKER:
                self._flicker(slot)
            else:
                slot.link.cut()

        def heal() -> None:
            for slot in chosen:
                if fault.kind is Kind.SILENCE and fault.resets:
                    slot.link.reset()
                slot.link.heal()
                slot.disturbed = False

        self._note(fault, ",".join(slot.name for slot in chosen), fault.lasts_s, heal)
        return True

    def _flicker(self, slot: Slot) -> None:
        if slot.disturbed:
            slot.link.reset()
            self._after(_FLICKERS_EVERY_S, lambda: self._flicker(slot))

    def _invite(self, fault: Fault) -> bool:
        self._guests.invite(int(fault.amount), fault.lasts_s)
        self._note(fault, f"{fault.amount:g} guests", fault.lasts_s, lambda: None)
        return True

    def _corrupt(self, fault: Fault) -> bool:
        self._stage.fleet.send_corrupt(int(fault.amount))
        self._note(fault, f"{fault.amount:g} records")
        return True

    def _clock(self, fault: Fault) -> bool:
        fleet = self._stage.fleet
        fleet.clock_ahead_s = fault.amount

        def set_right() -> None:
            fleet.clock_ahead_s = 0.0

        self._note(fault, f"{fault.amount:+g} s", fault.lasts_s, set_right)
        return True

    def _worker(self, fault: Fault) -> Slot | None:
        """The worker that a fault happens to: one that serves."""
        serving = [slot for slot in self._stage.supervisor.slots if slot.serving and slot.wanted]
        return serving[fault.worker % len(serving)] if serving else None

    def _note(
        self,
        fault: Fault,
        to: str,
        lasts_s: float = 0.0,
        end: Callable[[], None] | None = None,
    ) -> None:
        now_s = time.monotonic()
        happened = Happened(fault, to, now_s, None if end else now_s)
        self.happened.append(happened)
        self._tell(f"{fault.kind}: {to}" + (f" for {lasts_s:.1f} s" if lasts_s else ""))
        if end is None:
            return

        def over() -> None:
            end()
            happened.ended_s = time.monotonic()

        self._after(lasts_s, over)

    def _after(self, wait_s: float, do: Callable[[], None]) -> None:
        heapq.heappush(self._later, (time.monotonic() + wait_s, next(self._order), do))
