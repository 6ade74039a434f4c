"""Ladders from Python: train one, read one, add a model of your own, explain a decision.

Example::

    from ounce_exporters.api import add_model, explain, read_ladder, train_table

    ladder = train_table("rooms.csv", "busy", models="models")
    ladder = add_model(my_pipeline, "rooms", models="models")
    print([(card.model, card.test_accuracy.value) for card in ladder.cards])
    print(explain("rooms", max_latency_ms=20, min_accuracy=0.8, models="models").plan)
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ounce_edge.models.catalogue import load_ladder
from ounce_edge.models.first_beliefs import measured_belief
from ounce_edge.models.planning import make_plans
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_edge.recommender.rule.decision import decide
from ounce_edge.recommender.rule.explanation import Assessment, assess
from ounce_schemas.card import ModelCard
from ounce_schemas.documents import (
    PLANS_FILE,
    TASK_FILE,
    read_plans,
    read_policy,
    read_task,
)
from ounce_schemas.plans import PlanProfile
from ounce_schemas.policy import Policy
from ounce_schemas.task import TaskSpec

from ounce_exporters.cascades.planning import plan_ladder
from ounce_exporters.export.artifacts import new_ladder, read_cards
from ounce_exporters.ladder.building import build_ladder
from ounce_exporters.own.joining import from_file, join, model_name
from ounce_exporters.own.ladders import find_ladder
from ounce_exporters.own.splits import Rows
from ounce_exporters.own.wrapping import Foreign, Outputs
from ounce_exporters.progress.reporters import Reporters
from ounce_exporters.report.page import write_report
from ounce_exporters.tasks.table.options import TableOptions

__all__ = [
    "Explanation",
    "Ladder",
    "Outputs",
    "Rows",
    "TableOptions",
    "add_model",
    "explain",
    "read_ladder",
    "train_table",
]

_FOUND_OUT = TableOptions()
_AS_FOUND = Outputs()


@dataclass(frozen=True)
class Ladder:
    """A task's models as they stand in the models folder."""

    folder: Path
    """`models/<task>`."""
    task: TaskSpec
    cards: Sequence[ModelCard]
    """What each model promises, the lightest first (milliseconds of a call of one item)."""
    plans: Sequence[PlanProfile]
    """Single models and cascades."""
    notes: Sequence[str] = field(default=())
    """What was assumed, left out or failed while the ladder was made; one line each."""


@dataclass(frozen=True)
class Explanation:
    """Why a message would be answered by one plan and not by another."""

    plan: str | None
    """The plan that answers; None: the message is refused."""
    reason: str
    """A value of `ounce_schemas.routing.Choice`, or `refused`."""
    plans: Sequence[Assessment]
    """Every plan against the message's targets, the lightest first."""


def train_table(
    path: str | Path,
    target: str | None,
    *,
    task: str | None = None,
    models: str | Path = "models",
    options: TableOptions = _FOUND_OUT,
    seed: int = 0,
) -> Ladder:
    """Train the ladder of a table, as `ounce train --data PATH --target TARGET` does.

    Args:
        path: CSV or other separated text, maybe `.gz`, or Parquet.
        target: column to predict; None to find strange rows without labels (`kind` anomaly).
        task: name of the task; default: the file's name.
        models: folder of all tasks. The task's ladder is replaced whole, or not at all.
        options: what is said of the table.
        seed: fixes splits and training.

    Raises:
        DataError: the table can't be read or learned from.
        ExportError: every model failed.
        ArtifactError: the folder can't be written.
    """
    from ounce_exporters.tasks.table.recipes import recipes
    from ounce_exporters.tasks.table.task import load, task_name
    from ounce_exporters.tasks.table.workload import bound_work

    notes: list[str] = []
    file = Path(path)
    data = load(file, target, task or task_name(file), options, seed, notes.append)
    made = bound_work([recipe for recipe in recipes(data) if recipe.by_default], data)
    with new_ladder(Path(models), data.spec, data.test, keep_models=False) as scratch:
        built = build_ladder(data, made, scratch, seed, Reporters())
        plan_ladder(data, scratch, seed, Reporters())
        write_report(scratch / data.spec.name, data)
    return _read(Path(models), data.spec.name, (*notes, *built.failures))


def read_ladder(task: str, *, models: str | Path = "models") -> Ladder:
    """Read the ladder of a task.

    Args:
        task: its name.
        models: folder of all tasks.

    Raises:
        ArtifactError: there is none, or a document of it can't be read.
    """
    return _read(Path(models), task, ())


