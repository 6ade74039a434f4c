"""What makes no runtime, each in its own way. Processes import it: it imports little."""

import os
import time
from pathlib import Path

from ounce_edge.models.runtimes.base import Runtime
from ounce_schemas.errors import RuntimeAbsentError


def make_absent(cache: Path) -> Runtime:
    raise RuntimeAbsentError("no such GPU")


def make_dead(cache: Path) -> Runtime:
    os._exit(7)


def make_hung(cache: Path) -> Runtime:
    time.sleep(600)
    raise AssertionError


def make_broken(cache: Path) -> Runtime:
    raise RuntimeError("the GPU\n is broken")
