"""Planning a task's folder: `plans.json` from what its models answered to the validation split."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from ounce_edge.models.catalogue import load_ladder
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_schemas.card import LatencyAtBatch, ModelCard
from ounce_schemas.errors import ArtifactError
from ounce_schemas.plans import LadderPlans, PlanProfile
from ounce_schemas.task import TaskSpec

from ounce_exporters.cascades.cost import expected_ms
from ounce_exporters.cascades.evidence import Evidence, gather
from ounce_exporters.cascades.frontier import choose_few, frontier, single_costs
from ounce_exporters.cascades.plan_profiles import Truth, profile_cascade, profile_single
from ounce_exporters.cascades.search import find_cascades, stratified_folds
from ounce_exporters.export.answers import read_answers
from ounce_exporters.export.artifacts import write_plans
from ounce_exporters.export.weighing import most_false_alarms
from ounce_exporters.ladder.recipe import Progress, Split, TaskData


class Reporter(Protocol):
    """Told what happens while plans are made."""

    def planning(self) -> Progress:
        """Planning starts; the result is told the share done."""
        ...

    def left_out(self, line: str) -> None:
        """A model that no plan uses, and why."""
        ...


@dataclass(frozen=True)
class PlannedLadder:
    """What was written, with what its costs follow from."""

    plans: LadderPlans
    latencies: Mapping[str, tuple[LatencyAtBatch, ...]]
    """By model, from its card."""

    def ms_per_item(self, plan: PlanProfile, batch_size: int) -> float:
        """Expected milliseconds per item when `batch_size` items arrive together."""
        latencies = [self.latencies[step.model] for step in plan.steps]
        return float(expected_ms(latencies, [step.reach for step in plan.steps], batch_size))


def plan_ladder(data: TaskData, models: Path, seed: int, reporter: Reporter) -> PlannedLadder:
    """Plan with every model of the task and write `models/<task>/plans.json`, beside it the
    validation split.

    Args:
        data: the task and its splits; only `validation` is used.
        models: the folder of all tasks.
        seed: of the splits and of the folds. A model of another seed may have learned from items
            that validate here, so it is left out.
        reporter: told of progress and of models that are left out.

    Raises:
        ArtifactError: no model is left, or the file can't be written.
    """
    progress = reporter.planning()
    evidence = _gather(data, models, seed, reporter)
    plans = make_plans(data.spec, data.validation, evidence, seed, progress, data.clusters)
    write_plans(models / data.spec.name, plans, data)
    progress(1.0)
    return PlannedLadder(plans, {model.model: model.latency for model in evidence})


def make_plans(
    task: TaskSpec,
    validation: Split,
    evidence: Sequence[Evidence],
    seed: int,
    progress: Progress = lambda share: None,
    clusters: NDArray[np.int64] | None = None,
) -> LadderPlans:
    """All plans of a task: every single model, lightest first, then the cascades that are kept."""
    targets = validation.targets
    singles = sorted(evidence, key=lambda model: single_costs(model)[::-1])
    truth = Truth(task, targets, clusters)
    profiles = [profile_single(model, truth) for model in singles]
    if task.classifies:
        folds = stratified_folds(targets, seed)
        search = find_cascades(singles, folds, progress, _most_alarms(task, targets))
        kept = choose_few(frontier(search.cascades, singles), singles)
        profiles += [profile_cascade(cascade, search.considered, folds, truth) for cascade in kept]
    return LadderPlans(
        task=task.name,
        n_validation=len(validation),
        measure=task.measure,
        plans=tuple(profiles),
    )


def _most_alarms(task: TaskSpec, targets: NDArray[Any]) -> int | None:
    """False alarms that a cascade may have; None: as many as it has."""
    if task.false_alarms is not None:  # on average, as single models keep it
        return int(task.false_alarms * (targets != task.alarm_class).sum())
    rate = task.measure.false_alarms
    if rate is None:
        return None
    return max(most_false_alarms(int((targets != task.measured_class).sum()), rate), 0)


def _gather(data: TaskData, models: Path, seed: int, reporter: Reporter) -> list[Evidence]:
    task, targets = data.spec, data.validation.targets
    ladder = load_ladder(models, data.spec.name, OnnxCpuRuntime(threads=1), with_plans=False)
    for line in ladder.refused:
        reporter.left_out(line)
    found = []
    for served in ladder.models:
        card = served.card
        reason = _mismatch(card, data, seed)
        if reason is None:
            try:
                answers = read_answers(models / task.name / card.model, len(targets))
            except ArtifactError as e:
                reason = str(e)
            else:
                found.append((card, answers))
        if reason is not None:
            reporter.left_out(f"{card.model}: {reason}")
    if not found:
        raise ArtifactError(
            f"task {data.spec.name!r}: no model was made from this data with seed {seed}; "
            "train the whole ladder, without --only"
        )
    level = max(card.validation_accuracy.value for card, _ in found)
    return [gather(task, card, answers, targets, level) for card, answers in found]


def _mismatch(card: ModelCard, data: TaskData, seed: int) -> str | None:
    if card.training.sha256 != data.sha256:
        return "its card says that it was made from other data"
    if card.seed != seed:
        return f"made with seed {card.seed}, not {seed}: it may know the validation items"
    return None
