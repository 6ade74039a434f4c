"""What people are told of a task's models: which serve, and why others do not."""

from collections.abc import Sequence

from ounce_schemas.card import ModelCard
from ounce_schemas.event import EventKind
from ounce_schemas.explanation import EXPLAINED_MARK
from ounce_schemas.release import SHORT

from ounce_edge.models.catalogue import Ladder
from ounce_edge.telemetry.events import Events
from ounce_edge.telemetry.models_page import ModelsPage
from ounce_edge.worker.models.beginning import Beginning

FOLDER = "models"
"""Subject of events that are of no release."""


class ModelNews:
    """Tells by events, and by a page.

    Args:
        events: tells people.
        page: shows what serves.
    """

    def __init__(self, events: Events, page: ModelsPage) -> None:
        self.events, self._page = events, page
        self._refused: dict[str, tuple[str, str]] = {}
        """By task, what was refused since others were asked for: its release, and why."""

    def tell_first(self, beginning: Beginning) -> None:
        """Models serve at the start."""
        ladder, release = beginning.ladder, beginning.source.release
        self._page.show(ladder, release)
        self._tell_models_refused(ladder)
        if release or ladder.refused:  # else those refused would count to what comes next
            of = f"release {release[:SHORT]}" if release else "the worker's folder"
            text, subject = f"catalogue {ladder.version} serves, of {of}", release[:SHORT] or FOLDER
            self.events.tell(EventKind.MODELS_CHANGED, ladder.task.name, subject, text)
        if beginning.why:
            text = f"{beginning.why}; what served last serves"
            self.tell_refused(ladder.task.name, beginning.asked, text)

    def tell_taken(self, before: Ladder, after: Ladder, release: str, *, is_again: bool) -> None:
        """Models are put in service.

        Args:
            before: what served.
            after: what serves.
            release: digest of the release that it is of; empty: it is of none.
            is_again: whether it is of what served: what else was refused is still asked for.
        """
        self._page.show(after, release)
        self._tell_models_refused(after)
        subject, text = release[:SHORT] or FOLDER, _describe(before, after)
        self.events.tell(EventKind.MODELS_CHANGED, after.task.name, subject, text)
        refused = self._refused.pop(after.task.name, None)
        if is_again and refused is not None and refused[0] != release:
            self.tell_refused(after.task.name, *refused)

    def tell_refused(self, task: str, release: str, why: str) -> None:
        """Nothing of what is asked for serves; what served goes on.

        Args:
            task: its name.
            release: digest of the release; empty: the worker's folder.
            why: in a sentence.
        """
        self._refused[task] = release, why
        self._page.show_refused(task, release, why)
        self.events.tell(EventKind.MODELS_REFUSED, task, release[:SHORT] or FOLDER, why)

    def _tell_models_refused(self, ladder: Ladder) -> None:
        for line in ladder.refused:
            name, _, why = line.partition(": ")
            model = name.removesuffix(EXPLAINED_MARK)
            what = "model" if model == name else "the explanation of model"
            text = f"{what} {model} is refused: {why}"
            if any(m.card.model == name for m in ladder.models):
                text += "; the one of that name that served goes on"
            self.events.tell(EventKind.MODEL_REFUSED, ladder.task.name, name, text)


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
