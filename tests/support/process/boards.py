"""Grafana's dashboards as files: panels, and expressions as Prometheus takes them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GRAFANA = Path(__file__).parents[3] / "services" / "grafana"
_VARIABLES = {
    "$tenant": ".+",
    "$task": ".+",
    "$model": ".+",
    "$worker": ".+",
    "$__rate_interval": "1m",
}


@dataclass(frozen=True)
class Target:
    """One expression of a panel."""

    board: str
    panel: str
    legend: str
    expression: str
    """With variables replaced."""

    def __str__(self) -> str:
        return f"{self.board}: {self.panel} {self.expression}"


def board_files() -> list[Path]:
    """All dashboards."""
    return sorted((GRAFANA / "dashboards").rglob("*.json"))


def board(path: Path) -> dict[str, Any]:
    """One dashboard."""
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def filled_in(expression: str) -> str:
    """An expression with values for Grafana's variables."""
    for name, value in _VARIABLES.items():
        expression = expression.replace(name, value)
    return expression


def targets() -> list[Target]:
    """Every expression of every panel."""
    return [
        Target(document["title"], panel["title"], target["legendFormat"], filled_in(target["expr"]))
        for document in map(board, board_files())
        for panel in document["panels"]
        for target in panel["targets"]
    ]
