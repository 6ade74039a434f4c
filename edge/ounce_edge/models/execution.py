"""Running one plan for one group of requests: step by step, as far as needed and time allows."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ounce_edge.models.catalogue import ServedModel
from ounce_edge.models.halving import Attempt, call_model
from ounce_edge.models.runtimes.base import Inputs
from ounce_edge.recommender.arrays import Items, everything
from ounce_edge.recommender.beliefs.plans import Model, PlanStep


class Call(NamedTuple):
    """One model call."""

    step: int
    """Of the plan."""
    model: int
    n: int
    run_ms: float
    ended_at_s: float
    """On the clock of `run_plan`, seconds."""


@dataclass(frozen=True)
class Failure:
    """Requests that a model did not answer."""

    model: int
    items: Items
    text: str
    is_models_fault: bool
    """False: the model is well and these inputs are what it can't answer."""
    at_s: float
    """On the clock of `run_plan`, seconds."""
    is_crash: bool = False
    """Whether the model took a process down, for each of them alone."""


class Answered(NamedTuple):
    """Requests whose answer came from one step."""

    model: int
    items: Items
    """Indices into the group, ascending; shape (n,)."""
    cut_short: bool
    """The step was not confident, but time for the next one had run out."""
    n_steps: int
    """Steps of the plan that they went through."""


@dataclass
class Outcome:
    """What became of a group."""

    result: NDArray[np.float32]
    """Outputs of shape (n, output size); rows of failed requests mean nothing."""
    explained: NDArray[np.float32] | None = None
    """Where models explain: base and contributions, shape (n, 1 + inputs), likewise. Of a cascade
    whose models explain different inputs it is as wide as the widest of those that ran."""
    answered: list[Answered] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    """Those that the models answered; a step takes several where it finds out on what it fails."""
    put_off: Items = field(default_factory=lambda: np.empty(0, np.intp))
    """Requests to be decided anew: to go on looking for what a model fails on takes too long."""
    escalated: int = 0
    """Requests that went on to a further step, counted once for each."""

    def cost(self, n_steps: int, weights: Sequence[float] | None = None) -> float:
        """Cost per request that went through the first `n_steps` steps.

        Args:
            n_steps: of the plan.
            weights: cost of a millisecond, per model of the task; None: it is in milliseconds.
        """
        n_items = self.n_of_steps()
        return sum(
            [
                call.run_ms / n_items[call.step] * (1.0 if weights is None else weights[call.model])
                for call in self.calls
                if call.step < n_steps
            ]
        )

    def n_of_steps(self) -> list[int]:
        """Requests that each step was called for, of those steps that answered any."""
        if not self.calls:
            return []
        n_items = [0] * (self.calls[-1].step + 1)
        for call in self.calls:
            n_items[call.step] += call.n
        return n_items

    def only(self, kept: NDArray[np.bool_]) -> "Outcome":
        """What became of some requests; `kept` says which, shape (n,)."""
        if kept.all():
            return self
        answered = [a._replace(items=a.items[kept[a.items]]) for a in self.answered]
        failures = [replace(f, items=f.items[kept[f.items]]) for f in self.failures]
        return replace(
            self,
            answered=[a for a in answered if len(a.items)],
            failures=[f for f in failures if len(f.items)],
            put_off=self.put_off[kept[self.put_off]],
        )


def run_plan(
    steps: Sequence[PlanStep],
    served: Sequence[ServedModel],
    models: Sequence[Model],
    inputs: Inputs,
    left_ms: NDArray[np.float64] | None,
    clock: Callable[[], float] | None = None,
) -> Outcome:
    """Run a plan for a group.

    Args:
        steps: of the plan.
        served: the task's models.
        models: what is believed of them, in the same order.
        inputs: arrays by name, first axis the items; shape (n, ...).
        left_ms: time left per request at the start, milliseconds, shape (n,); a step is begun only
            for requests that it will probably answer in time. None: they wait for the last step.
        clock: seconds on any steady clock; None: `time.perf_counter`.
    """
    clock = clock or time.perf_counter
    n = len(next(iter(inputs.values())))
    items = everything(n)
    outcome: Outcome | None = None
    start_s = clock()
    for k, step in enumerate(steps):
        some = inputs if len(items) == n else {name: a[items] for name, a in inputs.items()}
        attempt = call_model(served[step.model], some, clock)
        size = served[step.model].card.output.size
        result, explained = attempt.result, None
        if result.shape[1] > size:  # the model also says how it came to its answers
            result, explained = result[:, :size], result[:, size:]
        if outcome is None:
            outcome = Outcome(result, explained)
        elif attempt.calls:
            outcome.result[items] = result
            if explained is not None and outcome.explained is not None:
                outcome.explained = _as_wide(outcome.explained, explained.shape[1])
                outcome.explained[items, : explained.shape[1]] = explained
        outcome.calls += [Call(k, step.model, *call) for call in attempt.calls]
        if len(attempt.answered) < len(items):
            _leave_out(outcome, step.model, items, attempt, clock())
            items, result = items[attempt.answered], result[attempt.answered]
            if not len(items):
                return outcome
        if step.threshold is None:
            _answer(outcome, step.model, items, False, k + 1)
            return outcome
        sure = result.max(axis=1) >= step.threshold
        _answer(outcome, step.model, items[sure], False, k + 1)
        items = items[~sure]
        if left_ms is not None and len(items):
            ahead = steps[k + 1]
            left = left_ms[items] - (clock() - start_s) * 1e3
            in_time = _in_time(left, models[ahead.model])
            _answer(outcome, step.model, items[~in_time], True, k + 1)
            items = items[in_time]
        outcome.escalated += len(items)
        if not len(items):
            return outcome
    raise AssertionError("a plan's last step has no threshold")


def _as_wide(explained: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    return np.pad(explained, ((0, 0), (0, max(width - explained.shape[1], 0))))


def _answer(outcome: Outcome, model: int, items: Items, cut_short: bool, n_steps: int) -> None:
    if len(items):
        outcome.answered.append(Answered(model, items, cut_short, n_steps))


def _leave_out(outcome: Outcome, model: int, items: Items, attempt: Attempt, at_s: float) -> None:
    """Take note of what a step did not answer; `items` are those that it was called for."""
    if len(attempt.failed):
        failed = items[attempt.failed]
        failure = Failure(
            model, failed, attempt.text, attempt.is_models_fault, at_s, attempt.is_crash
        )
        outcome.failures.append(failure)
    outcome.put_off = np.concatenate([outcome.put_off, items[attempt.put_off]])


def _in_time(left_ms: NDArray[np.float64], model: Model) -> NDArray[np.bool_]:
    """The largest set of requests, those with the most time left, that one call of a model will
    probably answer in time; shape (n,)."""
    n = len(left_ms)
    if float(model.latency.p99_ms(n)) <= left_ms.min():
        return np.ones(n, dtype=bool)
    loosest_first = np.argsort(-left_ms, kind="stable")
    fits = model.latency.p99_ms(np.arange(1.0, n + 1)) <= left_ms[loosest_first]
    chosen = np.zeros(n, dtype=bool)
    if fits.any():
        chosen[loosest_first[: int(np.flatnonzero(fits)[-1]) + 1]] = True
    return chosen
