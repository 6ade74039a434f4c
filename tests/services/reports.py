"""Reports for tests of what shows them."""

from typing import Any

from ounce_services.devices.report import (
    Accuracy,
    DeadlineReport,
    FloorReport,
    ModelReport,
    TaskReport,
)


def make_task_report(**changes: Any) -> TaskReport:
    """A plausible report with some fields changed."""
    values: dict[str, Any] = {
        "sent": 1000,
        "undelivered": 0,
        "unreadable": 0,
        "answered": 1000,
        "waiting": 0,
        "repeated": 0,
        "dead_letters": {},
        "fallbacks": 30,
        "sent_per_s": 300.0,
        "answered_per_s": 298.0,
        "recent_p50_ms": 6.5,
        "recent_p99_ms": 22.0,
        "p50_ms": 6.1,
        "p99_ms": 31.0,
        "accuracy": Accuracy(1000, 950, 0.951),
        "models": {
            "light": ModelReport(Accuracy(900, 850, 0.945), 0.012),
            "heavy": ModelReport(Accuracy(100, 99, 0.985), 3.4),
        },
        "floors": (
            FloorReport(0.9, Accuracy(800, 710, 0.93), Accuracy()),
            FloorReport(0.97, Accuracy(150, 148, 0.985), Accuracy()),
            FloorReport(0.999, Accuracy(), Accuracy(50, 49, 0.985)),
        ),
        "deadlines": (
            DeadlineReport(1, 20, 0, 0),
            DeadlineReport(50, 400, 396, 398),
            DeadlineReport(500, 580, 580, 580),
        ),
        "spent_ms": 350.0,
        "always_best_ms": 3500.0,
    }
    return TaskReport(**(values | changes))
