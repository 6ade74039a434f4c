"""Loads beside calls in a process apart, and what is left when either end goes."""

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
from ounce_edge.models.runtimes.apart import ApartError, ApartRuntime
from ounce_edge.models.runtimes.apart_child import Child
from ounce_edge.models.runtimes.base import LoadedModel

from tests.support.clock import Clock
from tests.support.edge import bad_runtime as bad
from tests.support.edge.apart import PATH, answers_again, wish
from tests.support.process.wait import is_running, wait_until


def test_calls_of_other_models_are_answered_while_one_loads(runtime: ApartRuntime) -> None:
    model = runtime.load(PATH, b"one")
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(runtime.load, PATH, b"slow")
        model.run(wish(bad.RELEASE))  # waits for the load to begin, and lets it end
        assert slow.result().run(wish(bad.ANSWER)) == bad.ANSWER
    assert runtime._n_started == 1


def test_a_process_that_a_call_kills_ends_a_load_under_way(runtime: ApartRuntime) -> None:
    model = runtime.load(PATH, b"one")
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(runtime.load, PATH, b"slow")
        wait_until(lambda: len(runtime._models) == 2, lambda: None)
        with pytest.raises(ApartError, match="signal 11"):
            model.run(wish(bad.CRASH))
        with pytest.raises(ApartError, match="signal 11"):
            slow.result()
    answers_again(model)
    assert list(runtime._models) == [1]


def test_a_model_that_kills_the_next_process_is_left_out_of_the_one_behind(
    runtime: ApartRuntime, clock: Clock, tmp_path: Path
) -> None:
    killer = runtime.load(PATH, f"once:{tmp_path / 'mark'}".encode())
    model = runtime.load(PATH, b"one")
    with pytest.raises(ApartError, match="exit code 3"):
        model.run(wish(bad.EXIT))
    with pytest.raises(ApartError, match="is being started again"):
        model.run(wish(bad.ANSWER))
    wait_until(lambda: not runtime._is_starting.is_set(), lambda: None)
    clock.now_s += 1.0
    answers_again(model)
    for _ in range(2):
        with pytest.raises(ApartError, match=r"did not come back: .*exit code 6"):
            killer.run(wish(bad.ANSWER))
    assert runtime._n_started == 3
    (tmp_path / "mark").unlink()
    with pytest.raises(ApartError, match="exit code 3"):
        model.run(wish(bad.EXIT))
    clock.now_s += 2.0
    answers_again(killer)  # it is left out of that one alone
    assert runtime._n_started == 4


def test_a_model_that_finds_no_room_comes_back_once_there_is_some(
    runtime: ApartRuntime, tmp_path: Path
) -> None:
    large = runtime.load(PATH, f"room:{tmp_path / 'mark'}".encode())
    model = runtime.load(PATH, b"one")
    with pytest.raises(ApartError, match="exit code 3"):
        model.run(wish(bad.EXIT))
    answers_again(model)
    with pytest.raises(ApartError, match=r"did not come back: .*out of memory"):
        large.run(wish(bad.ANSWER))
    (tmp_path / "mark").unlink()
    answers_again(large)
    assert runtime._n_started == 2


