"""The printed table of figures by group."""

from collections.abc import Sequence

from ounce_schemas.card import ModelCard
from rich import box
from rich.markup import escape
from rich.table import Table


def groups_table(cards: Sequence[ModelCard]) -> Table | None:
    """Figures by group of the model that is the most accurate on validation data, the worst group
    first; None where there are no groups."""
    best = max(cards, key=lambda card: card.validation_accuracy.value)
    if best.groups is None:
        return None
    table = Table(
        title=f"{best.model} by {best.groups.column}, on validation data",
        box=box.SIMPLE_HEAD,
        padding=(0, 1),
        pad_edge=False,
    )
    table.add_column(best.groups.column)
    binary = any(group.recall or group.false_alarms for group in best.groups.groups)
    for heading in ("items", "accuracy\n(95% interval)"):
        table.add_column(heading, justify="right")
    for heading in ("recall", "false alarms") if binary else ():
        table.add_column(f"{heading} of {escape(best.classes[1].label)}", justify="right")
    for group in sorted(best.groups.groups, key=lambda g: g.accuracy.value):
        shares = [group.accuracy, group.recall, group.false_alarms] if binary else [group.accuracy]
        cells = ["-" if a is None else f"{a.value:.3f} ({a.low:.3f}-{a.high:.3f})" for a in shares]
        table.add_row(escape(group.name), f"{group.accuracy.n:,}", *cells)
    return table
