"""From records that can't be served to dead letters on their topic."""

from collections.abc import Sequence

from ounce_schemas.errors import InvalidMessageError, Reason
from ounce_schemas.routing import Fallback
from ounce_schemas.topics import dead_letters_topic

from ounce_edge.pipeline.reports import Report
from ounce_edge.pipeline.tenants import tenant_of
from ounce_edge.pipeline.waiting import Taken
from ounce_edge.recommender.arrays import Items
from ounce_edge.wire.batch import Rejected, RequestBatch
from ounce_edge.wire.dead_letters import write_letter
from ounce_edge.wire.records import Outgoing, Publish

_WHAT_TO_DO = {
    Reason.MODEL_FAILED: "replay this record later",
    Reason.MODEL_CRASHED: "replay this record once the model is mended, or denied by the policy",
}


class Rejecting:
    """Publishes and reports the dead letters of one task.

    Args:
        task: its name.
        max_message_bytes: of a dead letter.
    """

    def __init__(self, task: str, max_message_bytes: int) -> None:
        self._topic = dead_letters_topic(task)
        self._max_message_bytes = max_message_bytes

    def reject(self, rejected: Sequence[Rejected], publish: Publish, report: Report) -> None:
        """Records that can't be served become dead letters."""
        for record, error in rejected:
            letter = write_letter(record, error, self._max_message_bytes)
            outgoing = Outgoing(
                self._topic, [letter.value], [letter.key], [letter.headers], None, [record]
            )
            publish(outgoing)
        if report.keeps_trails:
            report.letters += rejected
        report.rejected = [*report.rejected, *(error.reason for _, error in rejected)]
        tenants = (tenant_of(record.headers()) for record, _ in rejected)
        report.tenants_rejected = [*report.tenants_rejected, *tenants]

    def reject_failed(
        self,
        taken: Taken,
        items: Items,
        reason: Reason,
        why: str,
        publish: Publish,
        report: Report,
    ) -> None:
        """Requests that a model failed on, by their indices in `taken.batch`, become dead
        letters."""
        error = InvalidMessageError(reason, f"{why}; {_WHAT_TO_DO[reason]}")
        self.reject(_letters(taken.batch, [(i, error) for i in items.tolist()]), publish, report)

    def refuse(self, taken: Taken, publish: Publish, report: Report) -> None:
        """Requests that the policy turns away become dead letters."""
        batch = taken.batch
        taken.settle()
        refused = [
            (
                i,
                InvalidMessageError(
                    Reason.REFUSED,
                    f"no permitted plan meets {batch.max_latency_ms[i]:g} ms and accuracy "
                    f"{batch.min_accuracy[i]:g}, and the policy's fallback is "
                    f"{Fallback.REFUSE}; loosen a target or the policy",
                ),
            )
            for i in range(len(batch))
        ]
        self.reject(_letters(batch, refused), publish, report)


def _letters(
    batch: RequestBatch, failed: Sequence[tuple[int, InvalidMessageError]]
) -> list[Rejected]:
    """Dead letters of requests, by their indices. A message of several rows has one, when its last
    row has come to its end."""
    letters = []
    for i, error in failed:
        row = None if batch.rows is None else batch.rows[i]
        if row is None:
            letters.append((batch.records[i], error))
        elif row.of.fail(error):
            letters.append((row.of.record, row.of.error or error))
    return letters
