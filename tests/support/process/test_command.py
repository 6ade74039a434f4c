"""A command in the test's own process ends as in its own, and leaves nothing set."""

import gc
import logging
import signal
import subprocess
import sys

import pytest

from tests.support.process.command import ounce, the_line
from tests.support.process.worker import OUNCE


def settings() -> tuple[object, ...]:
    log = logging.getLogger()
    return (
        *(sys.argv, list(log.handlers), log.level, signal.getsignal(signal.SIGHUP)),
        *(gc.get_threshold(), sys.getswitchinterval()),
    )


@pytest.mark.parametrize(
    "words",
    [
        ("explain", "--task=digits", "--models=absent"),
        ("models", "list", "--kafka=127.0.0.1:1", "--store=absent"),
        ("status", "127.0.0.1:1", "--json"),
        ("topics", "digits", "--kafka=127.0.0.1:1", "--kafka-timeout-s=0.1"),
    ],
    ids=" ".join,
)
def test_a_command_ends_as_in_a_process_of_its_own(words: tuple[str, ...]) -> None:
    """Also of those that no other test starts so, which must import all that they need."""
    alone = subprocess.run([OUNCE, *words], capture_output=True, text=True, timeout=60, check=False)
    here = ounce(*words)
    assert (here.code, here.stdout, here.stderr) == (alone.returncode, alone.stdout, alone.stderr)


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
