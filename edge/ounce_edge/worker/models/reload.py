"""Putting other models of a task in service while the worker serves."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from ounce_schemas.errors import ArtifactError, PolicyError

from ounce_edge.models.catalogue import Ladder, NotTriedError, ServedModel, Trial, WhyCpu
from ounce_edge.models.cpu_and_gpu import load_everywhere
from ounce_edge.models.runtimes.base import Runtime
from ounce_edge.pipeline.edition import successor
from ounce_edge.telemetry.events import Events
from ounce_edge.telemetry.models_page import ModelsPage
from ounce_edge.worker.models.beginning import Beginning, Source
from ounce_edge.worker.models.news import ModelNews
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
        page: shows what serves.
    """

    def __init__(
        self,
        serving: Serving,
        runtime: Runtime,
        events: Events,
        watts: Callable[[ServedModel], float | None] = lambda model: None,
        first_trial: Callable[[], AbstractContextManager[Trial | None]] = nullcontext,
        page: ModelsPage | None = None,
    ) -> None:
        self._serving = serving
        self._runtime = runtime
        self._news = ModelNews(events, page or ModelsPage())
        self._watts = watts
        self._first_trial = first_trial
        self.sources: dict[str, Source] = {}
        """By task, where the models come from that serve."""
        self._untried: dict[str, Source] = {}
        """By task, where models come from of which none could be tried."""
        self.taken: Callable[[str, Path, Ladder], None] = lambda task, models, ladder: None
        """Told each time that models are put in service: the task, its folder and the ladder."""
        self.released: Callable[[str, str, bool], None] = lambda task, release, is_whole: None
        """Told each time that a release is put in service: the task, its digest, and whether all
        of its models serve."""

    def begin(self, task: str, beginning: Beginning) -> None:
        """What serves a task at first, and what could not."""
        self.sources[task] = beginning.source
        if beginning.untried is not None:
            self._untried[task] = beginning.untried
        self._news.tell_first(beginning)
        self._tell_taken(task, beginning.source, beginning.ladder)

    def take(self, task: str, models: Path, release: str = "") -> bool:
        """Put in service what a folder holds of a task.

        Args:
            task: its name.
            models: the folder of all tasks.
            release: digest of the release that it holds; empty: it is the worker's own.

        Returns:
            Whether it serves; False where nothing of it can, and what served goes on.
        """
        self._untried.pop(task, None)
        return self._take(task, Source(models, release), is_again=False)

    def refuse(self, task: str, release: str, why: str) -> None:
        """A release can't be had: say so. What was asked for before is wanted by nobody."""
        self._untried.pop(task, None)
        self._news.tell_refused(task, release, why)

    def again(self, task: str) -> None:
        """Load the models of a task anew from where they came, since more of them may run on the
        GPU by now, or be tried; where none does, nothing changes."""
        untried = self._untried.pop(task, None)
        if untried is not None and self._take(task, untried, is_again=False):
            return
        if task in self.sources:
            self._take(task, self.sources[task], is_again=True)

    def may_find_more(self, task: str) -> bool:
        """Whether the same models may be more of them later: the GPU had no room for one or failed
        with it, or one could not be tried."""
        ladder = self._serving.edition(task).ladder
        on_gpu = any(model.why is WhyCpu.FAILED for model in ladder.cpu_only)
        return on_gpu or not ladder.is_tried or task in self._untried

    def _take(self, task: str, source: Source, *, is_again: bool) -> bool:
        before = self._serving.edition(task)
        try:
            with self._first_trial() as trial:
                ladder = load_everywhere(
                    source.folder, task, self._runtime, serving=before.ladder, first_trial=trial
                )
            if ladder.all_refused:
                text = f"{source.folder / task}: {'; '.join(ladder.refused)}"
                raise ArtifactError(text) if ladder.is_tried else NotTriedError(text)
            if is_again and _same(ladder, before.ladder):
                return True
            after = successor(before, ladder, before.policy, watts=self._watts)
            while not self._serving.replace_edition(before, after):
                before = self._serving.edition(task)  # under another policy by now
                after = successor(after, ladder, before.policy, watts=self._watts)
        except (ArtifactError, PolicyError) as e:
            if isinstance(e, NotTriedError):
                self._untried[task] = source
            self._news.tell_refused(task, source.release, f"{e}; what served goes on")
            return False
        self.sources[task] = source
        self._news.tell_taken(before.ladder, ladder, source.release, is_again=is_again)
        self._tell_taken(task, source, ladder)
        unmet = after.unmet_floor()
        if unmet is not None:
            self._news.events.tell(unmet.kind, task, unmet.subject, unmet.text)
        return True

    def _tell_taken(self, task: str, source: Source, ladder: Ladder) -> None:
        self.taken(task, source.folder, ladder)
        if source.release:
            self.released(task, source.release, not ladder.refused)


def _same(one: Ladder, other: Ladder) -> bool:
    return (one.version, one.refused) == (other.version, other.refused)
