"""Running one plan for one group of requests: step by step, as far as needed and time allows."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ounce_edge.models.catalogue import ServedModel, sample_inputs
from ounce_edge.models.runtimes.base import Inputs
from ounce_edge.recommender.beliefs.plans import Model, Step
from ounce_edge.recommender.rule.schedule import Items


@dataclass(frozen=True)
class Call:
    """One model call."""

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


@dataclass(frozen=True)
class Answered:
    """Requests whose answer came from one step."""

    model: int
    items: Items
    """Indices into the group, ascending; shape (n,)."""
    cut_short: bool
    """The step was not confident, but time for the next one had run out."""
    n_steps: int
    """Steps that they went through: the first so many of the outcome's calls."""


@dataclass
class Outcome:
    """What became of a group."""

    result: NDArray[np.float32]
    """Outputs of shape (n, output size); rows of failed requests mean nothing."""
    answered: list[Answered] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    escalated: int = 0
    """Requests that went on to a further step, counted once for each."""

    def cost(self, n_steps: int, weights: Sequence[float] | None = None) -> float:
        """Cost per request that went through the first `n_steps` steps.

        Args:
            n_steps: of the plan.
            weights: cost of a millisecond, per model of the task; None: it is in milliseconds.
        """
        return sum(
            c.run_ms / c.n * (1.0 if weights is None else weights[c.model])
            for c in self.calls[:n_steps]
        )

    def only(self, kept: NDArray[np.bool_]) -> "Outcome":
        """What became of some requests; `kept` says which, shape (n,)."""
        if kept.all():
            return self
        answered = [replace(a, items=a.items[kept[a.items]]) for a in self.answered]
        failures = [replace(f, items=f.items[kept[f.items]]) for f in self.failures]
        return replace(
            self,
            answered=[a for a in answered if len(a.items)],
            failures=[f for f in failures if len(f.items)],
        )


def run_plan(
    steps: Sequence[Step],
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
    items: Items = np.arange(n)
    outcome: Outcome | None = None
    start_s = clock()
    for step in steps:
        some = inputs if len(items) == n else {name: a[items] for name, a in inputs.items()}
        began_s = clock()
        try:
            result = served[step.model].loaded.run(some)
            failure = None
        except Exception as e:  # whatever a runtime raises costs this call, not the worker
            result, failure = None, " ".join(str(e).split()) or type(e).__name__
        ended_s = clock()
        if result is None:
            outcome = outcome or Outcome(np.empty((n, 0), np.float32))
            outcome.failures.append(Failure(step.model, items, str(failure), True, ended_s))
            return outcome
        call = Call(step.model, len(items), (ended_s - began_s) * 1e3, ended_s)
        if outcome is None:
            outcome = Outcome(result)
        else:
            outcome.result[items] = result
        outcome.calls.append(call)
        if not np.isfinite(result).all():
            finite = np.isfinite(result).all(axis=1)
            ill = not _answers_its_sample(served[step.model])
            text = "answered values that are not finite"
            outcome.failures.append(Failure(step.model, items[~finite], text, ill, ended_s))
            items, result = items[finite], result[finite]
        if step.threshold is None:
            _answer(outcome, step.model, items, False)
            return outcome
        sure = result.max(axis=1) >= step.threshold
        _answer(outcome, step.model, items[sure], False)
        items = items[~sure]
        if left_ms is not None and len(items):
            ahead = steps[steps.index(step) + 1]
            left = left_ms[items] - (clock() - start_s) * 1e3
            in_time = _in_time(left, models[ahead.model])
            _answer(outcome, step.model, items[~in_time], True)
            items = items[in_time]
        outcome.escalated += len(items)
        if not len(items):
            return outcome
    raise AssertionError("a plan's last step has no threshold")


def _answer(outcome: Outcome, model: int, items: Items, cut_short: bool) -> None:
    if len(items):
        outcome.answered.append(Answered(model, items, cut_short, len(outcome.calls)))


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


def _answers_its_sample(model: ServedModel) -> bool:
    try:
        return bool(np.isfinite(model.loaded.run(sample_inputs(model.card.inputs, 1))).all())
    except Exception:  # whatever a runtime raises, it is the model's fault
        return False
