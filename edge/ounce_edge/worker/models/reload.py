"""Putting other models of a task in service while the worker serves."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from ounce_schemas.card import ModelCard
from ounce_schemas.errors import ArtifactError, PolicyError
from ounce_schemas.event import EventKind

from ounce_edge.models.catalogue import Ladder, ServedModel, Trial, WhyCpu
from ounce_edge.models.cpu_and_gpu import load_everywhere
from ounce_edge.models.runtimes.base import Runtime
from ounce_edge.pipeline.edition import successor
from ounce_edge.telemetry.events import Events
from ounce_edge.worker.serving.serving import Serving


class Reload:
    """Loads and tries models beside those that serve, then replaces the edition between two
    batches. For one thread, which is not the one that serves.

    Args:
        serving: of the worker.
        runtime: loads models.
        events: tells people.
        watts: power that a model draws while it runs, where it is measured.
        first_trial: makes, for one change, what tries new models before they are loaded.
    """

    def __init__(
        self,
        serving: Serving,
        runtime: Runtime,
        events: Events,
        watts: Callable[[ServedModel], float | None] = lambda model: None,
        first_trial: Callable[[], AbstractContextManager[Trial | None]] = nullcontext,
    ) -> None:
        self._serving = serving
        self._runtime = runtime
        self._events = events
        self._watts = watts
        self._first_trial = first_trial
        self.folders: dict[str, Path] = {}
        """By task, the folder of all tasks that its models come from."""
        self.taken: Callable[[str, Path, Ladder], None] = lambda task, models, ladder: None
        """Told each time that models are put in service: the task, its folder and the ladder."""

    def take(self, task: str, models: Path) -> bool:
        """Put in service what a folder holds of a task.

        Args:
            task: its name.
            models: the folder of all tasks.

        Returns:
            Whether it serves; False where nothing of it can, and what served goes on.
        """
        return self._take(task, models, is_again=False)

    def again(self, task: str) -> None:
        """Load the models of a task anew from where they came, since more of them may run on the
        GPU by now; where none does, nothing changes."""
        if task in self.folders:
            self._take(task, self.folders[task], is_again=True)

    def has_failed_on_gpu(self, task: str) -> bool:
        """Whether the GPU had no room for a model of a task, or failed with one."""
        cpu_only = self._serving.edition(task).ladder.cpu_only
        return any(model.why is WhyCpu.FAILED for model in cpu_only)

    def _take(self, task: str, models: Path, *, is_again: bool) -> bool:
        before = self._serving.edition(task)
        try:
            with self._first_trial() as trial:
                ladder = load_everywhere(
                    models, task, self._runtime, serving=before.ladder, first_trial=trial
                )
            if is_again and ladder.version == before.ladder.version:
                return True
            self._tell_refused(before.ladder, ladder)
            after = successor(before, ladder, before.policy, watts=self._watts)
            while not self._serving.replace_edition(before, after):
                before = self._serving.edition(task)  # under another policy by now
                after = successor(after, ladder, before.policy, watts=self._watts)
        except (ArtifactError, PolicyError) as e:
            text = f"{e}; what served goes on"
            self._events.tell(EventKind.MODELS_REFUSED, task, "models", text)
            return False
        self.folders[task] = models
        self.taken(task, models, ladder)
        text = _describe(before.ladder, ladder)
        self._events.tell(EventKind.MODELS_CHANGED, task, "models", text)
        unmet = after.unmet_floor()
        if unmet is not None:
            self._events.tell(unmet.kind, task, unmet.subject, unmet.text)
        return True

    def _tell_refused(self, before: Ladder, after: Ladder) -> None:
        for line in after.refused:
            if line not in before.refused:
                name, _, why = line.partition(": ")
                stays = any(m.card.model == name for m in after.models)
                text = f"model {name} is refused: {why}"
                if stays:
                    text += "; the one of that name that served goes on"
                self._events.tell(EventKind.MODEL_REFUSED, after.task.name, name, text)


def _describe(before: Ladder, after: Ladder) -> str:
    """What changes for people who watch the task."""
    if (before.plans, _cards(before)) == (after.plans, _cards(after)):
        return f"catalogue {after.version} goes on: models, cards and plans are those that served"
    was = {m.card.model: m.card.version for m in before.models}
    now = {m.card.model: m.card.version for m in after.models}
    parts = {
        "new": [f"{name} {now[name]}" for name in now.keys() - was.keys()],
        "gone": [f"{name} {was[name]}" for name in was.keys() - now.keys()],
        "replaced": [
            f"{name} {was[name]} by {now[name]}"
            for name in now.keys() & was.keys()
            if now[name] != was[name]
        ],
    }
    told = [f"{what}: {', '.join(sorted(names))}" for what, names in parts.items() if names]
    changes = "; ".join(told) or "the same models, with other cards or plans"
    return f"catalogue {after.version} serves in place of {before.version}; {changes}"


def _cards(ladder: Ladder) -> Sequence[ModelCard]:
    return [m.card for m in ladder.models]
