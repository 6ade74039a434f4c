"""A change of a database's row, as change data capture writes it: the row counts as it is after.

Debezium, GoldenGate, Maxwell, Canal, AWS DMS and DynamoDB's streams each name the parts in their
own way. A row that was deleted is no input: to answer it would be to answer what is gone. Of some
changes the whole table is the subject, as of ALTER and TRUNCATE. They hold no row.
"""

from collections.abc import Mapping
from typing import Any

from ounce_schemas.errors import InvalidMessageError, Reason
from ounce_schemas.wording import shown

from ounce_edge.wire.formats.json_text import is_json_like, read_document

_OPERATIONS = ("op", "op_type", "type", "operation", "eventName")
_DELETES = frozenset({"d", "delete", "remove"})
_TRUNCATES = frozenset({"t", "truncate"})


def row_after(document: Mapping[str, Any]) -> Any:
    """The row, or rows, that a document says a change has left; None where it tells of none.

    Raises:
        InvalidMessageError: the row was deleted, or the change is one of the table.
    """
    if document.get("isDdl") is True or {"sql", "def"} <= document.keys():  # Canal's, Maxwell's
        raise _of_table(_operation(document))
    images = {"before", "after"} & document.keys()
    if len(images) == 2 or (images and _operation(document)):
        after = document.get("after")
    elif isinstance(change := document.get("dynamodb"), dict):
        after = change.get("NewImage")
    elif "table" in document and "data" in document:
        after = document["data"]
    elif isinstance(about := document.get("metadata"), dict) and "operation" in about:
        after, document = document.get("data"), about
    else:
        return None
    if after is None and _operation(document) in _TRUNCATES:
        raise _of_table("truncate")
    if after is None or _operation(document) in _DELETES:
        raise _deleted()
    if isinstance(after, str) and is_json_like(after.encode()):  # Debezium's of MongoDB
        return read_document(after.encode())
    return after if isinstance(after, dict | list) else None


def check_not_deleted(row: Mapping[str, Any]) -> None:
    """Refuse a row that Debezium wrote flat, with marks beside its columns that say it was deleted.

    Raises:
        InvalidMessageError: it was.
    """
    if row.get("__deleted") in ("true", True) or row.get("__op") == "d":
        raise _deleted()


def _deleted() -> InvalidMessageError:
    return InvalidMessageError(
        Reason.MISSING_INPUT,
        "it tells that a row was deleted, which leaves nothing to answer; let the connector send "
        "inserts and updates alone",
    )


def _of_table(operation: str) -> InvalidMessageError:
    named = f" ({shown(operation)})" if operation else ""
    return InvalidMessageError(
        Reason.MISSING_INPUT,
        f"it tells of a change of a table{named}, which holds no row to answer; let the connector "
        "send inserts and updates alone",
    )


def _operation(document: Mapping[str, Any]) -> str:
    found = (document.get(name) for name in _OPERATIONS)
    return next((text.lower() for text in found if isinstance(text, str)), "")
