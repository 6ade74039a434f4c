"""An environment of its own for each peer, made once and kept while its requirements stay."""

import importlib.metadata
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from benchmarks.peers.base import ROOT

FOLDER = ROOT / ".peers"
SHARED = ("numpy", "onnxruntime")
"""Packages that every peer has in the version of this environment."""

Run = Callable[[Sequence[str | Path]], None]


class Installed(Protocol):
    """Who has an environment of its own."""

    @property
    def name(self) -> str:
        """Of its folder."""
        ...

    @property
    def requirements(self) -> tuple[str, ...]:
        """Pinned packages; none: it runs in this environment."""
        ...


class PeerUnavailableError(Exception):
    """A peer can't be installed; the text says why."""


def prepare(
    peer: Installed,
    folder: Path = FOLDER,
    run: Run | None = None,
    shared_names: Sequence[str] = SHARED,
) -> Path:
    """The Python of a peer, its environment made where needed.

    Args:
        peer: whose.
        folder: of all environments.
        run: runs a command to its end; by default a process.
        shared_names: packages that it has in the version of this environment.

    Raises:
        PeerUnavailableError: it can't be installed.
    """
    if not peer.requirements:
        return Path(sys.executable)
    run = run or _run
    shared = [f"{name}=={importlib.metadata.version(name)}" for name in shared_names]
    wanted = [*peer.requirements, *shared, "python " + ".".join(map(str, sys.version_info[:2]))]
    home = folder / peer.name
    python, stamp = home / "bin" / "python", home / "requirements.json"
    if stamp.is_file() and json.loads(stamp.read_text()) == wanted:
        return python
    shutil.rmtree(home, ignore_errors=True)
    try:
        run([sys.executable, "-m", "venv", home])
        run([python, "-m", "pip", "install", "--quiet", *wanted[:-1]])
    except PeerUnavailableError:
        shutil.rmtree(home, ignore_errors=True)
        raise
    stamp.write_text(json.dumps(wanted))
    return python


def _run(command: Sequence[str | Path]) -> None:
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        lines = (result.stderr or result.stdout).strip().splitlines()
        raise PeerUnavailableError("; ".join(lines[-2:]) or f"exit code {result.returncode}")
