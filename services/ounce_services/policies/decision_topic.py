"""Decisions that workers published."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ounce_edge.dry_run.recorded import Log, logs_in
from ounce_schemas.errors import ArtifactError
from ounce_schemas.topics import decisions_topic

from ounce_services.policies.canary_state import Topics


@dataclass(frozen=True)
class TopicRecording:
    """The topic `ounce.decisions` of a cluster; a `Recording`. Each read goes through all of it."""

    topics: Topics

    def __str__(self) -> str:
        return f"topic {decisions_topic()}"

    def tasks(self) -> Sequence[str]:
        """Tasks that decisions are recorded of.

        Raises:
            ArtifactError: none.
        """
        keys = {record.key() for record in self.topics.read(decisions_topic())}
        names = sorted(key.decode(errors="replace") for key in keys if key)
        if not names:
            raise ArtifactError(
                f"{self}: no recorded decisions; start a worker with --publish-decisions"
            )
        return names

    def read(self, task: str) -> Iterator[Log]:
        """Logs of a task, as they come. Those of another version are passed over.

        Raises:
            ArtifactError: a record is no log of decisions.
        """
        for record in self.topics.read(decisions_topic()):
            if record.key() == task.encode():
                where = f"{decisions_topic()}-{record.partition()}-{record.offset()}"
                yield from logs_in(record.value() or b"", where)
