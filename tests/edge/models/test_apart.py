"""A runtime in a process of its own: what happens to that process, and how it comes back.

No GPU is there: the process has a runtime that crashes, breaks, hangs and runs out of memory as it
is told.
"""

import gc
import threading

import numpy as np
import pytest
from ounce_edge.models.runtimes.apart import ApartError, ApartRuntime
from ounce_edge.models.runtimes.apart_child import Child
from ounce_edge.models.runtimes.apart_process import Limits
from ounce_schemas.errors import ArtifactError, RuntimeAbsentError

from tests.support.clock import Clock
from tests.support.edge import bad_runtime as bad
from tests.support.edge.apart import PATH, answers_again, stop, wish
from tests.support.process.wait import wait_until


def test_a_crash_costs_the_call_alone_and_all_models_come_back(runtime: ApartRuntime) -> None:
    models = [runtime.load(PATH, content) for content in (b"one", b"two")]
    with pytest.raises(ApartError, match=r"^the process of bad 1 ended with signal 11$"):
        models[0].run(wish(bad.CRASH))
    for model in models:
        answers_again(model)
    assert runtime._n_started == 2


def test_while_a_process_starts_calls_fail_at_once(runtime: ApartRuntime) -> None:
    model = runtime.load(PATH, b"one")
    with pytest.raises(ApartError):
        model.run(wish(bad.CRASH))
    with runtime._loads:  # so that the start has to wait
        for _ in range(3):
            with pytest.raises(ApartError, match="is being started again"):
                model.run(wish(bad.ANSWER))
        assert runtime.used_bytes == 0
    answers_again(model)
    assert runtime._n_started == 2


def test_a_restart_that_finds_a_process_leaves_it(runtime: ApartRuntime) -> None:
    model = runtime.load(PATH, b"one")
    with pytest.raises(ApartError, match="signal 11"):
        model.run(wish(bad.CRASH))
    with runtime._loads:  # so that `load` starts the process, and the restart comes behind
        with pytest.raises(ApartError, match="is being started again"):
            model.run(wish(bad.ANSWER))
        runtime.load(PATH, b"two")
        pid = runtime.pid
    wait_until(lambda: not runtime._is_starting.is_set(), lambda: None)
    assert (runtime.pid, runtime._n_started) == (pid, 2)


class Looks(threading.Event):
    """Counts how often it was looked at."""

    n = 0

    def is_set(self) -> bool:
        self.n += 1
        return super().is_set()


