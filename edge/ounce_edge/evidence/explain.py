"""`ounce explain`: why a message was routed as it was, or would be."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec
import numpy as np
from ounce_schemas.command import make_settings, settings_options
from ounce_schemas.documents import read_policy
from ounce_schemas.errors import OunceError
from ounce_schemas.policy import MAX_LATENCY_LIMIT_MS, Policy
from ounce_schemas.routing import Objective
from ounce_schemas.task import TaskName
from ounce_schemas.wording import counted, figure, table
from pydantic import BaseModel, ConfigDict, Field

from ounce_edge.evidence.decision_entry import DecisionEntry, LogHeader, replay
from ounce_edge.evidence.decision_reader import read_decisions
from ounce_edge.models.catalogue import load_ladder
from ounce_edge.models.first_beliefs import measured_belief
from ounce_edge.models.planning import make_plans
from ounce_edge.models.routes import make_routes
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_edge.recommender.beliefs.view import View
from ounce_edge.recommender.rule.decision import decide
from ounce_edge.recommender.rule.explanation import Assessment, assess
from ounce_edge.recommender.rule.schedule import Schedule

_UNITS = {
    Objective.CPU_TIME: (1.0, "ms"),
    Objective.ENERGY: (1e3, "mJ"),
    Objective.PRICE: (1.0, "price"),
    Objective.MEMORY: (1e-6, "MB"),
}


class ExplainSettings(BaseModel):
    """Options of `ounce explain`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: TaskName = Field(description="Task of the message")
    id: str | None = Field(default=None, description="Id of a message that a worker answered")
    decisions: Path | None = Field(
        default=None, description="Folder that the worker recorded its decisions in"
    )
    replay: bool = Field(
        default=False, description="Make every recorded decision again, and compare"
    )
    max_latency_ms: float | None = Field(
        default=None,
        gt=0,
        le=MAX_LATENCY_LIMIT_MS,
        description="Typed in: time left of the message; default: the policy's",
    )
    min_accuracy: float | None = Field(
        default=None, ge=0, le=1, description="Typed in: its accuracy floor; default: the policy's"
    )
    batch: int = Field(
        default=1, ge=1, le=100_000, description="Typed in: messages like it that wait together"
    )
    models: Path = Field(default=Path("models"), description="Folder that `ounce train` writes")
    policy: Path | None = Field(default=None, description="Routing policy, YAML or JSON")


@click.command("explain")
@settings_options(ExplainSettings)
def command(**options: Any) -> int:
    """Show every plan for one message, and why each lighter one was rejected.

    A message is typed in (its plans are measured on this machine first), or it is one that a worker
    answered which ran with --decisions.

    \b
    Examples:
      ounce explain --task digits --max-latency-ms 20 --min-accuracy 0.95
      ounce explain --task digits --decisions decisions --id reading-17
    """
    settings = make_settings(ExplainSettings, options)
    if settings.replay or settings.id is not None:
        if settings.decisions is None:
            raise click.UsageError("--id and --replay need --decisions FOLDER")
        if settings.replay:
            return _replay_all(settings.decisions, settings.task)
        _explain_recorded(settings.decisions, settings.task, str(settings.id))
        return 0
    _explain_typed(settings)
    return 0


def _explain_typed(settings: ExplainSettings) -> None:
    policy = Policy() if settings.policy is None else read_policy(settings.policy)
    rules = policy.for_task(settings.task)
    latency_ms = settings.max_latency_ms or rules.max_latency_ms
    floor = rules.min_accuracy if settings.min_accuracy is None else settings.min_accuracy
    ladder = load_ladder(settings.models, settings.task, OnnxCpuRuntime())
    plans, _ = make_plans(ladder, rules, measured_belief)
    view = make_routes(ladder, rules, plans).routes[0].view(plans.renew_state(0.0))
    n = settings.batch
    schedule = decide(view, np.full(n, latency_ms), np.full(n, floor), rules.fallback)
    click.echo(
        f"{settings.task}: {counted(n, 'message')} with {latency_ms:g} ms left and accuracy floor "
        f"{floor:g}; policy {rules.version}, plans as measured on this machine just now\n"
    )
    _say_measure(str(ladder.task.measure))
    _show(_Message(0, latency_ms, floor), view, schedule, rules.objective)