def test_what_finds_no_thread_is_tried_again(
    runtime: ApartRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    def finds_no_thread(model: LoadedModel) -> None:
        with monkeypatch.context() as full:
            full.setattr(threading.Thread, "start", start)
            with pytest.raises(RuntimeError, match="can't start new thread"):
                model.run(wish(bad.ANSWER))

    model = runtime.load(PATH, f"room:{tmp_path / 'mark'}".encode())
    with pytest.raises(ApartError, match="exit code 3"):
        model.run(wish(bad.EXIT))
    finds_no_thread(model)
    with pytest.raises(ApartError, match="is being started again"):
        model.run(wish(bad.ANSWER))
    wait_until(lambda: not runtime._is_starting.is_set(), lambda: None)
    (tmp_path / "mark").unlink()
    finds_no_thread(model)
    answers_again(model)


def test_models_that_kill_the_process_keep_no_other_from_it(runtime: ApartRuntime) -> None:
    for _ in range(2):
        with pytest.raises(ApartError, match="exit code 4"):
            runtime.load(PATH, b"crash")
    assert runtime.load(PATH, b"one").run(wish(bad.ANSWER)) == bad.ANSWER


def test_a_runtime_that_is_closed_starts_nothing_more(runtime: ApartRuntime) -> None:
    model = runtime.load(PATH, b"one")
    with pytest.raises(ApartError, match="exit code 3"):
        model.run(wish(bad.EXIT))
    with runtime._loads:  # so that it is closed before the process starts
        with pytest.raises(ApartError, match="is being started again"):
            model.run(wish(bad.ANSWER))
        runtime.close()
    wait_until(lambda: not runtime._is_starting.is_set(), lambda: None)
    assert runtime.pid is None
    for act in (lambda: model.run(wish(bad.ANSWER)), lambda: runtime.load(PATH, b"two")):
        with pytest.raises(ApartError, match=r"^bad 1 is closed$"):
            act()


@pytest.mark.parametrize(("figure", "nothing"), [("used_bytes", 0), ("joules", None)])
def test_a_process_whose_start_begins_meanwhile_is_not_asked(
    runtime: ApartRuntime, monkeypatch: pytest.MonkeyPatch, figure: str, nothing: object
) -> None:
    """Its first answer, which the start waits for, would be taken for the figure."""
    begins = iter([False, True])
    monkeypatch.setattr(runtime, "_is_starting", SimpleNamespace(is_set=lambda: next(begins)))
    monkeypatch.setattr(Child, "ask", lambda *_: pytest.fail("it was asked"))
    assert getattr(runtime, figure) == nothing


@pytest.mark.parametrize(
    ("module", "name", "n_do"),
    [
        ("multiprocessing.connection", "Pipe", 0),
        ("multiprocessing.connection", "Pipe", 1),
        ("os", "dup", 0),
        ("os", "dup", 1),
        ("multiprocessing.util", "spawnv_passfds", 0),
    ],
)
def test_a_machine_that_has_room_for_no_process_has_it_tried_again(
    runtime: ApartRuntime,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    module: str,
    name: str,
    n_do: int,
) -> None:
    model = runtime.load(PATH, b"one")
    with pytest.raises(ApartError, match="exit code 3"):
        model.run(wish(bad.EXIT))
    wanted, n_called = getattr(import_module(module), name), count()

    def fail(*arguments: object) -> object:
        if next(n_called) < n_do:
            return wanted(*arguments)
        raise OSError(24, "Too many open files")

    n_files = len(list(Path("/proc/self/fd").iterdir()))
    with monkeypatch.context() as full:
        full.setattr(f"{module}.{name}", fail)
        with pytest.raises(ApartError, match=r"bad 1 can't be started: Too many open files$"):
            runtime.load(PATH, b"two")
    assert len(list(Path("/proc/self/fd").iterdir())) <= n_files
    clock.now_s += 1.0
    answers_again(model)


def test_a_service_managers_sigterm_to_all_is_not_the_processs(runtime: ApartRuntime) -> None:
    model = runtime.load(PATH, b"one")
    os.kill(runtime.pid or 0, signal.SIGTERM)
    assert model.run(wish(bad.ANSWER)) == bad.ANSWER


KILLED = "os.kill(os.getpid(), signal.SIGKILL)"
HUNG, LOCKED = (
    f"runtime._child._calls.send(('run', 1, wish(bad.{wish})), 60)" for wish in ("HANG", "LOCK")
)


def run(program: str) -> subprocess.CompletedProcess[str]:
    """A worker to its end."""
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("content", [b"one", b"linger"])
@pytest.mark.parametrize("ending", ["", KILLED, f"{HUNG}; {KILLED}", f"{LOCKED}; {KILLED}"])
def test_no_process_is_left_when_the_worker_ends_or_is_killed(ending: str, content: bytes) -> None:
    program = (
        "import os, signal\n"
        "from ounce_edge.models.runtimes.apart import ApartRuntime\n"
        "from tests.support.edge import bad_runtime as bad\n"
        "from tests.support.edge.apart import PATH, wish\n"
        "if __name__ == '__main__':\n"
        "    runtime = ApartRuntime(bad.BadRuntime)\n"
        f"    model = runtime.load(PATH, {content!r})\n"
        "    print(runtime.pid, flush=True)\n"
        f"    {ending}\n"
    )
    worker = run(program)
    assert worker.returncode == (-signal.SIGKILL if ending else 0), worker.stderr
    wait_until(lambda: not is_running(int(worker.stdout)), lambda: worker.stderr)


def test_a_worker_ends_though_its_process_does_not_end_by_force() -> None:
    program = (
        "from ounce_edge.models.runtimes import bounded_process\n"
        "from ounce_edge.models.runtimes.apart import ApartRuntime\n"
        "from tests.support.edge import bad_runtime as bad\n"
        "from tests.support.edge.apart import stop\n"
        "if __name__ == '__main__':\n"
        "    bounded_process.END_S = 0.1\n"
        "    runtime = ApartRuntime(bad.BadRuntime)\n"
        "    runtime._child._process.kill = lambda: None\n"  # as of what waits for a driver
        "    stop(runtime.pid)\n"
    )
    worker = run(program)
    assert worker.returncode == 0, worker.stderr
    assert "hangs in a driver" in worker.stderr


def test_no_process_is_left_that_hangs_while_its_runtime_is_made() -> None:
    program = (
        "from ounce_edge.models.runtimes.apart import ApartRuntime\n"
        "from tests.support.edge import bad_runtime as bad\n"
        "if __name__ == '__main__':\n"
        "    ApartRuntime(bad.make_locked)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
    ) as worker:
        assert worker.stdout is not None
        pid = int(worker.stdout.readline())
        assert is_running(pid)
        worker.kill()
    wait_until(lambda: not is_running(pid), lambda: pid)
