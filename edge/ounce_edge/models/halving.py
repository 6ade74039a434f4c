"""Calling a model on a group, some of whose inputs it may fail on."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ounce_edge.models.catalogue import ServedModel
from ounce_edge.models.checks import sample_inputs
from ounce_edge.models.runtimes.base import CrashedError, Inputs, RuntimeDownError
from ounce_edge.recommender.arrays import Items, everything

FAILED_ALONE = 4
"""A model that failed on so many inputs, each alone, and answered none is itself at fault."""
MOST_CRASHES = 3
"""Of one group: each takes a process with it, and the next one has to start."""
_NOT_FINITE = "answered values that are not finite"
_NONE: Items = np.empty(0, np.intp)


class TimedCall(NamedTuple):
    """One call that a model answered."""

    n: int
    run_ms: float
    ended_at_s: float
    """On the clock that timed it."""


class Attempt(NamedTuple):
    """What a model made of a group of n inputs; each is answered, failed or put off."""

    result: NDArray[np.float32]
    """Outputs of shape (n, output size); only rows of what was answered mean something."""
    answered: Items
    """Indices, ascending."""
    failed: Items
    """Indices of inputs that the model can't answer, ascending; where it is at fault, of all that
    it did not answer."""
    put_off: Items
    """Indices of inputs that were not reached within `most_calls`, ascending."""
    text: str
    """Why inputs failed; empty where none did."""
    is_models_fault: bool
    calls: Sequence[TimedCall]
    is_crash: bool = False
    """Whether what failed took a process down, each input alone."""


def most_calls(n: int) -> int:
    """Calls that a group of `n` may take, beside one on the model's own sample. To find one bad
    input among them takes two calls for each halving. Some more are permitted."""
    return 1 + 2 * (n - 1).bit_length() + 2 * FAILED_ALONE


def call_model(model: ServedModel, inputs: Inputs, clock: Callable[[], float]) -> Attempt:
    """Call a model once for all inputs. Where that fails, call it for halves of them, and for
    halves of those that fail, until each bad input is found or `most_calls` were made. Where it
    takes a process down, call it for each input alone.

    Args:
        model: to call.
        inputs: arrays by name, first axis the items; shape (n, ...), n >= 1.
        clock: seconds on any steady clock.
    """
    n = len(next(iter(inputs.values())))
    first = _run(model, inputs, clock)
    if first.output is not None and not first.why:
        return Attempt(first.output, everything(n), _NONE, _NONE, "", False, [first.call])
    if first.is_crash:
        return _one_by_one(model, inputs, clock, first)
    search = _Search(n)
    search.take(everything(n), first.output, first.call)
    is_models_fault = first.is_down or not _answers_its_sample(model, clock)
    n_calls = 1
    while search.todo and not is_models_fault and n_calls < most_calls(n):
        items = search.todo.pop()
        some = _run(model, {name: a[items] for name, a in inputs.items()}, clock)
        search.take(items, some.output, some.call)
        n_calls += 1
        is_models_fault = some.is_down or search.fails_on_everything
    return search.attempt(first.why, is_models_fault or search.fails_on_everything)


def _one_by_one(
    model: ServedModel, inputs: Inputs, clock: Callable[[], float], first: "_Ran"
) -> Attempt:
    """After a call for all inputs that took a process down. Few further crashes find each fatal
    input; what is not reached is put off."""
    n = len(next(iter(inputs.values())))
    search, text, n_crashes = _Search(n), first.why, 0
    for i in range(n):
        alone = np.array([i], np.intp)
        ran = first if n == 1 else _run(model, {k: a[alone] for k, a in inputs.items()}, clock)
        search.take(alone, ran.output, ran.call)
        if ran.is_crash:
            text = ran.why
            n_crashes += 1
            if n_crashes == MOST_CRASHES:
                break
    # Whether the model or the input is at fault: another model may answer it.
    return search.attempt(text, False)._replace(is_models_fault=True, is_crash=True)


class _Search:
    """What is found out so far of a group of n inputs, of which a model can't answer all."""

    def __init__(self, n: int) -> None:
        self._n = n
        self._result: NDArray[np.float32] = np.empty((n, 0), np.float32)
        self._is_answered = np.zeros(n, dtype=bool)
        self._is_failed = np.zeros(n, dtype=bool)
        self._calls: list[TimedCall] = []
        self.todo: list[Items] = []
        """What to call the model for, the next one last."""

    def take(self, items: Items, output: NDArray[np.float32] | None, call: TimedCall) -> None:
        """A call for `items` is made; without an output it raised."""
        if output is None:
            if len(items) == 1:
                self._is_failed[items] = True
            else:
                middle = len(items) // 2
                self.todo += [items[middle:], items[:middle]]
            return
        if not self._calls:
            self._result = np.empty((self._n, output.shape[1]), np.float32)
        self._calls.append(call)
        self._result[items] = output
        is_finite = np.isfinite(output).all(axis=1)
        self._is_answered[items[is_finite]] = True
        self._is_failed[items[~is_finite]] = True

    @property
    def fails_on_everything(self) -> bool:
        """Whether inputs failed one by one, and none was answered."""
        return not self._is_answered.any() and int(self._is_failed.sum()) >= FAILED_ALONE

    def attempt(self, text: str, is_models_fault: bool) -> Attempt:
        """All that was found out; where the model is at fault, it fails what it did not answer."""
        failed = ~self._is_answered if is_models_fault else self._is_failed
        return Attempt(
            self._result,
            np.flatnonzero(self._is_answered),
            np.flatnonzero(failed),
            np.flatnonzero(~self._is_answered & ~failed),
            text,
            is_models_fault,
            self._calls,
        )


class _Ran(NamedTuple):
    output: NDArray[np.float32] | None
    """None where the model raised."""
    why: str
    """What went wrong; empty where nothing did."""
    is_down: bool
    """Whether it was what runs the model."""
    is_crash: bool
    """Whether it took that down."""
    call: TimedCall


def _run(model: ServedModel, inputs: Inputs, clock: Callable[[], float]) -> _Ran:
    n, began_s = len(next(iter(inputs.values()))), clock()
    output: NDArray[np.float32] | None = None
    why, is_down, is_crash = "", False, False
    try:
        output = model.run(inputs)
    except Exception as e:  # whatever a runtime raises costs these inputs, not the worker
        why = " ".join(str(e).split()) or type(e).__name__
        is_down, is_crash = isinstance(e, RuntimeDownError), isinstance(e, CrashedError)
    ended_s = clock()
    if output is not None and not np.isfinite(output).all():
        why = _NOT_FINITE
    return _Ran(output, why, is_down, is_crash, TimedCall(n, (ended_s - began_s) * 1e3, ended_s))


def _answers_its_sample(model: ServedModel, clock: Callable[[], float]) -> bool:
    ran = _run(model, sample_inputs(model.card.inputs, 1), clock)
    return ran.output is not None and not ran.why
