"""The lightest plan that is as good as the best within the limits. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.advice import Decision, Limits, Plan, Verdict
from ounce_schemas.card import AccuracyEstimate
from ounce_schemas.wording import figure

ALIKE = 0.002
"""Accuracy that nobody would pay for."""
LATENCY_ROOM = 1.2
"""A limit of latency is held against the median of calls times this."""
_QUANTILES = 20
"""Thresholds of confidence that a cascade may have."""
_WORTH_IT = 0.5
"""A cascade has to save this share of what the single model costs: it is two models to look
after."""


@dataclass(frozen=True)
class Caution:
    """Against luck: where few rows judge, the best of many plans looks better than it is."""

    little_more: float = 1.1
    """Times the work that nobody would notice: of so light models the most accurate is taken."""
    to_spare: float = 1.0
    """Standard errors that a cascade has to spare, where accuracy comes first."""


CAUTION = Caution()
"""`benchmarks.advisor.caution` says what each is worth."""

Judge = Callable[[NDArray[np.bool_]], AccuracyEstimate]
"""From which held-out rows are answered acceptably: the measure with its interval."""


@dataclass(frozen=True)
class Candidate:
    """A model that may serve."""

    name: str
    neural: bool
    interpretable: bool
    counted_ns: float
    size_bytes: int
    latency_ms: float
    """Of a call of the limit's batch."""
    right: NDArray[np.bool_]
    """Held-out rows that it answers acceptably; array of shape (n_held_out,). Where models of
    several divisions into folds judge: (n_divisions, n_held_out)."""
    confidence: NDArray[np.float64] | None
    """Of its answers, likewise; None: it has none, and hands nothing over."""
    accuracy: AccuracyEstimate


@dataclass(frozen=True)
class Option:
    """A plan with all that limits are held against."""

    plan: Plan
    members: tuple[Candidate, ...]
    right: NDArray[np.bool_]

    @property
    def latency_ms(self) -> float:
        """Of a call that all members have to answer."""
        return sum(member.latency_ms for member in self.members)

    @property
    def size_bytes(self) -> int:
        """Of all files."""
        return sum(member.size_bytes for member in self.members)

    def is_better_than(self, constant: float) -> bool:
        """Whether it clearly is, of a constant answer of this accuracy."""
        return self.plan.accuracy.low > constant


def decide(
    candidates: Sequence[Candidate],
    limits: Limits,
    constant: float,
    judge: Judge | None,
    caution: Caution = CAUTION,
) -> Decision:
    """Choose a plan.

    Args:
        candidates: models that finished the race.
        limits: what a plan has to keep.
        constant: accuracy of the best constant answer.
        judge: makes a measure of right answers; None: there can be no cascade.
        caution: against luck.
    """
    options = [_alone(candidate) for candidate in candidates]
    may = [option for option in options if not missed_limits(option, limits)]
    if not may:
        nearest = _nearest(options, limits)
        return Decision(
            verdict=Verdict.NEITHER_YET,
            plan=nearest.plan,
            best=max(options, key=lambda o: o.plan.accuracy.value).plan.models[0],
            missed=missed_limits(nearest, limits),
        )
    clear = [option for option in may if option.is_better_than(constant)]
    best = max(clear or may, key=lambda o: (o.plan.accuracy.value, -o.plan.counted_ns))
    # Who limits the time of a call has said what it may take: to be lighter still is worth little.
    doubt = 0.0 if limits.max_latency_ms is not None else 1.0
    margin = max(ALIKE, doubt * _standard_error(best.right))
    alike = [o for o in clear or may if _behind(best, o) <= _margin(best, o, doubt)]
    chosen = _lightest(alike, caution.little_more)
    cascade = None
    if judge is not None:
        found = _cascades(may, chosen, limits, judge)
        spare = 0.0 if doubt else caution.to_spare
        found = [o for o in found if o.is_better_than(constant) or not clear]
        good = (o for o in found if _behind(best, o) <= _margin(best, o, doubt, spare))
        cascade = min(good, key=lambda o: (o.plan.counted_ns, o.plan.models), default=None)
    others = [o for o in may if o is not chosen]
    runner_up = max(others, key=lambda o: (o.plan.accuracy.value, -o.plan.counted_ns), default=None)
    if cascade is not None:
        chosen, runner_up = cascade, chosen
    useless = not chosen.is_better_than(constant)
    return Decision(
        verdict=Verdict.NEITHER_YET if useless else _verdict(chosen),
        plan=chosen.plan,
        runner_up=None if runner_up is None else runner_up.plan,
        best=best.plan.models[0],
        margin=round(margin, 6),
        missed=(_nothing_gained(best, len(may), constant),) if useless else (),
    )


def _nothing_gained(best: Option, n_plans: int, constant: float) -> str:
    a, name = best.plan.accuracy, best.plan.models[0]
    found = name if n_plans == 1 else f"the best of {n_plans} models, {name},"
    return (
        f"nothing is clearly better than a constant answer, which reaches {constant:.4f}: {found} "
        f"reaches {a.value:.4f} ({a.low:.3f} to {a.high:.3f})"
    )


