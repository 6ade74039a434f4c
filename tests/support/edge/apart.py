"""Models in a process of their own, which do as they are told."""

import os
import signal
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from ounce_edge.models.runtimes.apart import ApartError
from ounce_edge.models.runtimes.apart_process import Limits
from ounce_edge.models.runtimes.base import LoadedModel

from tests.support.edge import bad_runtime as bad

PATH = Path("models/t/m/model.onnx")
LIMITS = Limits(start_s=120, load_s=120, run_s=120)


def answers_again(model: LoadedModel) -> None:
    """Wait until the process has come back."""
    end_s = time.monotonic() + 120
    while True:
        try:
            assert model.run(wish(bad.ANSWER)) == bad.ANSWER
            return
        except ApartError:
            assert time.monotonic() < end_s
            time.sleep(0.01)


def wish(number: int) -> dict[str, NDArray[np.float32]]:
    return {"input": np.array([[number]], np.float32)}


def stop(pid: int | None) -> None:
    """Let a process that this one started stand still (SIGSTOP), and return once all of its threads
    do: until then one of them may go on, and end it."""
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    os.waitpid(pid, os.WUNTRACED)
