"""One frame of `ounce top`."""

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ounce_services.dead_letters.display import one_line
from ounce_services.demo.widgets import bar
from ounce_services.workers.figures import TaskFigures, Worst, task_figures, worst_decisions
from ounce_services.workers.growth import Look
from ounce_services.workers.looking import Looks
from ounce_services.workers.pages import PageError
from ounce_services.workers.status_command import percent
from ounce_services.workers.troubles import Trouble, incidents, troubles

ALARM, GOOD, DIM = "bold red", "green", "dim"
_BAR_WIDTH = 20
_LONG = {"state", "what"}
"""Columns whose texts may need several lines."""
_MOST_MODELS, _MOST_TROUBLES = 6, 8


def render(by_address: Looks) -> RenderableType:
    """A frame of tables, one below the other."""
    looks = [look for look in by_address.values() if isinstance(look, Look)]
    tasks = task_figures(looks)
    parts: list[RenderableType] = [_workers(by_address), _tasks(tasks)]
    parts += [_models(figures) for figures in tasks if figures.models]
    if worst := worst_decisions(looks):
        parts.append(_worst(worst))
    now = [trouble for look in looks for trouble in troubles(look.now)]
    lately = [trouble for look in looks for trouble in incidents(look)]
    parts.append(_troubles(now, lately))
    return Group(*parts)


def _table(title: str, headings: Sequence[str], n_texts: int = 1) -> Table:
    """A table whose first columns are texts, the others figures."""
    table = Table(
        title=Text(title, style="bold"),
        title_justify="left",
        box=None,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for i, heading in enumerate(headings):
        table.add_column(
            heading,
            justify="left" if i < n_texts else "right",
            header_style=DIM,
            no_wrap=heading not in _LONG and " " not in heading,
        )
    return table


def _text(text: str, style: str = "") -> Text:
    """What comes from outside: no markup, one line."""
    return Text(one_line(text), style=style)


def _workers(by_address: Looks) -> Table:
    table = _table("Workers", ("address", "state", "version", "policy"), n_texts=4)
    for address, look in by_address.items():
        if isinstance(look, PageError):
            table.add_row(_text(address), _text(str(look), ALARM), "", "")
            continue
        page = look.now
        is_right = page.ready[0] and page.healthy[0]
        state = page.healthy[1] if not page.healthy[0] else page.ready[1]
        table.add_row(
            _text(address),
            _text(state, GOOD if is_right else ALARM),
            _text(", ".join(page.values("ounce_build_info", "version"))),
            _text(", ".join(page.values("ounce_policy_info", "version"))),
        )
    return table


def _tasks(tasks: Iterable[TaskFigures]) -> Table:
    headings = ("task", "per second", "p50 ms", "p99 ms", "deadlines", "floors", "lag", "waiting")
    table = _table("Tasks", (*headings, "fallbacks", "dead letters"))
    for figures in tasks:
        table.add_row(
            _text(figures.task),
            _number(figures.per_s),
            _number(figures.p50_ms, 1),
            _number(figures.p99_ms, 1),
            _kept(figures.deadlines_kept),
            _kept(figures.floors_kept),
            _number(figures.lag),
            _number(figures.waiting),
            _number(figures.fallbacks),
            Text(f"{figures.dead_letters:,.0f}", style=ALARM if figures.dead_letters else ""),
        )
    return table


def _models(figures: TaskFigures) -> Table:
    table = _table(f"Models of {one_line(figures.task)}", ("model", "", "share"), n_texts=2)
    most_first = sorted(figures.models.items(), key=lambda item: (-item[1], item[0]))
    for model, own in most_first[:_MOST_MODELS]:
        table.add_row(_text(model), Text(bar(own, _BAR_WIDTH), style=GOOD), percent(own))
    return table


def _worst(worst: Iterable[Worst]) -> Table:
    table = _table("Worst decisions", ("task", "model", "late", "under floor", "of answers"), 2)
    for each in worst:
        table.add_row(
            _text(each.task),
            _text(each.model),
            _number(each.deadline_misses),
            _number(each.floor_misses),
            _number(each.answered),
        )
    return table


def _troubles(now: Sequence[Trouble], lately: Sequence[Trouble]) -> Table:
    table = _table("Incidents", ("worker", "task", "what"), n_texts=3)
    if not now and not lately:
        table.add_row(Text("none", style=GOOD), "", "")
    shown = [(t, ALARM) for t in now] + [(t, "") for t in lately]
    for trouble, style in shown[:_MOST_TROUBLES]:
        table.add_row(_text(trouble.worker), _text(trouble.task), _text(trouble.text, style))
    if len(shown) > _MOST_TROUBLES:
        table.add_row("", "", f"and {len(shown) - _MOST_TROUBLES} more: `ounce status`")
    return table


def _number(value: float | None, digits: int = 0) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"


def _kept(kept: float | None) -> Text:
    return Text(percent(kept), style=ALARM if kept is not None and kept < 0.95 else "")
