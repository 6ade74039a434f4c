"""Flat JSON: a row of the task's table by column names, a list of rows, or plain numbers."""

import re
from collections.abc import Container, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from ounce_schemas.errors import InvalidMessageError, Reason
from ounce_schemas.json_errors import NO_JSON
from ounce_schemas.task import TaskSpec
from ounce_schemas.wording import counted

from ounce_edge.wire.formats.columns import ColumnReader
from ounce_edge.wire.formats.content import (
    TARGETS,
    Content,
    ItemData,
    as_id,
    check_n_rows,
    read_each,
)
from ounce_edge.wire.requests.request_body import PlainBodies, flat_data
from ounce_edge.wire.requests.tensor_values import pad_steps

NESTED = (
    "data", "payload", "after", "value", "values", "fields", "features", "inputs", "instances",
    "dataframe_records", "dataframe_split", "records", "readings", "measurements", "V", "ndarray",
)  # fmt: skip
"""Names under which senders put the row, or a list of rows."""
_UNNAMEABLE = re.compile(r'["\\\x00-\x1f]')
"""What no field of msgspec has in its name: rows of such columns are read one by one."""
_CHUNK = 32
"""Bodies decoded at a time, as for Open Inference Protocol bodies."""
_MOST_KINDS = 8
"""Of the rows of a message, by their names: of so many it is looked for misspelt names."""
_BESIDE = TARGETS | {"explanation"}
"""Names that mean the same beside the columns as within `parameters`."""


