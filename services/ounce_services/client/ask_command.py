"""`ounce ask`: send a request, and show the answer and how it came about."""

import json
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import msgspec
from ounce_schemas.cells import as_text
from ounce_schemas.command import make_settings, settings_options
from ounce_schemas.errors import BrokerError
from ounce_schemas.kafka_connection import KafkaConnection
from ounce_schemas.policy import MAX_LATENCY_LIMIT_MS
from ounce_schemas.task import TaskName
from ounce_schemas.wording import counted
from pydantic import BaseModel, Field, model_validator

from ounce_services.client.answer import Answer, RefusedError
from ounce_services.client.client import Client, TooLargeError
from ounce_services.client.request import Targets
from ounce_services.client.rows import read_rows

_NOT_EXPLAINED = {
    "no-model": "none of the models that may answer explains",
    "targets": "none of the models that explain meets the targets",
}
_NOTES = {
    "unknown_text": "a text of the request is none that the models have learned",
    "unseen_missing": "a value is missing in a column that had no gap in training",
}
"""What marks of an answer mean to who asked."""
_MOST_SILENT = 2
"""Rows in a row without an answer; no further one is asked, since each waits as long."""
_ANSWERED = "answered"
_MOST_SHOWN = 10
"""Rows of one answer."""


class AskSettings(KafkaConnection):
    """Options of `ounce ask`."""

    data: str | None = Field(
        default=None, description="The request: JSON or a line of CSV; - reads standard input"
    )
    file: Path | None = Field(
        default=None,
        description="Or a file: .csv with a header, .jsonl, .json; any other is one request",
    )
    kafka: str | None = Field(
        default=None, min_length=1, description="Bootstrap servers, HOST:PORT[,HOST:PORT...]"
    )
    local: bool = Field(
        default=False, description="Ask the models in this process, without Kafka and a worker"
    )
    models: Path = Field(default=Path("models"), description="--local: folder of models")
    policy: Path | None = Field(default=None, description="--local: routing policy")
    max_latency_ms: float | None = Field(
        default=None, gt=0, le=MAX_LATENCY_LIMIT_MS, description="Deadline; default: the policy's"
    )
    min_accuracy: float | None = Field(
        default=None, ge=0, le=1, description="Accuracy floor; default: the policy's"
    )
    explain: bool = Field(
        default=False, description="Also what each input contributed to the answer"
    )
    device: str = Field(default="ounce-ask", description="Who asks: the key of the records")
    timeout_s: float = Field(
        default=10.0, gt=0, le=3600, description="Longest wait for Kafka and for each answer"
    )
    json_lines: bool = Field(default=False, description="One JSON object a line, for scripts")

    @model_validator(mode="after")
    def _one_of_each(self) -> "AskSettings":
        if (self.data is None) == (self.file is None):
            raise ValueError(
                f"give --data or --file{', not both' if self.data is not None else ''}"
            )
        if (self.kafka is None) != self.local:
            both = ", not both" if self.local else ""
            raise ValueError(f"give --kafka HOST:PORT or --local{both}")
        return self


class _Task(BaseModel):
    task: TaskName


@click.command("ask")
@click.argument("task")
@settings_options(AskSettings)
def command(task: str, **options: Any) -> int:
    """Send requests of TASK, wait, and show each answer: what, which model, why, how long.

    \b
    Examples:
      ounce ask occupancy --data '{"Temperature": 21.5, "Light": 426}' --kafka localhost:9092
      ounce ask occupancy --file rows.csv --local

    Exit codes: 0 all answered; 1 a request was refused, too large or not answered; 2 wrong usage.
    """
    name = make_settings(_Task, {"task": task}).task
    settings = make_settings(AskSettings, options)
    rows = read_rows(settings.data, settings.file)
    fates, last = Counter[str](), ""
    for i, found in enumerate(_ask(name, settings, rows), 1):
        fates[_fate(found)] += 1
        if settings.json_lines:
            click.echo(_as_json(found))
        elif len(rows) == 1:
            click.echo(_in_full(found))
        else:
            text = _in_short(found)
            is_again = text == last and not isinstance(found, Answer)
            click.echo(f"{i:>5}  {'the same' if is_again else text}")
            last = text
    n_answered = fates.pop(_ANSWERED, 0)
    if len(rows) > 1 and not settings.json_lines:
        others = "".join(f", {n:,} {fate}" for fate, n in fates.items())
        click.echo(f"{n_answered:,} of {len(rows):,} answered{others}", err=True)
    return 0 if n_answered == len(rows) else 1


