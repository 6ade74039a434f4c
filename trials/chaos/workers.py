"""Worker processes under a supervisor, as an orchestrator would keep them."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.process.child import Child
from tests.support.process.worker import OUNCE
from trials.chaos.proxy import Link

_TERM_PATIENCE_S = 30.0
"""From SIGTERM to the end, as Kubernetes has it. The end is SIGABRT here: then a worker's log shows
what each of its threads was doing."""
_BACK_OFF_S = (0.2, 0.5, 1.0, 2.0, 3.0)
"""Before a start that follows so many exits in a row that nobody asked for."""
_SETTLED_S = 10.0
"""A worker that lived so long did start well."""


def _environment() -> dict[str, str]:
    """For workers that show their threads' stacks: on SIGUSR1, and when SIGABRT ends them."""
    path = os.environ.get("PYTHONPATH")
    stacks = Path(__file__).with_name("stacks")
    return {
        **os.environ,
        "PYTHONFAULTHANDLER": "1",
        "PYTHONPATH": os.pathsep.join([str(stacks), *([path] if path else [])]),
    }


def supported_options() -> str:
    """The help of `ounce worker`, which names what this version can."""
    result = subprocess.run(
        [OUNCE, "worker", "--help"], capture_output=True, text=True, timeout=60, check=True
    )
    return result.stdout


@dataclass(frozen=True)
class Exit:
    """A worker process that ended."""

    worker: str
    at_s: float
    code: int
    asked: str
    """Why, if somebody asked for it: kill, term, forced (SIGTERM was not enough); else empty."""
    last_line: str


@dataclass
class Slot:
    """A place for one worker: its name, its link to the broker and, mostly, a process."""

    name: str
    link: Link
    port: int
    wanted: bool = False
    child: Child | None = None
    paused: bool = False
    disturbed: bool = False
    """Its connections are."""
    asked: str = ""
    asked_at_s: float = 0.0
    started_at_s: float = 0.0
    start_due_s: float = 0.0
    failures: int = 0
    starts: int = 0

    @property
    def running(self) -> bool:
        """Whether its process runs (or is stopped)."""
        return self.child is not None and self.child.running

    @property
    def serving(self) -> bool:
        """Whether it runs and nothing was asked of it."""
        return self.running and not self.paused and not self.asked


@dataclass
class Supervisor:
    """Starts, restarts and stops workers. Call `tend` often, from the thread that lives longest.

    Args:
        slots: places for workers.
        options: of `ounce worker`, given the name of the slot.
        logs: folder for their output.
    """

    slots: Sequence[Slot]
    options: Callable[[str], Sequence[str]]
    logs: Path
    exits: list[Exit] = field(default_factory=list)
    _ghosts: list[tuple[str, Child]] = field(default_factory=list)
    _ended: set[int] = field(default_factory=set)
    """Process ids of ghosts that were killed."""

    def tend(self) -> None:
        """Note who ended, start who is due, and kill who does not leave."""
        now_s = time.monotonic()
        for name, ghost in [*self._ghosts]:
            if not ghost.running:
                self._ghosts.remove((name, ghost))
                self._note(f"{name} (replaced)", ghost, "kill" if ghost.pid in self._ended else "")
        for slot in self.slots:
            if slot.child is not None and not slot.running:
                self._gone(slot, now_s)
            if slot.child is None and slot.wanted and now_s >= slot.start_due_s:
                self._start(slot, now_s)
            if slot.asked == "term" and now_s > slot.asked_at_s + _TERM_PATIENCE_S:
                slot.asked = "forced"
                self._signal(slot, signal.SIGABRT)

    def ask(self) -> None:
        """Make all workers that run log what they are doing."""
        for slot in self.slots:
            if slot.serving and time.monotonic() - slot.started_at_s > 1.0:  # it knows the signal
                self._signal(slot, signal.SIGUSR1)

    def kill(self, slot: Slot) -> None:
        """SIGKILL."""
        slot.asked, slot.asked_at_s = "kill", time.monotonic()
        self._signal(slot, signal.SIGKILL)

    def term(self, slot: Slot) -> None:
        """SIGTERM; SIGABRT if that is not enough."""
        slot.asked, slot.asked_at_s = "term", time.monotonic()
        self._signal(slot, signal.SIGTERM)

    def pause(self, slot: Slot) -> None:
        """SIGSTOP."""
        slot.paused = True
        self._signal(slot, signal.SIGSTOP)

    def resume(self, slot: Slot) -> None:
        """SIGCONT."""
        slot.paused = False
        self._signal(slot, signal.SIGCONT)

    def replace(self, slot: Slot) -> Child:
        """Leave the process of a slot, which is stopped, to itself, and start a successor of the
        same name. The old one is the caller's, to `wake` and to `end_ghost`."""
        assert slot.child is not None
        ghost = slot.child
        self._ghosts.append((slot.name, ghost))
        slot.child, slot.paused = None, False
        self._start(slot, time.monotonic())
        return ghost

    def wake(self, ghost: Child) -> None:
        """SIGCONT to a process that was replaced."""
        os.kill(ghost.pid, signal.SIGCONT)

    def end_ghost(self, ghost: Child) -> None:
        """SIGKILL of a process that was replaced, if it still runs."""
        if ghost.running:
            self._ended.add(ghost.pid)
            ghost.kill()

    def stop_all(self, timeout_s: float) -> None:
        """SIGTERM to all; returns when they have ended, by SIGABRT if they must."""
        for slot in self.slots:
            slot.wanted = False
            if slot.running:
                self.term(slot)
        deadline = time.monotonic() + timeout_s
        while any(slot.running for slot in self.slots) and time.monotonic() < deadline:
            self.tend()
            time.sleep(0.05)
        self.tend()

    def close(self) -> None:
        """SIGKILL to all."""
        for slot in self.slots:
            slot.wanted = False
            if slot.child is not None:
                slot.child.kill()
        for _, ghost in self._ghosts:
            ghost.kill()

    def _start(self, slot: Slot, now_s: float) -> None:
        slot.starts += 1
        slot.asked, slot.paused, slot.started_at_s = "", False, now_s
        slot.child = Child(
            [OUNCE, "worker", f"--kafka=127.0.0.1:{slot.port}", *self.options(slot.name)],
            log=self.logs / f"{slot.name}-{slot.starts:03}.log",
            env=_environment(),
        )

    def _gone(self, slot: Slot, now_s: float) -> None:
        assert slot.child is not None
        if slot.asked or now_s - slot.started_at_s > _SETTLED_S:
            slot.failures = 0
        else:
            slot.failures += 1
        slot.start_due_s = now_s + _BACK_OFF_S[min(slot.failures, len(_BACK_OFF_S) - 1)]
        self._note(slot.name, slot.child, slot.asked)
        slot.child, slot.asked, slot.paused = None, "", False

    def _note(self, name: str, child: Child, asked: str) -> None:
        lines = child.log_tail().splitlines()
        last = f"{child.log.name}: {lines[-1] if lines else ''}"
        self.exits.append(Exit(name, time.monotonic(), child.process.returncode, asked, last))

    @staticmethod
    def _signal(slot: Slot, number: signal.Signals) -> None:
        if slot.child is not None and slot.child.running:
            os.kill(slot.child.pid, number)