@dataclass(frozen=True)
class _Message:
    place: int
    """Its index in the decision."""
    left_ms: float
    floor: float


def _explain_recorded(folder: Path, task: str, id_: str) -> None:
    json_id = msgspec.json.encode(id_)
    found: tuple[LogHeader, DecisionEntry, int] | None = None
    for header, entry in read_decisions(folder, task):
        place = entry.place_of(json_id)
        if place is not None:
            found = header, entry, place
    if found is None:
        raise OunceError(
            f"{folder}: no decision on id {id_!r} of task {task}; the log keeps the latest only"
        )
    header, entry, place = found
    view, schedule = replay(header, entry)
    message = _Message(place, float(entry.remaining()[place]), float(entry.floors()[place]))
    at = datetime.fromtimestamp(entry.at_ms / 1e3, UTC).isoformat(timespec="milliseconds")
    click.echo(
        f"{task}: {id_} at {at}, one of {counted(entry.n_waiting, 'message')} that waited, with "
        f"{figure(message.left_ms)} ms left and accuracy floor {message.floor:g}; "
        f"policy {header.policy_version}, catalogue {header.catalogue_version}\n"
    )
    if entry.overload_lasts:
        click.echo(
            "Late messages had piled up: dear floors were given up, also where there was time."
        )
    _say_measure(header.measure)
    _show(message, view, schedule, header.routes[entry.route].objective)
    if not _same(schedule, entry):
        click.echo("Note: the worker decided otherwise; it was another version of Ounce.")


def _say_measure(measure: str) -> None:
    if measure != "accuracy":
        click.echo(f"Accuracy means {measure} here.\n")


def _show(message: _Message, view: View, schedule: Schedule, objective: Objective) -> None:
    """The plans as a table, and which one answers."""
    wait_ms, n, taken, why = 0.0, 1, None, "refused: no plan meets both targets"
    for group in schedule.groups:
        if message.place in group.items:
            n, taken = len(group.items), view.names[group.plan]
            keeps = view.accuracy_low[group.plan] >= message.floor
            why = str(group.choice if keeps else group.choice.below_floor)
            break
        wait_ms += view.calls[group.plan, len(group.items)].usual_ms
    left_ms = message.left_ms - wait_ms
    if wait_ms:
        click.echo(f"Other plans' messages go first, and take {figure(wait_ms)} ms.")
    factor, unit = _UNITS[objective]
    plans = assess(view, left_ms, message.floor, n)
    taken_at = next((i for i, a in enumerate(plans) if a.plan == taken), 0)
    rows = [("", "plan", f"{unit} each", "p99 ms", "accuracy", "at least", "verdict")]
    rows += [
        (
            "->" if a.plan == taken else "",
            a.plan,
            figure(a.cost * factor, 4),
            figure(a.p99_ms),
            f"{a.accuracy:.4f}",
            f"{a.accuracy_low:.4f}",
            _verdict(a, left_ms, message.floor, taken, lighter=i < taken_at),
        )
        for i, a in enumerate(plans)
    ]
    click.echo(table(rows, right=range(2, 6)))
    click.echo(f"\n{taken or 'dead letter'}: {why}, in one call of {counted(n, 'message')}")


def _verdict(a: Assessment, left_ms: float, floor: float, taken: str | None, lighter: bool) -> str:
    verdict = a.verdict(left_ms, floor)
    if a.plan == taken:
        return "answers" if a.feasible else f"answers, labelled: {verdict}"
    if not a.feasible:
        return verdict
    return "feasible, but a call of its own" if lighter else "feasible, and dearer"


def _replay_all(folder: Path, task: str) -> int:
    n_decisions = n_messages = n_other = 0
    for header, entry in read_decisions(folder, task):
        _, schedule = replay(header, entry)
        n_decisions += 1
        n_messages += len(entry.remaining())
        n_other += not _same(schedule, entry)
    click.echo(
        f"{task}: {counted(n_decisions, 'decision')} on {counted(n_messages, 'message')} made "
        f"again, {n_other:,} differ"
    )
    return 1 if n_other else 0


def _same(schedule: Schedule, entry: DecisionEntry) -> bool:
    made = [(g.plan, g.choice, g.items.tolist()) for g in schedule.groups]
    refused = np.frombuffer(entry.refused, "<i4").tolist()
    return made == entry.schedule_groups() and schedule.refused.tolist() == refused