def missed_limits(option: Option, limits: Limits) -> tuple[str, ...]:
    """Limits that a plan does not keep, each with its value and what to loosen."""
    missed = []
    if limits.max_latency_ms is not None and option.latency_ms > limits.max_latency_ms:
        missed.append(
            f"--max-latency-ms {limits.max_latency_ms:g}: a call of {limits.batch} takes more"
        )
    size_mb = option.size_bytes / 1e6
    if limits.max_size_mb is not None and size_mb > limits.max_size_mb:
        missed.append(f"--max-size-mb {limits.max_size_mb:g}: {figure(size_mb)} MB are needed")
    accuracy = option.plan.accuracy.value
    if limits.min_accuracy is not None and accuracy < limits.min_accuracy:
        missed.append(f"--min-accuracy {limits.min_accuracy:g}: {accuracy:.4f} is reached")
    if limits.interpretable and not all(member.interpretable for member in option.members):
        missed.append("--interpretable: a person can't read it")
    return tuple(missed)


def _alone(candidate: Candidate) -> Option:
    plan = Plan(
        models=(candidate.name,), accuracy=candidate.accuracy, counted_ns=candidate.counted_ns
    )
    return Option(plan, (candidate,), candidate.right)


def _lightest(alike: Sequence[Option], little_more: float) -> Option:
    """The lightest; where others do little more work, the most accurate of these."""
    least_ns = min(o.plan.counted_ns for o in alike)
    light = [o for o in alike if o.plan.counted_ns <= little_more * least_ns]
    return max(light, key=lambda o: (o.plan.accuracy.value, -o.plan.counted_ns, o.plan.models))


def _nearest(options: Sequence[Option], limits: Limits) -> Option:
    """Of those that miss the fewest limits, and these by the least, the most accurate. What a clock
    can't tell apart is as near."""
    fewest = min(len(missed_limits(o, limits)) for o in options)
    near = [o for o in options if len(missed_limits(o, limits)) == fewest]
    least = min(_excess(o, limits) for o in near)
    alike = [o for o in near if _excess(o, limits) <= least + np.log(LATENCY_ROOM)]
    return max(alike, key=lambda o: (o.plan.accuracy.value, -o.plan.counted_ns))


def _excess(option: Option, limits: Limits) -> float:
    """How far a plan is from its limits, as the sum of what is too much by their logarithms."""
    excess = 0.0
    if limits.max_latency_ms is not None:
        excess += max(0.0, np.log(option.latency_ms / limits.max_latency_ms))
    if limits.max_size_mb is not None:
        excess += max(0.0, np.log(option.size_bytes / 1e6 / limits.max_size_mb))
    if limits.min_accuracy is not None:
        excess += 10 * max(0.0, limits.min_accuracy - option.plan.accuracy.value)
    return float(excess)


def _standard_error(values: NDArray[np.generic]) -> float:
    of_rows = _of_rows(values)
    return float(np.std(of_rows) / np.sqrt(len(of_rows)))


def _of_rows(values: NDArray[np.generic]) -> NDArray[np.float64]:
    """The mean of each row: one that was judged several times is one."""
    mean: NDArray[np.float64] = np.atleast_2d(values.astype(np.float64)).mean(axis=0)
    return mean


def _behind(best: Option, other: Option) -> float:
    return best.plan.accuracy.value - other.plan.accuracy.value


def _margin(best: Option, other: Option, doubt: float, to_spare: float = 0.0) -> float:
    """So many standard errors of the difference of two plans on the same rows, less those to
    spare."""
    error = _standard_error(best.right.astype(np.float64) - other.right)
    return max(ALIKE, doubt * error) - to_spare * error


def _cascades(may: Sequence[Option], single: Option, limits: Limits, judge: Judge) -> list[Option]:
    """Pairs within the limits that are much cheaper than the single model."""
    found: list[Option] = []
    for light in may:
        first = light.members[0]
        if first.confidence is None:
            continue
        for heavy in may:
            if heavy.plan.counted_ns <= light.plan.counted_ns:
                continue
            thresholds = np.quantile(first.confidence, np.linspace(0, 1, _QUANTILES + 1)[1:-1])
            for threshold in np.unique(thresholds):
                on = first.confidence < threshold
                if not on.any():
                    continue
                right = np.where(on, heavy.right, light.right)
                cost = light.plan.counted_ns + float(on.mean()) * heavy.plan.counted_ns
                if cost > (1 - _WORTH_IT) * single.plan.counted_ns:
                    continue
                plan = Plan(
                    models=(first.name, heavy.members[0].name),
                    accuracy=judge(right),
                    counted_ns=cost,
                    handed_over=float(on.mean()),
                )
                option = Option(plan, (first, heavy.members[0]), right)
                if not missed_limits(option, limits):
                    found.append(option)
    return found


def _verdict(option: Option) -> Verdict:
    if len(option.members) > 1:
        return Verdict.CASCADE
    return Verdict.DEEP if option.members[0].neural else Verdict.CLASSICAL
