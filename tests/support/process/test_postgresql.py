"""A PostgreSQL of tests is not left behind."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.support.process.wait import wait_until

PROGRAM = """
import os, signal
from tests.support.process.postgresql import running_postgresql
with running_postgresql():
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(
    not [*Path("/usr/lib/postgresql").glob("*/bin/initdb")] or shutil.which("setpriv") is None,
    reason="apt-get install postgresql util-linux",
)
def test_a_run_that_is_killed_leaves_no_server() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o711)  # the server may run as another user
        env = {**os.environ, "TMPDIR": name, "PYTHONPATH": os.pathsep.join(sys.path)}
        killed = subprocess.run([sys.executable, "-c", PROGRAM], env=env, check=False)
        assert killed.returncode == -signal.SIGKILL
        assert len([*folder.glob("*/data/PG_VERSION")]) == 1
        wait_until(lambda: not [*folder.glob("*/data/postmaster.pid")], lambda: "it runs")
