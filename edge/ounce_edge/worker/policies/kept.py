"""The last good policy of a worker, kept on disk for a start at which the topic can't be read."""

import logging
from pathlib import Path

from ounce_schemas.errors import PolicyError
from ounce_schemas.policy_history import PolicyVersion, read_version
from ounce_schemas.whole_file import write_whole

logger = logging.getLogger(__name__)

_FILE = "policy.json"
_OWN = 0o600


class KeptPolicy:
    """One file in a folder.

    Args:
        folder: made where it is absent.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / _FILE

    def read(self) -> PolicyVersion | None:
        """What was kept last; None where there is nothing that can be used."""
        try:
            return read_version(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, PolicyError) as e:
            logger.error("the kept policy is of no use: %s: %s", self.path, e)
            return None

    def write(self, version: PolicyVersion) -> None:
        """Keep a version; the file is the one before or this one, never a part. A disk that does
        not take it is told of, and costs nothing else."""
        try:
            write_whole(self.path, version.model_dump_json().encode(), _OWN)
        except OSError as e:
            logger.error(
                "policy %s is not kept on disk, a start without the topic would not have it: %s",
                version.name,
                e,
            )
