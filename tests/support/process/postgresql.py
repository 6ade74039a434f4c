"""A real PostgreSQL."""

import os
import shutil
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
    with tempfile.TemporaryDirectory(prefix="ounce-postgresql-") as folder:
        as_user: dict[str, object] = {}
        if os.geteuid() == 0:  # the server refuses to run as root
            shutil.chown(folder, "nobody")
            as_user = {"user": "nobody"}
        with _serving(installed[-1].parent, Path(folder), as_user) as url:
            yield url


@contextmanager
def _serving(programs: Path, folder: Path, as_user: dict[str, object]) -> Iterator[str]:
    port = free_port()
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "cwd": folder, **as_user}
    subprocess.run(
        [programs / "initdb", "-D", folder / "data", "-U", "ounce", "--auth=trust", "--no-sync"],
        **quiet,
    )
    options = ["-F", "-k", str(folder), "-h", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(
        [programs / "postgres", "-D", folder / "data", *options],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder, **as_user,
    )  # fmt: skip
    try:
        ready = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
        wait_until(lambda: subprocess.run(ready, check=False).returncode == 0, server.poll)
        yield f"postgresql://ounce@127.0.0.1:{port}/postgres"
    finally:
        server.terminate()
        server.wait(60)
