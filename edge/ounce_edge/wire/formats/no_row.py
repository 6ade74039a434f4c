"""Why a document of JSON is no request of a task."""

from collections.abc import Mapping
from itertools import islice
from typing import Any

from ounce_schemas.errors import InvalidMessageError, Reason

from ounce_edge.wire.formats.columns import MOST_NAMES, ColumnReader
from ounce_edge.wire.formats.nested import leaves


def no_row(document: Mapping[str, Any], columns: ColumnReader) -> InvalidMessageError:
    """Which names the task takes; of values within objects how a column gets at them."""
    try:
        columns.read(document)
    except InvalidMessageError as e:
        error = e
    else:  # all that is needed may be missing
        return no_request(document)
    if error.reason is not Reason.MISSING_INPUT:
        return error
    within = (path for path, v in leaves(document) if "." in path and type(v) in (int, float))
    paths = [path[:80] for path in islice(within, MOST_NAMES)]
    if not paths:
        return error
    return InvalidMessageError(
        error.reason,
        f"{error.text}. Within its objects are {paths}: task.json may give a column such an alias",
    )


def no_request(found: Any) -> InvalidMessageError:
    """What a document is, which nothing of the task is in."""
    if isinstance(found, dict):
        names = [str(name)[:40] for name in list(found)[:10]]
        what = f"an object with the names {names}" if names else "an empty object"
    elif isinstance(found, list):
        what = "a list" if found else "an empty list"
    else:
        what = f"{str(found)[:40]!r} alone"
    return InvalidMessageError(
        Reason.MALFORMED_JSON,
        f"body is JSON, but {what} is no request: neither `inputs` (Open Inference Protocol V2) "
        "nor a name of this task is in it",
    )


def check_no_batch(found: list[Any]) -> None:
    """Refuse CloudEvents in batched mode: an answer has one id, and each event its own."""
    if any(isinstance(part, dict) and "specversion" in part for part in found):
        raise InvalidMessageError(
            Reason.WRONG_SHAPE,
            f"a batch of {len(found)} CloudEvents; send each event by itself, or one event with a "
            "list of rows as its `data`",
        )