def add_model(
    model: Any,
    task: str,
    *,
    models: str | Path = "models",
    name: str | None = None,
    data: Rows | tuple[str | Path, str] | None = None,
    outputs: Outputs = _AS_FOUND,
) -> Ladder:
    """Add a model of your own to a task's ladder, as `ounce add` does.

    It is wrapped to fit the task's signature, calibrated, held against its own answers, and
    measured on the items that judge the ladder. Then all plans are made anew.

    Args:
        model: path of an ONNX file; or a fitted scikit-learn estimator or pipeline, which reads a
            frame with the task's columns or an array of its numbers, also of LightGBM, XGBoost or
            CatBoost; or a trained `torch.nn.Module`
            that answers with logits, array of shape (n_items, n_labels), or with values.
        task: whose ladder it joins.
        models: folder of all tasks. The task's ladder is replaced whole, or not at all.
        name: of the model in the ladder; default: the file's or the class's.
        data: a table and its target column, of rows that no model has seen. It judges the whole
            ladder. Where the task has none yet, the task is made of it. `Rows` also says by which
            column figures are told apart.
        outputs: which output answers, and what its columns are; default: found out.

    Raises:
        DataError: the name is taken, or the table can't be used.
        ExportError: the model does not answer the task.
        ArtifactError: the file is no ONNX file, or the ladder can't be read or written.
    """
    notes: list[str] = []
    rows = data if data is None or isinstance(data, Rows) else Rows(Path(data[0]), data[1])
    foreign = from_file(Path(model)) if isinstance(model, str | Path) else None
    judges = find_ladder(Path(models), task, rows, notes.append)
    if foreign is None:
        foreign = _from_object(model, judges.data.spec)
    join(foreign, name or _name(model), Path(models), judges, outputs, notes.append)
    return _read(Path(models), task, tuple(notes))


def explain(
    task: str,
    *,
    max_latency_ms: float | None = None,
    min_accuracy: float | None = None,
    models: str | Path = "models",
    policy: str | Path | None = None,
) -> Explanation:
    """Which plan answers a message, and why each other one does not, as `ounce explain` shows it.

    Every model is measured on this machine first, which takes about a second each.

    Args:
        task: of the message.
        max_latency_ms: time left; default: the policy's.
        min_accuracy: floor, in [0, 1]; default: the policy's.
        models: folder of all tasks.
        policy: routing policy, YAML or JSON; default: the built-in one.

    Raises:
        ArtifactError: there is no such ladder.
        PolicyError: the policy can't be used.
    """
    rules = (Policy() if policy is None else read_policy(Path(policy))).for_task(task)
    left_ms = rules.max_latency_ms if max_latency_ms is None else max_latency_ms
    floor = rules.min_accuracy if min_accuracy is None else min_accuracy
    plans, _ = make_plans(load_ladder(Path(models), task, OnnxCpuRuntime()), rules, measured_belief)
    view = plans.view(0.0)
    schedule = decide(view, np.array([left_ms]), np.array([floor]), rules.fallback)
    group = schedule.groups[0] if schedule.groups else None
    return Explanation(
        plan=None if group is None else view.names[group.plan],
        reason="refused" if group is None else str(group.choice),
        plans=assess(view, left_ms, floor),
    )


def _read(models: Path, task: str, notes: Sequence[str]) -> Ladder:
    folder = models / task
    return Ladder(
        folder,
        read_task(folder / TASK_FILE),
        sorted(read_cards(folder), key=lambda card: card.latency.batches[0].p50_ms),
        read_plans(folder / PLANS_FILE).plans,
        notes,
    )


def _from_object(model: Any, task: TaskSpec) -> Foreign:
    from sklearn.base import BaseEstimator
    from torch import nn

    from ounce_exporters.own.boosters import is_boosted
    from ounce_exporters.own.native import from_sklearn
    from ounce_exporters.own.torch_modules import from_torch

    if isinstance(model, nn.Module):
        return from_torch(model, task)
    if isinstance(model, BaseEstimator) or is_boosted(model):
        return from_sklearn(model, task)
    raise TypeError(
        f"{type(model).__name__}: give the path of an ONNX file, a scikit-learn estimator or a "
        "torch module"
    )


def _name(model: Any) -> str:
    if isinstance(model, str | Path):
        return model_name(Path(model).name)
    steps = getattr(model, "steps", None)
    return model_name(type(steps[-1][1] if steps else model).__name__)
