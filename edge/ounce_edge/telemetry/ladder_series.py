"""What `/metrics` shows of the models that serve a task: before anything counts, and when others
take their place."""

from collections.abc import Iterator

from ounce_schemas.errors import Reason
from ounce_schemas.event import EventKind
from ounce_schemas.explanation import EXPLAINED_MARK, ExplanationOutcome
from ounce_schemas.label import LabelOutcome

from ounce_edge.models.catalogue import Ladder, WhyCpu
from ounce_edge.models.model_memory import ManagedModel
from ounce_edge.pipeline.snapshot import Snapshot
from ounce_edge.telemetry.instruments import Instruments
from ounce_edge.telemetry.tenant_counts import TenantCounts


class LadderSeries:
    """Series of tasks and their models.

    Args:
        to: the instruments of a worker.
        tenants: its counts by tenant.
    """

    def __init__(self, to: Instruments, tenants: TenantCounts) -> None:
        self._to = to
        self._tenants = tenants

    def describe(self, ladder: Ladder) -> None:
        """Show the models that serve, and every series of theirs."""
        self._to.refused.labels(ladder.task.name).set(ladder.n_refused)
        self._show(ladder)

    def replace(self, gone: Snapshot, before: Ladder, after: Ladder) -> None:
        """Other models serve, or the same under another policy: what is shown of the present goes
        with those that left; counters stay.

        Args:
            gone: what was shown last.
            before: the models that left or stay.
            after: those that serve.
        """
        to, task = self._to, gone.task
        to.catalogue.remove(task, before.version)
        for name, _ in _memory_of(before):
            to.memory.remove(task, name)
        for model in gone.suspended:
            to.suspended.remove(task, model)
        for model in gone.worse:
            to.worse.remove(task, model)
        for plan in gone.plans:
            to.expected_accuracy.remove(task, plan.name)
            to.accuracy_low.remove(task, plan.name)
        if after is before:  # what was refused since is refused under any policy
            self._show(after)
        else:
            self.describe(after)
        to.editions.labels(task).inc()

    def show_whole_refused(self, task: str) -> None:
        """Nothing of a change could be taken; what comes into service says how many are."""
        self._to.refused.labels(task).set(1)

    def show_memory(self, model: ManagedModel) -> None:
        """A model was loaded again, or unloaded."""
        n_bytes = model.size_bytes if model.is_loaded else 0
        self._to.memory.labels(model.task, model.name).set(n_bytes)
        if model.is_loaded:
            self._to.model_loads.labels(model.task).inc()

    def _show(self, ladder: Ladder) -> None:
        to, task = self._to, ladder.task.name
        for why in WhyCpu:
            to.cpu_only.labels(task, why).set(sum(m.why is why for m in ladder.cpu_only))
        to.catalogue.labels(task, ladder.version).set(1)
        for per_task in (
            to.duplicates,
            to.timestamps_off,
            to.unknown_text,
            to.unseen_missing,
            to.always_best,
            to.compute_gpu,
            to.decision,
            to.saved,
            to.escalations,
            to.regret,
            to.cost,
            to.cost_saved,
            to.set_aside,
            to.editions,
            to.model_loads,
        ):
            per_task.labels(task)
        for outcome in LabelOutcome:
            to.labels.labels(task, outcome)
        for explained in ExplanationOutcome:
            to.explanations.labels(task, explained)
        for kind in EventKind:
            to.events.labels(task, kind)
        for reason in Reason:
            to.dead_letters.labels(task, reason)
        self._tenants.describe(task)
        for name, n_bytes in _memory_of(ladder):
            to.memory.labels(task, name).set(n_bytes)
        for served in ladder.models:
            to.messages.labels(task, served.card.model, "answered")
            for per_model in (to.deadline_misses, to.floor_misses, to.compute):
                per_model.labels(task, served.card.model)


def _memory_of(ladder: Ladder) -> Iterator[tuple[str, int]]:
    """Names of models, and of graphs that explain them, with the bytes that they hold."""
    for served in ladder.models:
        yield served.card.model, served.resident_bytes
        if served.explained is not None:
            yield served.card.model + EXPLAINED_MARK, served.explained.resident_bytes
