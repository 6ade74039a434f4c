"""The tables of trials hold what was seen, over all runs."""

from pathlib import Path

from trials.chaos.accounting import Accounting, Finding, Wrong
from trials.chaos.flood import Phase, flood_table, holds
from trials.chaos.flooding import BOUND_MB
from trials.chaos.outcome import Delivery, KindOutcome, Outcome, Plan
from trials.chaos.report import kinds_table, totals_table
from trials.chaos.schedule import Kind


def outcome(seed: int, delivery: Delivery, *wrong: Wrong, recovery_s: float = 1.0) -> Outcome:
    accounts = Accounting(n_inputs=1500, n_corrupt=20)
    accounts.findings = [Finding(what, "id", [], "") for what in wrong]
    kinds = {Kind.KILL: KindOutcome(2, [recovery_s, recovery_s + 1], 9.0)}
    plan = Plan(seed, 2, delivery, Path("models"))
    return Outcome(plan, 3.0, [], accounting=accounts, by_kind=kinds)


def test_totals_are_of_each_guarantee() -> None:
    runs = [
        outcome(1, Delivery.EXACTLY_ONCE),
        outcome(2, Delivery.AT_LEAST_ONCE, Wrong.REPEATED, Wrong.REPEATED),
        outcome(3, Delivery.EXACTLY_ONCE, Wrong.LOST),
    ]
    assert totals_table(runs).rows == [
        ["exactly-once", "1 to 3", 4, "3,000 (40)", 1, 0, 0, 0],
        ["at-least-once", "2", 2, "1,500 (20)", 0, 2, 0, 0],
    ]


def test_recovery_is_told_of_each_kind_that_happened() -> None:
    runs = [outcome(seed, Delivery.EXACTLY_ONCE, recovery_s=seed) for seed in (1, 5)]
    assert kinds_table(runs).rows == [["kill", 4, "5.0", "6.0", "9.0"]]


def test_a_flood_holds_where_all_is_answered_in_bounded_memory() -> None:
    good = Phase("poison", 200, 200, 300.0, 1.0, 2.0)
    short = Phase("at once", 200, 199, 300.0, 1.0, 2.0)
    large = Phase("at once", 200, 200, 140.1 + BOUND_MB, 1.0, 2.0)
    assert holds(140.0, [good])
    assert not holds(140.0, [good, short])
    assert not holds(140.0, [good, large])
    assert flood_table(140.0, [good, short]).rows == [
        ["poison: 200 records", "1.0 s", "2.0 s", "300 MB"],
        ["at once: 200 records", "1.0 s", "199 answered", "300 MB"],
    ]
