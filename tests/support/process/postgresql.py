"""A real PostgreSQL."""

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.process.child import free_port
from tests.support.process.wait import wait_until


class PostgresqlUnavailableError(Exception):
    """This machine has no PostgreSQL."""


@contextmanager
def running_postgresql(folder: Path) -> Iterator[str]:
    """URL of a server's empty database, while the server runs.

    Args:
        folder: an empty one, for its data.

    Raises:
        PostgresqlUnavailableError: its programs are not here.
    """
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))  # Debian: not on PATH
    if not installed:
        raise PostgresqlUnavailableError("PostgreSQL is not here: apt-get install postgresql")
    programs, port = installed[-1].parent, free_port()
    as_user: dict[str, object] = {}
    if os.geteuid() == 0:  # the server refuses to run as root
        shutil.chown(folder, "nobody")
        for parent in folder.parents:
            if not parent.stat().st_mode & stat.S_IXOTH:
                parent.chmod(0o755)
        as_user = {"user": "nobody"}
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
