"""A command in the test's own process ends as in its own, and leaves nothing set."""

import gc
import logging
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import click
import pytest
from ounce_schemas.command_list import COMMANDS

from tests.support.process.command import SIGNALS, ounce, the_line
from tests.support.process.worker import OUNCE

ZEROS = f"[{', '.join(['0'] * 64)}]"
ALONE = {
    "add": ("MODELS/digits/mlp/model.onnx", "--task=digits", "--models=MODELS", "--name=mine"),
    "ask": ("digits", "--local", "--models=MODELS", f"--data={ZEROS}", "--json-lines"),
    "contracts": ("--check",),
    "monitoring": ("--check",),
    "policy": ("check", "POLICY"),
    "runtimes": (),
    "tail": ("digits", "--kafka=127.0.0.1:1", "--kafka-timeout-s=0.1"),
    "top": ("127.0.0.1:1", "--limit=1"),
}
"""Commands that other tests run in their own process alone, and words with which each does its
work."""
TOLD = {
    "add": r"mine is part of ",
    "ask": r'"model_name":"\w',
    "contracts": r"files as the code says",
    "monitoring": r"files as the code says",
    "policy": r"policy\.yaml: ",
    "runtimes": r"onnxruntime-cpu .*: runs models",
    "tail": r"ounce: no Kafka at 127\.0\.0\.1:1 within 0\.1 s",
    "top": r"no worker at http://127\.0\.0\.1:1",
}


def settings() -> tuple[object, ...]:
    log = logging.getLogger()
    return (
        *(sys.argv, list(log.handlers), log.level, *map(signal.getsignal, SIGNALS)),
        *(gc.get_threshold(), sys.getswitchinterval()),
    )


@pytest.mark.parametrize(
    "words",
    [
        ("explain", "--task=digits", "--models=absent"),
        ("models", "list", "--kafka=127.0.0.1:1", "--kafka-timeout-s=0.1", "--store=absent"),
        ("status", "127.0.0.1:1", "--json"),
        ("topics", "digits", "--kafka=127.0.0.1:1", "--kafka-timeout-s=0.1"),
    ],
    ids=" ".join,
)
def test_a_command_ends_as_in_a_process_of_its_own(words: tuple[str, ...]) -> None:
    """Also of those that no other test starts so, which must import all that they need."""
    alone = run_alone(*words)
    here = ounce(*words)
    assert (here.code, here.stdout) == (alone.returncode, alone.stdout)
    assert _but_for_times(here.stderr) == _but_for_times(alone.stderr)


def _but_for_times(text: str) -> str:
    """As Kafka's client tells them of an attempt."""
    return re.sub(r"after \d+ms", "after some ms", text)


def run_alone(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([OUNCE, *words], capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("command", ALONE)
def test_a_command_works_in_a_process_of_its_own(
    command: str, digits_models: Path, tmp_path: Path
) -> None:
    help_ = run_alone(command, "--help")
    assert (help_.returncode, help_.stderr) == (0, "")
    assert re.search(rf"Examples?: ounce {command}", " ".join(help_.stdout.split()))
    shutil.copytree(digits_models, tmp_path / "models")
    (tmp_path / "policy.yaml").write_text("min_accuracy: 0.9\n")
    places = {"MODELS": str(tmp_path / "models"), "POLICY": str(tmp_path / "policy.yaml")}
    words = [re.sub("MODELS|POLICY", lambda at: places[at[0]], word) for word in ALONE[command]]
    real = run_alone(command, *words)
    assert real.returncode == (1 if command == "tail" else 0), real.stderr
    assert re.search(TOLD[command], " ".join((real.stdout + real.stderr).split()))
    assert "Traceback" not in real.stderr


def test_an_error_is_a_line_and_a_code() -> None:
    result = ounce("tarin")
    assert (result.code, result.stdout) == (2, "")
    assert the_line(result.stderr).startswith("ounce: No such command 'tarin'")


def test_the_environment_is_of_this_command_alone() -> None:
    kafka = {"OUNCE_KAFKA": "127.0.0.1:1"}
    words = ("topics", "digits", "--kafka-timeout-s=0.1")
    assert "no Kafka at 127.0.0.1:1" in ounce(*words, env=kafka).stderr
    assert "Missing option '--kafka'" in ounce(*words).stderr


def test_what_a_worker_sets_for_its_process_is_put_back() -> None:
    before = settings()
    result = ounce("worker", "--task=digits", "--kafka=127.0.0.1:1", "--metrics-port=0",
                   "--log-level=ERROR", "--kafka-timeout-s=0.1")  # fmt: skip
    assert result.code == 1
    assert settings() == before


def test_what_a_command_does_on_signals_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def take_signals() -> None:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    module = ModuleType("takes_signals")
    vars(module)["command"] = take_signals
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(COMMANDS, "take", (module.__name__, "edge", "Take signals."))
    before = settings()
    assert ounce("take").code == 0
    assert settings() == before
