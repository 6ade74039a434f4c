"""Alerts on causes, as `causes.yaml` says them, and the series that rules share."""

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter

from ounce_services.monitoring.objectives import Objectives

CAUSES = Path(__file__).with_name("causes.yaml")
RECORDED = {
    "task:ounce_consumer_lag:sum": "sum by (task) (ounce_consumer_lag)",
    "task:ounce_messages:rate5m": "sum by (task) (rate(ounce_messages_total[5m]))",
    "instance:ounce_models_refused:bool": "ounce_models_refused > bool 0",
    # Where Kafka is away no topic is read, and other alerts say so. That time counts as good: after
    # a long one the first moment would be all that there is.
    "instance:ounce_policy_stale:ready": (
        "(ounce_policy_stale unless on (instance) ounce_ready == 0) or 0 * ounce_policy_stale"
    ),
}


class Cause(BaseModel):
    """One alert."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    alert: Annotated[str, StringConstraints(pattern=r"^Ounce[A-Za-z]+$")]
    expr: str
    lasting: str | None = Field(default=None, alias="for")
    """So long its expression has had an answer when it fires."""
    severity: Literal["page", "ticket"]
    summary: str
    description: str


def read_causes() -> tuple[Cause, ...]:
    """All alerts on causes."""
    document = yaml.safe_load(CAUSES.read_text(encoding="utf-8"))
    return TypeAdapter(tuple[Cause, ...]).validate_python(document)


def recording_group() -> dict[str, Any]:
    """The rule group of the series that several rules and dashboards ask for."""
    rules = [{"record": name, "expr": expression} for name, expression in RECORDED.items()]
    return {"name": "ounce-recordings", "rules": rules}


def cause_group(objectives: Objectives) -> dict[str, Any]:
    """The rule group of alerts."""
    return {"name": "ounce-causes", "rules": [_alert(objectives, each) for each in read_causes()]}


def _alert(objectives: Objectives, cause: Cause) -> dict[str, Any]:
    return {
        "alert": cause.alert,
        "expr": cause.expr,
        **({} if cause.lasting is None else {"for": cause.lasting}),
        "labels": {"severity": cause.severity},
        "annotations": {
            "summary": cause.summary,
            "description": cause.description,
            "runbook_url": objectives.runbook(cause.alert),
        },
    }
