"""Runs a program that the kernel kills as soon as the process that started it ends.

`python -m ounce_services.process.tether PARENT_PID PROGRAM [ARGUMENT...]` asks Linux for SIGKILL at
the parent's end (prctl(2), PR_SET_PDEATHSIG) and becomes PROGRAM. So a demo that is itself killed,
with no chance to clean up, leaves nothing running. It is a program of its own, not code between
fork and exec, because the demo's process has librdkafka's threads. Other systems lack the request;
there only the ordinary ways to end are covered.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1


def tethered(arguments: Sequence[str]) -> list[str]:
    """The command line that runs `arguments` tied to this process's calling thread."""
    return [sys.executable, "-P", "-m", __name__, str(os.getpid()), *arguments]


def main() -> None:
    """Tie this process to its parent and become the program."""
    parent, program = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before the request was made
            sys.exit(1)
    os.execvp(program[0], program)


if __name__ == "__main__":
    main()
