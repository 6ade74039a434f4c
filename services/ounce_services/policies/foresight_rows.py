"""What a policy would change, as rows of text."""

from collections.abc import Sequence

from ounce_edge.dry_run.figures import Figures
from ounce_edge.dry_run.foresight import Foresight
from ounce_schemas.wording import counted

Row = tuple[str, str, str, str]
"""Name, before, after, difference."""
HEAD: Row = ("", "as it was", "foreseen", "difference")
_UNITS = {
    "cpu-time": (1.0, "ms"),
    "energy": (1e3, "mJ"),
    "memory": (1e-6, "MB"),
    "price": (1.0, ""),
}


def figure_rows(found: Foresight) -> Sequence[Row]:
    """The figures that a policy is judged by."""
    before, after = found.before, found.after
    rows = [
        _share("deadlines kept", before, after, before.in_time, after.in_time),
        _share("floors kept", before, after, before.floor_kept, after.floor_kept),
        _share("refused", before, after, before.n_refused, after.n_refused),
        _share("expected accuracy, of all", before, after, before.accuracy, after.accuracy),
        _number("compute each, ms", before.each(before.compute_ms), after.each(after.compute_ms)),
    ]
    for objective in sorted(before.cost.keys() & after.cost.keys()):
        factor, unit = _UNITS[objective]
        if objective != "cpu-time":
            was, is_ = (of.each(of.cost[objective]) * factor for of in (before, after))
            rows.append(_number(f"{objective} each, {unit}", was, is_))
    return rows


def plan_rows(found: Foresight) -> Sequence[Row]:
    """Share of all messages that each plan answers, the greatest first."""
    before, after = found.before, found.after
    names = sorted(
        before.plans.keys() | after.plans.keys(),
        key=lambda name: (-max(before.plans[name], after.plans[name]), name),
    )
    return [_share(name, before, after, before.plans[name], after.plans[name]) for name in names]


def summary(task: str, found: Foresight) -> str:
    """One line of what was replayed."""
    versions = ", ".join(f"{name} {n:,}" for name, n in sorted(found.versions.items()))
    share = found.n_changed / found.before.n if found.before.n else 0.0
    return (
        f"{task}: {counted(found.before.n, 'message')} of "
        f"{counted(found.n_decisions, 'decision')} (answered under "
        f"{versions}); another plan for {found.n_changed:,} ({share:.1%})"
    )


def _share(name: str, before: Figures, after: Figures, was: float, is_: float) -> Row:
    a, b = before.share(was), after.share(is_)
    return name, f"{a:.2%}", f"{b:.2%}", f"{(b - a) * 100:+.2f} points"


def _number(name: str, was: float, is_: float) -> Row:
    change = f"{(is_ / was - 1):+.1%}" if was else ""
    return name, f"{was:.4g}", f"{is_:.4g}", change
