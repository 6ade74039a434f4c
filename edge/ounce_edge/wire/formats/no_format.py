"""Bodies in none of the formats: what they look like, and what the task would take."""

from ounce_schemas.errors import InvalidMessageError, Reason
from ounce_schemas.task import TaskSpec
from ounce_schemas.wording import counted

from ounce_edge.wire.formats.framed import schema_id_of
from ounce_edge.wire.formats.looks import looks_like


def no_format(value: bytes, task: TaskSpec) -> InvalidMessageError:
    """The error of a body that nothing reads.

    Args:
        value: the body.
        task: that it was sent to.
    """
    seen = looks_like(value)
    if schema_id_of(value) is not None:
        seen += (
            f" (as Avro in Confluent's framing its schema would be {schema_id_of(value)}; "
            "a worker reads that with --schema-registry)"
        )
    if task.image is None and not task.accepts_raw:
        return InvalidMessageError(
            Reason.UNKNOWN_CONTENT_TYPE,
            f"body looks like {seen}; task {task.name} takes JSON or CSV",
        )
    n_bytes = task.inputs[0].raw_bytes
    if task.image is None:
        n = task.inputs[0].size
        wanted = f"JSON, CSV, or {n} raw little-endian float32, which need {n_bytes} bytes"
    else:
        rows, width, channels = task.image.shape
        wanted = f"a PNG or JPEG file, or {n_bytes} bytes: {rows} rows of {width} pixels of "
        wanted += str(channels)
    return InvalidMessageError(
        Reason.WRONG_LENGTH,
        f"body of {counted(len(value), 'byte')} looks like {seen}; task {task.name} takes {wanted}",
    )