class FlatJson:
    """Reads flat JSON of one task.

    Args:
        task: the task.
        columns: reads its rows.
        max_rows: that one message may hold.
    """

    def __init__(self, task: TaskSpec, columns: ColumnReader, max_rows: int) -> None:
        self._task = task
        self._max_rows = max_rows
        self._columns = columns
        self._id_names = (*(task.id_names or ()), "id")
        self._decode_row = _row_decoder(task, columns)
        self._decode_row_with_id = _row_decoder(task, columns, self._id_names[0])
        self._offsets = np.array(
            [cell.offset or 0.0 for cell in task.inputs[0].cells or ()] or [0.0]
        )

    def takes(self, document: Any) -> bool:
        """Whether a document looks like a row, rows, or an input's numbers."""
        if isinstance(document, list):
            return bool(document)
        return isinstance(document, dict) and (
            self._columns.layout(document).is_known or self._named_tensors(document)
        )

    def read(self, document: Any) -> Content:
        """What a document holds that `takes` says yes to.

        Raises:
            InvalidMessageError: it can't be served.
        """
        if isinstance(document, dict):
            return self._read_object(document)
        if all(isinstance(part, dict) for part in document):
            check_n_rows(len(document), self._max_rows)
            if len(document) == 1:
                return self._read_object(document[0])
            contents = self._read_rows(document)
            if any(
                c.id or c.max_latency_ms or c.min_accuracy or c.explanation is not None
                for c in contents
            ):
                raise InvalidMessageError(
                    Reason.WRONG_SHAPE,
                    "a list of rows has one id and one pair of targets, and is explained or not: "
                    "send that as headers, or send one row a message",
                )
            return Content([item for c in contents for item in c.items])
        if all(isinstance(part, list) for part in document):
            check_n_rows(len(document), self._max_rows)
            if len(document) == 1:
                return Content([self._read_values(document[0])])
            return Content(read_each(self._read_values, document))
        return Content([self._read_values(document)])

    def bodies(self, values: Sequence[bytes]) -> PlainBodies | None:
        """Plain rows of a task with one FP32 input, all at once.

        Returns:
            None if any row is not plain and right: it has other names than the columns' and that of
            the id, lacks one, or holds anything but numbers.
        """
        n_names, n_colons = len(self._columns.names), values[0].count(b":")
        if self._decode_row is None or not n_names <= n_colons <= n_names + 1:
            return None
        has_id = n_colons > n_names
        decode = self._decode_row_with_id if has_id else self._decode_row
        if decode is None:
            return None
        rows: list[tuple[Any, ...]] = []
        try:
            for start in range(0, len(values), _CHUNK):
                some = values[start : start + _CHUNK]
                # As many colons as names: no other name, and none twice.
                if b"".join(some).count(b":") != n_colons * len(some):
                    return None
                rows += map(msgspec.structs.astuple, map(decode, some))
        except NO_JSON:
            return None
        ids: list[str | None] = []
        if has_id:
            *columns, given = zip(*rows, strict=True)
            ids = [as_id(id_) for id_ in given]
            array = np.array(columns, dtype=np.float64).T - self._offsets
        else:
            array = np.array(rows, dtype=np.float64) - self._offsets
        with np.errstate(over="ignore"):  # a number over float32's range becomes infinite
            return PlainBodies(np.asarray(array, dtype=np.float32, order="C"), ids)

    def _read_rows(self, rows: Sequence[Mapping[str, Any]]) -> list[Content]:
        """Rows mostly have the same names: a name that is misspelt is so in the first few kinds."""
        kinds = set[tuple[str, ...]]()

        def read(row: Mapping[str, Any]) -> Content:
            kinds.add(tuple(row))
            return self._read_object(row, may_be_misspelt=len(kinds) <= _MOST_KINDS)

        return read_each(read, rows)

    def _read_object(self, row: Mapping[str, Any], *, may_be_misspelt: bool = True) -> Content:
        if self._columns.are_named:
            item = self._columns.read(row, may_be_misspelt=may_be_misspelt)
        elif self._named_tensors(row):
            item = [self._flat_input(row[spec.name], spec.name) for spec in self._task.inputs]
        else:
            raise InvalidMessageError(
                Reason.MISSING_INPUT,
                f"an object of the list has not the inputs of task {self._task.name}",
            )
        content = Content([item])
        own = self._columns.layout(row, may_be_misspelt=may_be_misspelt).others
        content.id = self.id_in(row, own)
        if "parameters" in own:
            content.add_targets(row["parameters"])
        if not own.isdisjoint(_BESIDE):
            content.add_targets({name: row[name] for name in own & _BESIDE})
        return content

    def id_in(self, document: Mapping[str, Any], names: Container[str]) -> str | None:
        """The id of a row, in it or around it.

        Args:
            document: values by name.
            names: of those that may be one.

        Raises:
            InvalidMessageError: it is neither a text nor a whole number.
        """
        found = (as_id(document[name]) for name in self._id_names if name in names)
        return next(filter(None, found), None)

    def _named_tensors(self, document: Mapping[str, Any]) -> bool:
        """Whether each input stands there by its name as a list: `{"input": [1, 2, 3]}`."""
        return not self._columns.are_named and all(
            isinstance(document.get(spec.name), list) for spec in self._task.inputs
        )

    def _flat_input(self, values: list[Any], name: str) -> list[Any]:
        spec = next(spec for spec in self._task.inputs if spec.name == name)
        if len(values) == 1 and isinstance(values[0], list):
            values = values[0]
        if spec.channels is not None:
            values = pad_steps(flat_data(values), spec)
        kinds = (str,) if spec.datatype == "BYTES" else (float, int, type(None))
        wrong = next((v for v in values if not isinstance(v, kinds) or v is True or v is False), 0)
        if wrong != 0 or len(values) != spec.size:
            raise InvalidMessageError(
                Reason.WRONG_LENGTH if len(values) != spec.size else Reason.WRONG_DATATYPE,
                f"input {name!r} has {counted(len(values), 'value')}; task {self._task.name} takes "
                f"{spec.size} of {spec.datatype}, flat"
                + (f", not {str(wrong)[:40]!r}" if wrong != 0 else ""),
            )
        return values

    def _read_values(self, values: list[Any]) -> ItemData:
        """Values without names, in the order of the columns."""
        if self._columns.are_named:
            return self._columns.read(dict(zip(self.in_order(len(values)), values, strict=True)))
        if len(self._task.inputs) > 1:
            raise InvalidMessageError(
                Reason.MISSING_INPUT,
                f"values without names, and task {self._task.name} has several inputs",
            )
        return [self._flat_input(values, self._task.inputs[0].name)]

    def in_order(self, n: int) -> list[str]:
        """Names of the columns of a row without names that has `n` values.

        Raises:
            InvalidMessageError: the table has more or fewer.
        """
        names = self._columns.names
        if n != len(names):
            raise InvalidMessageError(
                Reason.WRONG_LENGTH,
                f"a row of {counted(n, 'value')}; task {self._task.name} has "
                f"{counted(len(names), 'column')}",
            )
        return names


def _row_decoder(task: TaskSpec, columns: ColumnReader, id_name: str | None = None) -> Any:
    """Decodes a row in which every column is a number; None where the task has other columns.

    Args:
        task: the task.
        columns: reads its rows.
        id_name: of the id behind the columns; no column may have this name.
    """
    spec = task.inputs[0]
    cells = spec.cells or ()
    if (
        not columns.are_named
        or not task.accepts_raw
        or len(columns.names) != spec.size
        or any(cell.read != "number" or cell.missing for cell in cells)
        or any(map(_UNNAMEABLE.search, [*columns.names, id_name or ""]))
        or (id_name is not None and columns.layout([id_name]).is_known)
    ):
        return None
    fields = {f"column_{i}": name for i, name in enumerate(columns.names)}
    types: list[tuple[str, Any]] = [(field, float) for field in fields]
    if id_name is not None:
        fields["id"] = id_name
        types.append(("id", str | int))
    row = msgspec.defstruct("Row", types, rename=fields)
    return msgspec.json.Decoder(row).decode
