"""Which worker serves which release, as the workers' events tell."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ounce_schemas.event import EventKind, OperationalEvent, read_events
from ounce_schemas.release import LATEST_MS, SHORT, InService

_KINDS = {
    EventKind.MODEL_REFUSED,
    EventKind.MODELS_CHANGED,
    EventKind.MODELS_REFUSED,
    EventKind.MODEL_WORSE,
}

_RELEASE = re.compile(rf"[0-9a-f]{{{SHORT}}}")

_VERSION = re.compile(rf"version ([0-9a-f]{{{SHORT}}})\b")
"""Of a model, in what is told of it."""


@dataclass
class WorkerModels:
    """The models of one worker and task."""

    worker: str
    task: str
    release: str | None = None
    """First digits of the release that it serves; None: it told of none."""
    asked: str | None = None
    """First digits of the release that it was to serve last."""
    why: str = ""
    """Why it does not serve that one; empty: it does."""
    refused: dict[str, str] = field(default_factory=dict)
    """By model of the release that it serves: why it is not among those that serve."""
    worse: dict[str, str] = field(default_factory=dict)
    """By version of a model: how labels contradict its card, and what withdraws it."""
    told_ms: int = 0
    """When it told anything of this, since 1970."""
    _next: dict[str, str] = field(default_factory=dict)
    """Models refused of the release whose others come next."""

    def take(self, event: OperationalEvent) -> None:
        """Read on in what this worker told of the models of this task."""
        release = event.subject if _RELEASE.fullmatch(event.subject) else None
        match event.kind:
            case EventKind.MODEL_REFUSED:
                self._next[event.subject] = event.text
            case EventKind.MODELS_CHANGED:
                self.release, self.asked, self.why = release, release, ""
                self.refused, self._next = self._next, {}
                self._forget_those_of(event.text)
            case EventKind.MODELS_REFUSED:
                self.asked, self.why, self._next = release, event.text, {}
            case EventKind.MODEL_WORSE:
                if found := _VERSION.search(event.text):
                    self.worse[found[1]] = event.text
        self.told_ms = min(max(event.at_ms, 0), LATEST_MS)  # anybody may write any number

    def _forget_those_of(self, change: str) -> None:
        """What a change names has left, or comes anew."""
        self.worse = {v: text for v, text in self.worse.items() if v not in change}

    def whys(self, now: InService | None) -> Sequence[str]:
        """Why it does not serve what is to serve, or not all of that; empty: it does.

        Args:
            now: what is to serve; None: the worker's own folder.
        """
        wanted = None if now is None else now.release[:SHORT]
        if self.asked != wanted:
            return ()
        return [self.why] if self.why else [*self.refused.values()]


def read_workers(values: Iterable[bytes | None]) -> list[WorkerModels]:
    """From the records of `ounce.events`, in order; by worker and task, of those that told of
    models."""
    found: dict[tuple[str, str], WorkerModels] = {}
    for event in read_events(values, _KINDS):
        key = event.worker, event.task
        found.setdefault(key, WorkerModels(*key)).take(event)
    return [found[key] for key in sorted(found)]
