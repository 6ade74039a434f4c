"""Child processes of the demo: they end with it, whatever happens."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from ounce_schemas.errors import BrokerError
from ounce_services.demo.command import command
from ounce_services.demo.run import _is_over
from ounce_services.process.children import ChildError, Children, ounce_command
from ounce_services.process.readiness import wait_until_ready
from ounce_services.process.tether import tethered

from tests.support.process.child import free_port
from tests.support.process.wait import is_running, wait_until

SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print('up', flush=True); time.sleep(600)",
]
"""Ends by SIGKILL alone."""


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux kills a process at its parent's end"
)
def test_a_killed_parent_takes_its_child_along() -> None:
    code = (
        "import subprocess, sys, time\n"
        "from ounce_services.process.tether import tethered\n"
        f"child = subprocess.Popen(tethered({SLEEP!r}), stdout=subprocess.PIPE)\n"
        "child.stdout.readline()\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_running(pid)
        parent.send_signal(signal.SIGKILL)
    wait_until(lambda: not is_running(pid), lambda: f"{pid} runs on")


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux kills a process at its parent's end"
)
def test_a_child_whose_parent_is_gone_does_not_start() -> None:
    command = tethered(SLEEP)
    command[command.index(str(os.getpid()))] = "1"
    assert subprocess.run(command, timeout=60, check=False).returncode == 1


def test_a_child_that_ends_early_shows_the_end_of_its_log(tmp_path: Path) -> None:
    with Children() as children:
        child = children.start("ounce topics", ounce_command("topics", "x"), tmp_path / "log")
        assert child.wait() == 2
        with pytest.raises(ChildError, match=r"(?s)ounce topics ended with exit code 2.*--kafka"):
            child.require_running()


def test_stopping_kills_what_does_not_end(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with Children() as children:
        child = children.start("stubborn", STUBBORN, log)
        wait_until(lambda: log.read_text() == "up\n", log.read_text)
        assert child.stop(timeout_s=0.2) == -signal.SIGKILL


def test_where_the_worker_has_ended_nobody_waits_for_the_devices_last_answers(
    tmp_path: Path,
) -> None:
    with Children() as children:
        worker = children.start("ounce worker", [sys.executable, "-c", ""], tmp_path / "worker")
        devices = children.start("ounce devices", STUBBORN, tmp_path / "log")
        worker.wait()
        with pytest.raises(ChildError, match="ounce worker ended with exit code 0"):
            _is_over(worker, devices)
        assert devices.exit_code in (-signal.SIGKILL, -signal.SIGTERM)


def test_children_are_stopped_at_the_end_of_their_block(tmp_path: Path) -> None:
    with Children() as children:
        started = [children.start("sleeper", SLEEP, tmp_path / str(n)) for n in range(2)]
    assert [child.exit_code for child in started] == [-signal.SIGTERM] * 2


def test_readiness_gives_up_with_the_reason(tmp_path: Path) -> None:
    with Children() as children:
        child = children.start("sleeper", SLEEP, tmp_path / "log")
        url = f"http://127.0.0.1:{free_port()}/readyz"
        with pytest.raises(ChildError, match=r"not ready after 0.3 s \(no answer\)"):
            wait_until_ready(child, url, timeout_s=0.3)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        with pytest.raises(ChildError, match="ended by SIGKILL"):
            wait_until_ready(child, url)


def test_demo_names_an_absent_broker_and_leaves_nothing(models: Path) -> None:
    (models / "toy" / "light").mkdir()
    (models / "toy" / "light" / "card.json").write_text("{}")
    arguments = ["--task", "toy", "--models", str(models), "--kafka", "127.0.0.1:1"]
    result = CliRunner().invoke(command, [*arguments, "--kafka-timeout-s", "0.3"])
    assert isinstance(result.exception, BrokerError)


def test_demo_shows_why_its_worker_failed(models: Path) -> None:
    (models / "toy" / "light").mkdir()
    (models / "toy" / "light" / "card.json").write_text("{}")
    result = CliRunner().invoke(command, ["--task", "toy", "--models", str(models)])
    assert isinstance(result.exception, ChildError)
    assert "the end of" in str(result.exception)
    assert "toy" in str(result.exception)


def test_help_shows_an_example() -> None:
    assert "Example: ounce demo" in CliRunner().invoke(command, ["--help"]).output


def test_a_second_ctrl_c_may_find_the_program_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Children() as children:
        child = children.start("sleeper", SLEEP, tmp_path / "log")
        wait, hurried = child._process.wait, []

        def hurry(timeout: float | None = None) -> int:
            code = wait(timeout)
            if not hurried:
                hurried.append(code)
                raise KeyboardInterrupt
            return code

        monkeypatch.setattr(child._process, "wait", hurry)
        assert child.stop() == hurried[0]


def test_files_of_the_folder_in_which_a_demo_runs_are_no_modules(tmp_path: Path) -> None:
    (tmp_path / "random.py").write_text("raise SystemExit('not that one')\n")
    command = tethered(ounce_command("--version"))
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (told.returncode, told.stderr) == (0, "")
