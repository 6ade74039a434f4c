"""The page on objectives and alerts, for the docs."""

import re
from collections.abc import Sequence

from ounce_services.monitoring.burning import BURNS
from ounce_services.monitoring.causes import Cause
from ounce_services.monitoring.objectives import Objectives

_VARIABLE = re.compile(r"\{\{ \$(?:labels\.)?(\w+)[^}]*\}\}")


def objectives_page(objectives: Objectives, causes: Sequence[Cause]) -> str:
    """Markdown text."""
    promises = [
        (_anchored(o.alert), o.title, f"{100 * o.target:g}%", ", ".join(o.by), o.description)
        for o in objectives.objectives
    ]
    least = max(o.least for o in objectives.objectives)
    burns = [(f"{b.rate:g}", b.severity, b.short, b.long) for b in BURNS]
    alerts = [
        (_anchored(c.alert), c.severity, c.lasting or "", _VARIABLE.sub(r"*\1*", c.summary))
        for c in causes
    ]
    return "\n".join(
        [
            "# Objectives and alerts",
            "",
            "<!-- Made by `ounce monitoring` from objectives.yaml and causes.yaml. -->",
            "",
            f"An objective's error budget is what it permits to fail within "
            f"{objectives.period_days} days. Each task has its own.",
            "",
            *_table(("Alert", "Objective", "Target", "By", "What counts"), promises),
            "",
            "Such an alert fires while a budget burns so many times too fast, in both windows. The "
            "long window keeps a short breach from waking anybody. The short one ends the alert "
            "soon after its cause.",
            "",
            *_table(("Times", "Severity", "Short window", "Long window"), burns),
            "",
            "Soon after Prometheus' first start, or a task's, windows are mostly empty. What is "
            "missing of them counts as kept. So a short breach tells nobody, and a lasting one is "
            "told as soon as at any other time. Nobody is told of fewer broken promises than "
            f"{least} within the long window, where promises are messages.",
            "",
            "A page means: get up. A ticket means: look in working hours.",
            "",
            "## Alerts on causes",
            "",
            "These tell what breaks an objective soon. [Runbooks](runbooks.md) says what to do.",
            "",
            *_table(("Alert", "Severity", "After", "Says"), alerts),
            "",
            "## Change them",
            "",
            "Objectives are in `services/ounce_services/monitoring/objectives.yaml`. This writes "
            "rules and dashboards for your own:",
            "",
            "```sh",
            "ounce monitoring --objectives mine.yaml --out monitoring --page monitoring/page.md",
            "```",
            "",
            "Its `runbooks` is the address of the runbooks that alerts link to.",
            "",
            "`services/prometheus/prometheus.yml` loads the rules. They expect the jobs "
            "`ounce-worker`, `ounce-gateway` and `ounce-http`. "
            "`services/alertmanager/alertmanager.yml` is an example of who is told what.",
            "",
        ]
    )


def _anchored(alert: str) -> str:
    return f"[{alert}](runbooks.md#{alert.lower()})"


def _table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (heading, ["---"] * len(heading), *rows)]
