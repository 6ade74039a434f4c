"""Which format a body is in. Nothing is refused before every format has had its look.

The content type, where it says something, is believed as long as the body agrees.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from msgspec.structs import replace
from ounce_schemas.errors import InvalidMessageError, Reason
from ounce_schemas.request import AnswerForm, Request
from ounce_schemas.task import TaskSpec

from ounce_edge.wire.formats.by_columns import rows_of, seldon_rows
from ounce_edge.wire.formats.cbor import is_cbor, read_cbor
from ounce_edge.wire.formats.changes import check_not_deleted, row_after
from ounce_edge.wire.formats.columns import ColumnReader
from ounce_edge.wire.formats.connect import is_envelope, read_payload
from ounce_edge.wire.formats.content import Content
from ounce_edge.wire.formats.csv_line import CsvLine
from ounce_edge.wire.formats.enclosed import document_within, from_base64
from ounce_edge.wire.formats.flat import NESTED, FlatJson
from ounce_edge.wire.formats.framed import FRAME_BYTES, FramedReader, is_likely_id, schema_id_of
from ounce_edge.wire.formats.image_file import PixelReader, is_image_file, read_pixels
from ounce_edge.wire.formats.json_text import (
    is_json,
    is_json_like,
    is_text,
    plain_text,
    read_document,
)
from ounce_edge.wire.formats.line_protocol import line_rows
from ounce_edge.wire.formats.nested import row_by_paths, row_within
from ounce_edge.wire.formats.no_format import no_format
from ounce_edge.wire.formats.no_row import check_no_batch, no_request, no_row
from ounce_edge.wire.formats.pairs import row_of_pairs, strange_pairs
from ounce_edge.wire.formats.schemas import Schemas
from ounce_edge.wire.formats.text_pairs import row_in_text
from ounce_edge.wire.formats.v2_wide import BINARY_SIZE, WideReader, has_tensors, split_binary
from ounce_edge.wire.requests.request_body import read_body, read_tensors, tensor_data
from ounce_edge.wire.requests.request_head import RequestHead

_DEEPEST = 8
"""Envelopes within envelopes."""
MOST_ROWS = 1000
_BINARY_SIZE = BINARY_SIZE.encode()
_MISSING = np.float32("nan").tobytes()


class Recogniser:
    """Reads bodies of one task.

    Args:
        task: the task.
        schemas: knows the schemas of framed bodies; None: nobody does.
        max_rows: that one message may hold.
        pixels: reads image files.
    """

    def __init__(
        self,
        task: TaskSpec,
        schemas: Schemas | None = None,
        max_rows: int = MOST_ROWS,
        pixels: PixelReader = read_pixels,
    ) -> None:
        self._task, self._pixels = task, pixels
        self._max_rows = max_rows
        self.framed = None if schemas is None else FramedReader(schemas)
        """Reads framed bodies; None: only those of JSON are read."""
        self.raw_bytes = task.inputs[0].raw_bytes if task.accepts_raw else None
        """Length of a raw body; None: the task takes none."""
        self._image = task.image
        first = task.inputs[0]
        self._step_bytes = 4 * len(first.channels or ()) if task.accepts_raw else 0
        self._columns = ColumnReader(task)
        self.flat = FlatJson(task, self._columns, max_rows)
        cells = [cell for spec in task.inputs for cell in spec.cells or ()]
        self._takes_text = len(cells) == 1 and cells[0].read == "sentence"
        self._csv = CsvLine(task, self._columns, self.flat, max_rows)
        self._wide = WideReader(task, self._columns, max_rows)

    def _is_shorter(self, value: bytes) -> bool:
        """Whether it may be the raw tensor of a sequence of fewer steps."""
        return 0 < len(value) < (self.raw_bytes or 0) and len(value) % self._step_bytes == 0

    def may_be_files(self, values: Sequence[bytes]) -> bool:
        """Whether the task takes image files, and one of the bodies is one."""
        return self._image is not None and any(
            is_image_file(value, self.raw_bytes) for value in values
        )

    def read(self, head: RequestHead, value: bytes, depth: int = 0) -> Content:
        """What a body holds.

        Args:
            head: of its record.
            value: the body.
            depth: envelopes around it.

        Raises:
            InvalidMessageError: no format takes it, or the one that it is in finds it wrong.
        """
        if self._image is not None and is_image_file(value, self.raw_bytes):
            return Content([self._pixels(value, self._image.shape).tobytes()], is_raw=True)
        error: InvalidMessageError | None = None
        is_raw_size = len(value) == self.raw_bytes
        if value[:1] == b"\0" and depth == 0 and not (is_raw_size and head.is_json is False):
            framed = self._read_framed(head, value, is_raw_size)
            if framed is not None:
                return framed
        if b'"inputs"' in value and head.is_json is not False and head.json_bytes is None:
            try:
                return _plain(read_body(value.rstrip(b"\0")), self._task)
            except InvalidMessageError as e:
                error = e
        if is_raw_size and head.is_json is False:
            return Content([value], is_raw=True)
        if head.json_bytes or _BINARY_SIZE in value:
            document = split_binary(value, head.json_bytes)
            if document is not None:
                return self._read_document(document, head, depth)
        if head.is_json and is_cbor(value):
            return self._read_document(read_cbor(value), head, depth)
        text = value if value[:2] == b'{"' else plain_text(value)
        if head.is_json or is_json_like(text):
            try:
                return self._read_document(read_document(text), head, depth, error)
            except InvalidMessageError as e:
                if e.reason is not Reason.MALFORMED_JSON or head.is_json:
                    raise
                if is_raw_size and not is_json(text):
                    return Content([value], is_raw=True)
                if head.is_json is None or self.raw_bytes is None:
                    raise
        if is_raw_size:
            return Content([value], is_raw=True)
        if self._step_bytes and not is_text(text) and self._is_shorter(value):
            missing = _MISSING * ((self.raw_bytes or 0) // 4 - len(value) // 4)
            return Content([missing + value], is_raw=True)
        content = self._read_text(text.decode()) if is_text(text) else None
        if content is None and is_cbor(value):
            return self._read_document(read_cbor(value), head, depth)
        if content is None:
            raise no_format(value, self._task)
        return content

    def _read_text(self, text: str) -> Content | None:
        """CSV, line protocol or pairs, or the text itself where the task takes nothing but one."""
        if self._takes_text and not self._columns.layout(text.splitlines()[:1]).is_known:
            return Content([self._columns.read({self._columns.names[0]: text})])
        rows: Any = line_rows(text, self._columns) or row_in_text(text, self._columns)
        return self._csv.read(text) if rows is None else self.flat.read(rows)

    def _read_framed(self, head: RequestHead, value: bytes, is_raw_size: bool) -> Content | None:
        """What a framed body holds; None where it may be something else."""
        schema_id = schema_id_of(value)
        if schema_id is None or (is_raw_size and not is_likely_id(schema_id)):
            return None
        seems_json = is_json_like(value[FRAME_BYTES:]) and not is_raw_size
        if self.framed is not None:
            try:
                found = self.framed.read(schema_id, value)
            except InvalidMessageError:
                if not (is_raw_size or (seems_json and is_json(value[FRAME_BYTES:]))):
                    raise
            else:
                return self._read_document(found, head, 1)
        if seems_json:
            return self.read(replace(head, is_json=True), value[FRAME_BYTES:], 1)
        return None

    def _read_document(
        self, found: Any, head: RequestHead, depth: int, error: InvalidMessageError | None = None
    ) -> Content:
        if depth > _DEEPEST:
            raise InvalidMessageError(
                Reason.MALFORMED_JSON, f"more than {_DEEPEST} envelopes, one within the other"
            )
        if isinstance(found, list) and len(found) == 1 and isinstance(found[0], dict):
            found = found[0]
        if isinstance(found, list):
            check_no_batch(found)
        if isinstance(found, dict):
            if "specversion" in found:
                return self._read_event(found, head, depth)
            if is_envelope(found):
                return self._read_document(read_payload(found), head, depth + 1)
            if (row := self._row_after(found)) is not None:
                return self._with_outer(self._read_document(row, head, depth + 1), found)
            if (tensor := seldon_rows(found)) is not None:
                found = {**found, "ndarray": tensor}
            rows = rows_of(found, self._columns, self._max_rows)
            if rows is not None:
                return self._with_outer(self.flat.read(rows), found)
            if has_tensors(found):
                return self._read_tensors(found, error)
        name = None if self._image is None else self._image.name
        if isinstance(found, dict) and isinstance(found.get(name), str):
            file = from_base64(found[name], f"`{name}`")
            return self._with_outer(self.read(replace(head, is_json=False), file, depth + 1), found)
        if (row := row_of_pairs(found, self._columns)) is not None:
            return self.flat.read(row)
        if (row := strange_pairs(found, self._columns)) is not None:
            raise no_row(row, self._columns)
        if isinstance(found, dict) and (row := row_by_paths(found, self._columns)) is not None:
            return self._with_outer(self.flat.read(row), found)
        if self.flat.takes(found):
            return self.flat.read(found)
        if isinstance(found, dict):
            for name in NESTED:
                if isinstance(found.get(name), dict | list):
                    inner = self._read_document(found[name], head, depth + 1)
                    return self._with_outer(inner, found)
            if (row := row_within(found, self._columns)) is not None:
                return self._with_outer(self.flat.read(row), found)
            if (text := document_within(found)) is not None:
                return self._with_outer(self._read_document(text, head, depth + 1), found)
            if found and self._columns.are_named:
                raise no_row(found, self._columns)
        raise error or no_request(found)

    def _read_tensors(self, found: dict[str, Any], error: InvalidMessageError | None) -> Content:
        unexplained = error or no_request(found)
        try:
            return self._wide.read(found, unexplained)
        except InvalidMessageError as e:
            if e is unexplained and error is None:
                _plain(read_tensors(found), self._task)  # what is wrong with it as a plain one
            raise

    def _row_after(self, found: Mapping[str, Any]) -> Any:
        """What a change in a database has left; None where the task's own columns stand here."""
        if self._columns.knows_any(found):
            check_not_deleted(found)
            return None
        return row_after(found)

    def _with_outer(self, content: Content, outer: Mapping[str, Any]) -> Content:
        """What stands beside the nested row counts where the row does not say it."""
        content.add_targets(outer.get("parameters"))
        content.add_targets(outer)
        if content.id is None:
            plain = {k for k, v in outer.items() if not isinstance(v, dict | list | float)}
            content.id = self.flat.id_in(outer, plain)
        return content

    def _read_event(self, event: Mapping[str, Any], head: RequestHead, depth: int) -> Content:
        """A CloudEvent in structured mode."""
        data, encoded = event.get("data"), event.get("data_base64")
        if isinstance(encoded, str):
            inner = from_base64(encoded, "`data_base64` of the CloudEvent")
            content = self.read(replace(head, is_json=None), inner, depth + 1)
        elif isinstance(data, str):
            content = self.read(replace(head, is_json=None), data.encode(), depth + 1)
        elif data is None:
            raise InvalidMessageError(
                Reason.NULL_VALUE, "the CloudEvent has no `data`; send the input there"
            )
        else:
            content = self._read_document(data, head, depth + 1)
        content.answer = content.answer or AnswerForm.CLOUDEVENTS
        names = event.keys() - {"data", "data_base64"}
        content.attributes = {**{name: event[name] for name in names}, **content.attributes}
        return content


def _plain(request: Request, task: TaskSpec) -> Content:
    parameters = request.parameters
    return Content(
        [tensor_data(request, task)],
        request.id,
        [output.name for output in request.outputs or ()] or None,
        None if parameters is None else parameters.max_latency_ms,
        None if parameters is None else parameters.min_accuracy,
        None if parameters is None else parameters.answer,
        None if parameters is None else parameters.explanation,
    )
