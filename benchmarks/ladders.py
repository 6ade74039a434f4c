"""Writes what the cards and plans of trained ladders promise to `benchmarks/results/ladders.json`.

Example: python -m benchmarks.ladders --models models
"""

from collections.abc import Sequence
from pathlib import Path

import click
from ounce_exporters.cascades.planning import PlannedLadder
from ounce_exporters.progress.console import ms_per_item
from ounce_schemas.card import ModelCard
from ounce_schemas.documents import CARD_FILE, PLANS_FILE, read_card, read_plans

from benchmarks import results
from benchmarks.results import PUBLISHED, Cell, Results, Table

TASKS = ("digits", "bearing")


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@results.models_option
def main(models: Path) -> None:
    """Write the file."""
    cards = {task: read_cards(models / task) for task in TASKS}
    tables = {f"ladder-{task}": ladder_table(of_task) for task, of_task in cards.items()}
    for task, of_task in cards.items():
        latencies = {card.model: card.latency.batches for card in of_task}
        planned = PlannedLadder(read_plans(models / task / PLANS_FILE), latencies)
        tables[f"plans-{task}"] = plans_table(planned)
    every = [card for of_task in cards.values() for card in of_task]
    found = Results(
        benchmark="ladders",
        command="make ladders",
        measured_at=f"{max(card.created for card in every):%Y-%m-%d}",
        machine=f"{every[0].latency.machine}, {every[0].latency.runtime}, one thread",
        tables=tables,
    )
    click.echo(f"results in {results.write(found, PUBLISHED)}")


def read_cards(folder: Path) -> list[ModelCard]:
    """The cards of a task's models, lightest first in calls of 32."""
    cards = [read_card(path) for path in folder.glob(f"[!.]*/{CARD_FILE}")]
    return sorted(cards, key=lambda card: ms_per_item(card, 32))


def ladder_table(cards: Sequence[ModelCard]) -> Table:
    """A task's models: accuracy, calibration, cost and size."""
    return Table(
        columns=[
            "model",
            "family",
            "accuracy, validation (lower bound)",
            "accuracy, test",
            "calibration error, before → after",
            "µs an item, alone",
            "µs an item, of 32",
            "kB",
        ],
        rows=[
            [
                card.model,
                card.family,
                f"{card.validation_accuracy.value:.3f} ({card.validation_accuracy.low:.3f})",
                f"{card.test_accuracy.value:.3f}",
                f"{card.calibration.ece_before:.3f} → {card.calibration.ece_after:.3f}",
                f"{ms_per_item(card, 1) * 1e3:.0f}",
                f"{ms_per_item(card, 32) * 1e3:.1f}",
                round(card.size_bytes / 1000),
            ]
            for card in cards
        ],
    )


def plans_table(planned: PlannedLadder) -> Table:
    """The cascades of a task, and the most accurate single model that they are held against."""
    plans = planned.plans.plans
    best = max((p for p in plans if not p.is_cascade), key=lambda p: p.accuracy.value)
    shown = [plan for plan in plans if plan.is_cascade or plan is best]
    rows: list[list[Cell]] = []
    for plan in sorted(shown, key=lambda p: planned.ms_per_item(p, 32)):
        a = plan.accuracy
        bounds = [step.error_bound for step in plan.steps if step.error_bound is not None]
        alone, batched = (planned.ms_per_item(plan, n) for n in (1, 32))
        rows.append(
            [
                f"`{plan.name}`",
                f"{a.value:.3f} ({a.low:.3f} to {a.high:.3f})",
                ", ".join(f"{step.reach:.0%}" for step in plan.steps),
                ", ".join(f"{bound:.1%}" for bound in bounds) or None,
                f"{alone * 1e3:.0f}",
                f"{batched * 1e3:.1f}",
                f"{planned.ms_per_item(best, 32) / batched:.1f}",
            ]
        )
    return Table(
        columns=[
            "plan",
            "accuracy (95% interval)",
            "share that reaches each step",
            "errors among accepted, at most",
            "µs an item, alone",
            "µs an item, of 32",
            "times cheaper than the best model, of 32",
        ],
        rows=rows,
    )


if __name__ == "__main__":
    main()
