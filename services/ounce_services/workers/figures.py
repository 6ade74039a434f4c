"""What some workers do for each task, in figures."""

from collections.abc import Sequence
from dataclasses import dataclass

from ounce_services.workers.growth import Growth, Look

_ANSWERED = ("answered", "fallback")


@dataclass(frozen=True)
class TaskFigures:
    """One task, over all workers that were looked at; shares are in [0, 1], None of nothing."""

    task: str
    answered: float
    per_s: float | None
    """Answers a second; None without a look before."""
    models: dict[str, float]
    """Share of the answers, by model."""
    deadlines_kept: float | None
    floors_kept: float | None
    p50_ms: float | None
    """Record timestamp to encoded prediction."""
    p99_ms: float | None
    dead_letters: float
    fallbacks: float
    lag: float
    """Records not yet read."""
    waiting: float
    """Requests taken and not yet answered."""


@dataclass(frozen=True)
class Worst:
    """Answers of one model that missed a target."""

    task: str
    model: str
    answered: float
    deadline_misses: float
    floor_misses: float

    @property
    def missed(self) -> float:
        """Targets that were missed."""
        return self.deadline_misses + self.floor_misses


def task_figures(looks: Sequence[Look]) -> list[TaskFigures]:
    """Figures of every task that the workers serve, by name."""
    growth, pages = Growth(looks), [look.now for look in looks]
    tasks = sorted({task for page in pages for task in page.values("ounce_catalogue_info", "task")})
    return [_figures(task, growth, looks) for task in tasks]


def worst_decisions(looks: Sequence[Look], most: int = 5) -> list[Worst]:
    """Models that missed targets, those that missed most first."""
    growth = Growth(looks)
    late = growth.by("ounce_deadline_misses_total", "task", "model")
    under = growth.by("ounce_floor_misses_total", "task", "model")
    answered = _answers(growth)
    found = [
        Worst(task, model, n, late.get((task, model), 0.0), under.get((task, model), 0.0))
        for (task, model), n in answered.items()
    ]
    missed = [worst for worst in found if worst.missed]
    return sorted(missed, key=lambda w: (-w.missed, w.task, w.model))[:most]


def _answers(growth: Growth, **match: str) -> dict[tuple[str, ...], float]:
    """Answers by task and model."""
    counts = growth.by("ounce_messages_total", "task", "model", "outcome", **match)
    sums: dict[tuple[str, ...], float] = {}
    for (task, model, outcome), n in counts.items():
        if outcome in _ANSWERED:
            sums[task, model] = sums.get((task, model), 0.0) + n
    return sums


def _figures(task: str, growth: Growth, looks: Sequence[Look]) -> TaskFigures:
    models = {model: n for (_, model), n in _answers(growth, task=task).items()}
    n = sum(models.values())
    name = "ounce_end_to_end_latency_seconds"
    rates = [_rate(look, task) for look in looks]
    return TaskFigures(
        task=task,
        answered=n,
        per_s=sum(r for r in rates if r is not None) if any(r is not None for r in rates) else None,
        models={model: count / n for model, count in models.items() if count},
        deadlines_kept=_kept(n, growth.total("ounce_deadline_misses_total", task=task)),
        floors_kept=_kept(n, growth.total("ounce_floor_misses_total", task=task)),
        p50_ms=_ms(growth.quantile(0.5, name, task=task)),
        p99_ms=_ms(growth.quantile(0.99, name, task=task)),
        dead_letters=growth.total("ounce_dead_letters_total", task=task),
        fallbacks=growth.total("ounce_fallbacks_total", task=task),
        lag=sum(look.now.total("ounce_consumer_lag", task=task) for look in looks),
        waiting=sum(look.now.total("ounce_waiting_requests", task=task) for look in looks),
    )


def _rate(look: Look, task: str) -> float | None:
    """Answers a second of one worker; each was looked at in an interval of its own."""
    if look.before is None or look.now.at_s <= look.before.at_s:
        return None
    n = sum(_answers(Growth([look]), task=task).values())
    return n / (look.now.at_s - look.before.at_s)


def _kept(answered: float, missed: float) -> float | None:
    return max(1.0 - missed / answered, 0.0) if answered else None


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1e3