def test_calls_that_waited_for_the_one_that_failed_start_one_process(
    runtime: ApartRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = runtime.load(PATH, b"one")
    with pytest.raises(ApartError, match="signal 11"):
        model.run(wish(bad.CRASH))
    restarts, errors, looks = list[int](), list[ApartError](), Looks()
    monkeypatch.setattr(runtime, "_restart", lambda: restarts.append(1))
    monkeypatch.setattr(runtime, "_is_starting", looks)

    def call() -> None:
        try:
            model.run(wish(bad.ANSWER))
        except ApartError as e:
            errors.append(e)

    calls = [threading.Thread(target=call) for _ in range(3)]
    with runtime._lock:
        for one in calls:
            one.start()
        wait_until(lambda: looks.n == len(calls), lambda: looks.n)  # all wait for the lock
    for one in calls:
        one.join()
    wait_until(lambda: bool(restarts), lambda: errors)
    assert (len(errors), len(restarts)) == (3, 1)


def test_an_error_that_sticks_ends_the_process_and_another_does_not(runtime: ApartRuntime) -> None:
    model = runtime.load(PATH, b"one")
    with pytest.raises(RuntimeError, match=r"^CudaError: cudaMalloc: cudaErrorMemoryAllocation"):
        model.run(wish(bad.OUT_OF_MEMORY))
    assert model.run(wish(bad.ANSWER)) == bad.ANSWER
    assert runtime._n_started == 1
    with pytest.raises(ApartError, match=r"can't go on: CudaError: .*cudaErrorIllegalAddress"):
        model.run(wish(bad.STICK))
    answers_again(model)
    assert runtime._n_started == 2


def test_a_call_that_finds_the_gpu_taken_costs_no_process(runtime: ApartRuntime) -> None:
    model = runtime.load(PATH, b"one")
    with pytest.raises(ApartError, match=r"^a load has its memory$"):
        model.run(wish(bad.DOWN))
    assert model.run(wish(bad.ANSWER)) == bad.ANSWER
    assert runtime._n_started == 1


def test_a_call_that_hangs_is_ended() -> None:
    runtime = ApartRuntime(bad.BadRuntime, Limits(run_s=0.2))
    model = runtime.load(PATH, b"one")
    with pytest.raises(ApartError, match=r"did not answer for 0\.2 s and was ended"):
        model.run(wish(bad.HANG))
    runtime.close()


def test_a_process_that_reads_nothing_is_ended() -> None:
    runtime = ApartRuntime(bad.BadRuntime, Limits(start_s=60, load_s=0.2))
    stop(runtime.pid)
    with pytest.raises(ApartError, match=r"read nothing for 0\.2 s and was ended"):
        runtime.load(PATH, bytes(8_000_000))  # more than a pipe holds
    assert runtime.pid is None
    runtime.close()


def test_a_process_that_stops_in_the_middle_of_an_answer_is_ended() -> None:
    child = Child(bad.BadRuntime, 1, "the process")
    child.answer(60)
    child.ask(60, "load", 1, str(PATH), b"one")
    child._calls._pipe.send(("run", 1, {"input": np.zeros((3_000_000, 1), np.float32)}))
    assert child._calls._pipe.poll(60)  # it has begun to answer, with more than a pipe holds
    stop(child.pid)
    with pytest.raises(ApartError, match=r"in the middle of an answer for 0\.2 s and was ended"):
        child.answer(0.2)


def test_restarts_wait_longer_each_time(runtime: ApartRuntime, clock: Clock) -> None:
    model = runtime.load(PATH, b"one")
    pauses_s = (0.0, 1.0, 2.0)
    for pause_s in pauses_s:
        with pytest.raises(ApartError, match="exit code 3"):
            model.run(wish(bad.EXIT))
        if pause_s:
            with pytest.raises(ApartError, match=rf"started again in {pause_s} s"):
                model.run(wish(bad.ANSWER))
        clock.now_s += pause_s
        answers_again(model)
    assert runtime._n_started == len(pauses_s) + 1
    clock.now_s += 100.0  # the process has lasted: the next restart is at once
    with pytest.raises(ApartError, match="exit code 3"):
        model.run(wish(bad.EXIT))
    answers_again(model)
    assert runtime._n_started == len(pauses_s) + 2


def test_a_model_that_is_refused_or_kills_its_process_is_not_kept(runtime: ApartRuntime) -> None:
    model = runtime.load(PATH, b"one")
    with pytest.raises(ArtifactError, match=f"^{PATH}: is refused$"):
        runtime.load(PATH, b"refuse")
    with pytest.raises(ApartError, match="exit code 4"):
        runtime.load(PATH, b"crash")
    answers_again(model)


def test_a_model_that_is_unloaded_is_not_loaded_again(runtime: ApartRuntime) -> None:
    first, second = (runtime.load(PATH, content) for content in (b"one", b"two"))
    first.unload()
    with pytest.raises(ApartError):
        second.run(wish(bad.CRASH))
    first.unload()
    answers_again(second)
    with pytest.raises(RuntimeError, match="unloaded"):
        first.run(wish(bad.ANSWER))


@pytest.mark.parametrize("loads", [False, True])
def test_a_model_that_nothing_holds_is_unloaded_with_the_next_call_or_load(
    runtime: ApartRuntime, loads: bool
) -> None:
    first, second = (runtime.load(PATH, content) for content in (b"one", b"two"))
    assert len(runtime._models) == 2
    del first
    gc.collect()
    if loads:
        second = runtime.load(PATH, b"three")
    assert second.run(wish(bad.ANSWER)) == bad.ANSWER
    assert len(runtime._models) == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (bad.make_absent, "^no such GPU$"),
        (bad.make_dead, "^the process of the runtime ended with exit code 5$"),
        (bad.make_silent, r"^the process of the runtime did not answer for 0\.1 s"),
    ],
)
def test_a_runtime_that_does_not_start_is_absent(make: object, message: str) -> None:
    limits = Limits(start_s=0.1 if make is bad.make_silent else 60)
    with pytest.raises(RuntimeAbsentError, match=message):
        ApartRuntime(make, limits)  # type: ignore[arg-type]
