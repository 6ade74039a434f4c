"""A pinned worker is on its processor from its first thread on, however its threads come and go."""

import os
import sys
from pathlib import Path

import pytest

from tests.support.process.worker import Worker

PROGRAM = f"""#!{sys.executable}
import os, threading

seen = set()


def look():
    seen.add(frozenset(os.sched_getaffinity(threading.get_native_id())))


look()
for _ in range(200):
    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
print([sorted(cpus) for cpus in seen])
"""


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no processor can be chosen here")
def test_threads_that_vanish_are_pinned_too(tmp_path: Path) -> None:
    program = tmp_path / "ounce"
    program.write_text(PROGRAM)
    program.chmod(0o700)
    cpu = max(os.sched_getaffinity(0))
    log = tmp_path / "log"
    pinned = Worker("nowhere:1", tmp_path, log, cpus=str(cpu), ounce=program)
    try:
        assert pinned.child.process.wait(30) == 0, pinned.child.log_tail()
    finally:
        pinned.child.stop()
    assert pinned.child.log_tail().strip() == f"[[{cpu}]]"
