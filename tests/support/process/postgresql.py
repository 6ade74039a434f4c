"""A real PostgreSQL."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.process.child import free_port
from tests.support.process.wait import wait_until


class PostgresqlUnavailableError(Exception):
    """This machine has no PostgreSQL."""


@contextmanager
def running_postgresql() -> Iterator[str]:
    """URL of a server's empty database, while the server runs.

    Its data are in a folder of its own: a run of pytest closes the folder of all runs to others.

    Raises:
        PostgresqlUnavailableError: its programs are not here.
    """
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))  # Debian: not on PATH
    if not installed:
        raise PostgresqlUnavailableError("PostgreSQL is not here: apt-get install postgresql")
    programs, port = installed[-1].parent, free_port()
    with tempfile.TemporaryDirectory(prefix="ounce-postgresql-") as name:
        folder = Path(name)
        as_user: dict[str, object] = {}
        if os.geteuid() == 0:  # the server refuses to run as root
            shutil.chown(folder, "nobody")
            as_user = {"user": "nobody"}
        quiet = {"stdout": subprocess.DEVNULL, "cwd": folder, **as_user}
        make = ["initdb", "-D", "data", "-U", "ounce", "--auth=trust", "--no-sync"]
        subprocess.run([programs / make[0], *make[1:]], check=True, **quiet)
        options = ["-F", "-k", "", "-h", "127.0.0.1", "-p", str(port)]
        ends = ["setpriv", "--pdeathsig", "INT"] if shutil.which("setpriv") else []
        server = subprocess.Popen(  # it ends with this process, also where that is killed
            [*ends, programs / "postgres", "-D", "data", *options],
            stderr=subprocess.DEVNULL, **quiet,
        )  # fmt: skip
        try:
            ready = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
            wait_until(lambda: subprocess.run(ready, check=False).returncode == 0, server.poll)
            yield f"postgresql://ounce@127.0.0.1:{port}/postgres"
        finally:
            server.send_signal(signal.SIGINT)  # waits for no client that is still there
            server.wait(60)
