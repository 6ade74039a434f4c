"""Alerts on error budgets: several windows and burn rates at once.

Source: Google, The Site Reliability Workbook, chapter 5, "Multiwindow, Multi-Burn-Rate Alerts".
Names of series and labels are those of Sloth, so that dashboards made for it show them.
"""

from typing import Any, NamedTuple

from ounce_services.monitoring.objectives import FASTEST_BURN, Objective, Objectives, seconds_of

SERVICE = "ounce"
Rule = dict[str, Any]


class Burn(NamedTuple):
    """When a budget burns too fast: both windows say so."""

    severity: str
    rate: float
    """Times as fast as would use up the budget in its period."""
    short: str
    """Window that makes the alert end soon after its cause."""
    long: str
    """Window that keeps a short breach from waking anybody."""


BURNS = (
    Burn("page", FASTEST_BURN, "5m", "1h"),
    Burn("page", 6, "30m", "6h"),
    Burn("ticket", 3, "2h", "1d"),
    Burn("ticket", 1, "6h", "3d"),
)
_BROKEN, _PROMISED = "slo:broken:rate", "slo:promised:rate"
WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
"""All of them, ascending."""


def labels_of(objective: Objective) -> dict[str, str]:
    """What tells an objective's series from others'."""
    return {
        "sloth_id": f"{SERVICE}-{objective.name}",
        "sloth_service": SERVICE,
        "sloth_slo": objective.name,
    }


def groups_of(objectives: Objectives, objective: Objective) -> list[dict[str, Any]]:
    """Rule groups of one objective: shares of errors, what follows of them, and alerts."""
    return [
        {
            "name": f"sloth-slo-{what}-{SERVICE}-{objective.name}",
            "rules": rules,
        }
        for what, rules in (
            ("sli-recordings", [*_ratios(objective), _ratio_of_period(objectives, objective)]),
            ("meta-recordings", _about(objectives, objective)),
            ("alerts", [_alert(objectives, objective, each) for each in ("page", "ticket")]),
        )
    ]


def _ratios(objective: Objective) -> list[Rule]:
    """Of each window. There is no share where nothing was promised: NaN would spoil averages."""

    def rule(name: str, window: str, expression: str) -> Rule:
        labels = {**labels_of(objective), "sloth_window": window}
        return {"record": f"{name}{window}", "expr": expression, "labels": labels}

    return [
        each
        for window in WINDOWS
        for broken, promised in [
            (_series(objective, f"{name}{window}") for name in (_BROKEN, _PROMISED))
        ]
        for each in (
            rule(_BROKEN, window, objective.broken(window)),
            rule(_PROMISED, window, objective.promised(window)),
            rule("slo:sli_error:ratio_rate", window, f"{broken} / ({promised} > 0)"),
        )
    ]


def _ratio_of_period(objectives: Objectives, objective: Objective) -> Rule:
    """Of the whole period: an average over time, since a rate over a month costs too much."""
    period = f"{objectives.period_days}d"
    short = _series(objective, "slo:sli_error:ratio_rate5m")
    return {
        "record": f"slo:sli_error:ratio_rate{period}",
        "expr": f"avg_over_time({short}[{period}])",
        "labels": {**labels_of(objective), "sloth_window": period},
    }


def _about(objectives: Objectives, objective: Objective) -> list[Rule]:
    labels = labels_of(objective)
    current = _series(objective, "slo:sli_error:ratio_rate5m")
    period = _series(objective, f"slo:sli_error:ratio_rate{objectives.period_days}d")

    def rule(name: str, expression: str, **more: str) -> Rule:
        return {"record": name, "expr": expression, "labels": {**labels, **more}}

    def over_budget(ratio: str) -> str:
        return f"max without (sloth_window) ({ratio}) / {objective.budget:g}"

    return [
        rule("slo:objective:ratio", f"vector({objective.target:g})"),
        rule("slo:error_budget:ratio", f"vector({objective.budget:g})"),
        rule("slo:time_period:days", f"vector({objectives.period_days})"),
        rule("slo:current_burn_rate:ratio", over_budget(current)),
        rule("slo:period_burn_rate:ratio", over_budget(period)),
        rule("slo:period_error_budget_remaining:ratio", f"1 - {over_budget(period)}"),
        rule("sloth_slo_info", "vector(1)", sloth_objective=f"{100 * objective.target:g}"),
    ]


def _alert(objectives: Objectives, objective: Objective, severity: str) -> Rule:
    burns = [burn for burn in BURNS if burn.severity == severity]
    whose = "".join(f" of {{{{ $labels.{label} }}}}" for label in objective.by)
    windows = " or ".join(f"{burn.rate:g} times over {burn.long}" for burn in burns)
    return {
        "alert": objective.alert,
        "expr": " or ".join(f"({_both(objective, burn)})" for burn in burns),
        "labels": {**labels_of(objective), "severity": severity},
        "annotations": {
            "summary": f"{objective.title}{whose}: the error budget burns too fast",
            "description": (
                f"{{{{ $value | humanizePercentage }}}} break the promise of "
                f"{100 * objective.target:g}%. The budget of {objectives.period_days} days burns "
                f"{windows} too fast."
            ),
            "runbook_url": objectives.runbook(objective.alert),
        },
    }


def _both(objective: Objective, burn: Burn) -> str:
    limit = f"{burn.rate * objective.budget:.6g}"
    short, long = (
        f"max without (sloth_window) "
        f"({_series(objective, f'slo:sli_error:ratio_rate{window}')} > {limit})"
        for window in (burn.short, burn.long)
    )
    if not objective.least:
        return f"{short} and {long}"
    broken = _series(objective, f"{_BROKEN}{burn.long}")
    return (
        f"{short} and {long} and "
        f"max without (sloth_window) ({broken} * {seconds_of(burn.long)} >= {objective.least})"
    )


def _series(objective: Objective, name: str) -> str:
    return f'{name}{{sloth_id="{SERVICE}-{objective.name}"}}'