def _ask(
    task: str, settings: AskSettings, rows: Sequence[Any]
) -> Iterator[Answer | RefusedError | BrokerError]:
    explanation = True if settings.explain else None
    targets = Targets(settings.max_latency_ms, settings.min_accuracy, explanation)
    if settings.kafka is None:
        from ounce_services.client.local import LocalClient  # loads the edge

        with _errors_alone():
            yield from LocalClient(settings.models, task, settings.policy).ask(rows, targets)
        return
    how = {"device": settings.device, **targets._asdict()}
    with Client(
        settings.kafka, task, timeout_s=settings.timeout_s, security=settings.security
    ) as client:
        n_silent = 0
        for row in rows:
            if n_silent == _MOST_SILENT:
                yield BrokerError(f"not asked: {_MOST_SILENT} before it got no answer")
                continue
            try:
                yield client.ask(row, **how)
                n_silent = 0
            except (RefusedError, TooLargeError) as e:
                yield e
                n_silent = 0
            except BrokerError as e:
                yield e
                n_silent += 1


def _fate(found: Answer | RefusedError | BrokerError) -> str:
    if isinstance(found, Answer):
        return _ANSWERED
    if isinstance(found, RefusedError):
        return "refused"
    return "too large" if isinstance(found, TooLargeError) else "without an answer"


@contextmanager
def _errors_alone() -> Iterator[None]:
    """What a worker notes of its models at its start is not asked here; a refused one is."""
    log = logging.getLogger("ounce_edge")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


def _in_full(found: Answer | RefusedError | BrokerError) -> str:
    if not isinstance(found, Answer):
        return f"refused     {found}" if isinstance(found, RefusedError) else f"unanswered  {found}"
    how = found.prediction.parameters
    lines = {
        "answer": _what(found),
        "model": f"{found.model}, version {found.prediction.model_version}",
        "plan": f"{found.plan}: {found.reason}",
        "accuracy": f"{how.expected_accuracy:.4f} expected, floor {how.min_accuracy:g} "
        f"{'met' if found.floor_met else 'missed: the plan is not sure of it'}",
        "time": f"{found.latency_ms:.1f} ms, deadline {how.max_latency_ms:g} ms "
        f"{'met' if found.deadline_met else 'missed'}",
        "id": found.id,
    }
    if how.rejected:
        lines["rejected"] = how.rejected
    notes = [note for mark, note in _NOTES.items() if getattr(how, mark)]
    if notes:
        lines["note"] = "; ".join(notes)
    lines |= _explained(found)
    return "\n".join(f"{name:<10}  {text}" for name, text in lines.items())


def _explained(found: Answer) -> dict[str, str]:
    """The greatest contributions first, or why there are none."""
    how, explanation = found.prediction.parameters, found.explanation
    if how.not_explained:
        return {"explained": f"not: {_NOT_EXPLAINED.get(how.not_explained, how.not_explained)}"}
    if explanation is None:
        return {}
    ordered = sorted(explanation.contributions.items(), key=lambda each: -abs(each[1]))
    shown = [f"{value:+.4g} {name}" for name, value in ordered[:_MOST_SHOWN]]
    if len(ordered) > _MOST_SHOWN:
        rest = sum(value for _, value in ordered[_MOST_SHOWN:])
        shown.append(f"{rest:+.4g} of {counted(len(ordered) - _MOST_SHOWN, 'other')}")
    score = explanation.base + sum(explanation.contributions.values())
    what = f"{explanation.score} {score:.4g} = {explanation.base:.4g} {' '.join(shown)}"
    return {"explained": f"{what} ({explanation.method})"}


def _in_short(found: Answer | RefusedError | BrokerError) -> str:
    if not isinstance(found, Answer):
        return str(found)
    missed = [
        name
        for name, met in (("deadline", found.deadline_met), ("floor", found.floor_met))
        if not met
    ]
    marks = f"  missed: {', '.join(missed)}" if missed else ""
    return f"{_what(found)}  {found.model}  {found.reason}  {found.latency_ms:.1f} ms{marks}"


def _what(answer: Answer) -> str:
    rows = answer.labels or answer.values
    if len(rows) > 1:
        more = f" and {len(rows) - _MOST_SHOWN} more" if len(rows) > _MOST_SHOWN else ""
        return ", ".join(str(row) for row in rows[:_MOST_SHOWN]) + more
    if answer.label is not None:
        sure = "" if answer.confidence is None else f" ({answer.confidence:.4f} sure)"
        return f"{answer.label}{sure}"
    ends = answer.interval
    low_high = "" if ends is None else f" ({as_text(ends[0])} to {as_text(ends[1])})"
    return f"{as_text(answer.value)}{low_high}"


def _as_json(found: Answer | RefusedError | BrokerError) -> str:
    if isinstance(found, Answer):
        return msgspec.json.encode(found.prediction).decode()
    if isinstance(found, RefusedError):
        return json.dumps({"id": found.id, "reason": found.reason, "text": found.text})
    reason = "too-large" if isinstance(found, TooLargeError) else "no-answer"
    return json.dumps({"reason": reason, "text": str(found)})
