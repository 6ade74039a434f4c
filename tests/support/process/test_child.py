"""A program ends with the process that started it, however that ends."""

import subprocess
import sys
from pathlib import Path

from tests.support.process.wait import is_running, wait_until

STARTER = """
import signal
from pathlib import Path

from tests.support.process.child import Child

print(Child(["sleep", "600"], log=Path("/dev/null")).pid, flush=True)
signal.pause()
"""


def test_it_ends_when_the_process_that_started_it_is_killed() -> None:
    starter = [sys.executable, "-c", STARTER]
    with subprocess.Popen(starter, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        name = Path(f"/proc/{pid}/comm")  # until it is the program's, nobody has told the kernel
        wait_until(lambda: name.read_text() == "sleep\n", name.read_text)
        process.kill()
    wait_until(lambda: not is_running(pid), lambda: f"{pid} runs")
