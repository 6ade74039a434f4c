"""Models that run in a process of their own while that is on: what kills it costs one call.

Processes are real; the runtime in them crashes and hangs as it is told.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ounce_edge.models.runtimes.apart_process import Limits
from ounce_edge.models.runtimes.base import CrashedError, LoadedModel, Runtime
from ounce_edge.models.runtimes.isolable import IsolableModel, IsolableRuntime
from ounce_edge.models.runtimes.isolation import Isolation
from ounce_schemas.errors import ArtifactError

from tests.support.clock import Clock
from tests.support.edge import bad_runtime as bad
from tests.support.edge.apart import LIMITS, wish

Make = Callable[..., tuple[Isolation, LoadedModel]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    own = tmp_path / "model.onnx"
    own.write_bytes(b"one")
    return own


@pytest.fixture
def make(path: Path) -> Iterator[Make]:
    """An isolation, and a model that it may isolate."""
    made = list[Isolation]()

    def of(
        runtime: Callable[[], Runtime] = bad.BadRuntime,
        limits: Limits = LIMITS,
        on_crash: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> tuple[Isolation, LoadedModel]:
        isolation = Isolation(runtime, limits, on_crash, clock)
        made.append(isolation)
        model = IsolableRuntime(bad.BadRuntime(), isolation).load(path, path.read_bytes())
        return isolation, model

    yield of
    for isolation in made:
        isolation.end()


def test_models_run_in_the_worker_until_they_are_isolated_and_after_that(make: Make) -> None:
    isolation, model = make()
    assert model.run(wish(bad.ANSWER)).shape == (1, 1)
    assert isolation._child is None
    isolation.begin()
    assert model.run(wish(bad.ANSWER)).shape == (1, 1)
    assert isolation._child is not None
    assert isolation._child.pid != os.getpid()
    isolation.end()
    assert model.run(wish(bad.ANSWER)).shape == (1, 1)
    assert isolation._child is None


def test_a_crash_costs_its_call_alone_and_is_told(make: Make) -> None:
    clock, told = Clock(), list[int]()
    isolation, model = make(on_crash=lambda: told.append(1), clock=clock)
    isolation.begin()
    for n in (1, 2):
        with pytest.raises(CrashedError, match=r"took its process down: .* ended with signal 11$"):
            model.run(wish(bad.CRASH))
        assert model.run(wish(bad.ANSWER)).shape == (1, 1)
        assert (isolation.n_crashes, len(told)) == (n, n)
    clock.now_s += 7
    assert isolation.quiet_s == 7


def test_a_call_that_does_not_return_is_a_crash(make: Make) -> None:
    isolation, model = make(limits=Limits(start_s=120, load_s=120, run_s=0.5))
    isolation.begin()
    with pytest.raises(CrashedError, match=r"did not answer for 0\.5 s and was ended$"):
        model.run(wish(bad.HANG))
    assert model.run(wish(bad.ANSWER)).shape == (1, 1)


def test_a_process_that_was_killed_meanwhile_is_a_crash_of_the_next_call_alone(make: Make) -> None:
    isolation, model = make()
    isolation.begin()
    model.run(wish(bad.ANSWER))
    assert isolation._child is not None
    os.kill(isolation._child.pid or 0, signal.SIGKILL)
    with pytest.raises(CrashedError, match="signal 9"):
        model.run(wish(bad.ANSWER))
    assert model.run(wish(bad.ANSWER)).shape == (1, 1)


def test_an_error_of_a_model_is_no_crash(make: Make) -> None:
    isolation, model = make()
    isolation.begin()
    with pytest.raises(RuntimeError, match="out of memory") as raised:
        model.run(wish(bad.OUT_OF_MEMORY))
    assert not isinstance(raised.value, CrashedError)
    assert isolation.n_crashes == 0


def test_a_call_that_wants_too_much_memory_counts_as_a_crash(make: Make) -> None:
    isolation, model = make()
    isolation.begin()
    with pytest.raises(CrashedError, match="wants more memory than is free: MemoryError"):
        model.run(wish(bad.EAT))
    assert model.run(wish(bad.ANSWER)).shape == (1, 1)
    assert isolation.n_crashes == 1


@pytest.mark.parametrize("runtime", [bad.make_absent, bad.make_dead])
def test_where_there_can_be_no_process_models_run_in_the_worker(
    make: Make, runtime: Callable[[], Runtime]
) -> None:
    isolation, model = make(runtime)
    isolation.begin()
    assert model.run(wish(bad.ANSWER)).shape == (1, 1)
    assert not isolation.is_on


def test_a_model_that_the_process_can_not_hold_runs_in_the_worker(
    make: Make, path: Path, tmp_path: Path
) -> None:
    path.write_bytes(f"once:{tmp_path / 'loaded'}".encode())
    isolation, model = make()
    isolation.begin()
    assert model.run(wish(bad.ANSWER)).shape == (1, 1)
    assert (isolation.is_on, isolation.n_crashes) == (False, 0)
    assert isolation.failure == (
        f"{path} can't be loaded there: the process ended with exit code 6"
    )


def test_a_model_that_finds_no_room_beside_others_has_a_process_of_its_own(
    make: Make, path: Path
) -> None:
    isolation, model = make()
    alone = path.with_name("alone.onnx")
    alone.write_bytes(b"alone")
    other = IsolableRuntime(bad.BadRuntime(), isolation).load(alone, alone.read_bytes())
    isolation.begin()
    for one in (model, other):
        assert one.run(wish(bad.ANSWER)).shape == (1, 1)
    assert (isolation.is_on, isolation.n_crashes, isolation._loaded) == (True, 0, {2})


def test_a_model_whose_file_is_another_one_runs_in_the_worker(make: Make, path: Path) -> None:
    isolation, model = make()
    isolation.begin()
    path.write_bytes(b"two")
    assert model.run(wish(bad.ANSWER)).shape == (1, 1)
    assert (isolation.is_on, isolation._loaded) == (True, set())


def test_a_model_whose_file_was_replaced_or_removed_is_isolated(make: Make, path: Path) -> None:
    isolation, model = make()
    new = path.with_name("new")
    new.write_bytes(b"two")
    new.replace(path)
    path.unlink()
    isolation.begin()
    assert model.run(wish(bad.ANSWER)).shape == (1, 1)
    assert len(isolation._loaded) == 1
    model.unload()


def test_what_is_loaded_while_models_are_isolated_is_loaded_there_first(make: Make) -> None:
    isolation, _ = make()
    isolation.begin()
    runtime = IsolableRuntime(bad.BadRuntime(), isolation)
    with pytest.raises(ArtifactError, match=r"loading it took a process down: .* exit code 4"):
        runtime.load(Path("fatal.onnx"), b"crash")
    model = runtime.load(Path("nowhere.onnx"), b"one")
    assert model.run(wish(bad.ANSWER)).shape == (1, 1)
    model.unload()
    assert not isolation._loaded


def test_a_model_that_nothing_holds_leaves_the_process_with_the_next_call(make: Make) -> None:
    isolation, model = make()
    isolation.begin()
    runtime = IsolableRuntime(bad.BadRuntime(), isolation)
    for _ in range(3):  # as a budget of memory unloads a model, and loads it again
        runtime.load(Path("nowhere.onnx"), b"one")
        model.run(wish(bad.ANSWER))
    assert isolation._loaded == {1}


def test_a_call_that_waited_while_isolation_ended_starts_no_process(make: Make) -> None:
    isolation, model = make()
    assert isinstance(model, IsolableModel)
    isolation.begin()
    isolation.end()
    assert isolation.run(model.number, model.file, wish(bad.ANSWER)) is None
    isolation.load(model.number, model.file.path, b"one")
    assert isolation._child is None


def test_a_worker_that_ends_waits_for_no_call(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    isolation, model = make(limits=Limits(start_s=120, load_s=120, run_s=120))
    isolation.begin()
    model.run(wish(bad.ANSWER))
    assert isolation._child is not None
    asked, ask = threading.Event(), isolation._child.ask

    def told(*question: Any) -> Any:
        asked.set()
        return ask(*question)

    monkeypatch.setattr(isolation._child, "ask", told)
    with ThreadPoolExecutor(1) as threads:
        call = threads.submit(model.run, wish(bad.HANG))
        assert asked.wait(60)
        isolation.close()
        with pytest.raises(CrashedError, match="ended with"):
            call.result()
    assert isolation._child is None


def test_the_process_is_the_first_to_go_where_memory_runs_out(make: Make) -> None:
    isolation, model = make()
    isolation.begin()
    model.run(wish(bad.ANSWER))
    assert isolation._child is not None
    score = Path(f"/proc/{isolation._child.pid}/oom_score_adj").read_text(encoding="ascii")
    assert int(score) == 1000
