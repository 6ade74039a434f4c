"""A row of a task's table, by the names of its columns, as the flat data of its inputs."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ounce_schemas.cells import Cell, read_cell
from ounce_schemas.errors import InvalidMessageError, Reason
from ounce_schemas.task import TaskSpec, TensorSpec

from ounce_edge.wire.formats.content import ItemData, as_float
from ounce_edge.wire.formats.near_names import NearNames, fold
from ounce_edge.wire.formats.spellings import spellings

MOST_NAMES = 10
"""Column names that an error lists."""
_MOST_LAYOUTS = 1024
_MOST_OTHERS = 100
_LONGEST_NAMES = 1000
"""A layout with more names that are no column's, or with so many more letters than the columns
have, is not kept: a thousand of them could fill the worker's memory."""
_WRAPPED = ("value", "Value", "Body")
"""Names of the value in an object that stands for one, as OPC UA's are."""
_TYPES = frozenset(
    {
        *("$numberDouble", "$numberInt", "$numberLong", "$numberDecimal", "$date", "$oid"),
        *("N", "S", "BOOL", "double", "float", "int", "long", "string", "boolean"),
        *("doubleValue", "floatValue", "intValue", "longValue", "stringValue", "booleanValue"),
    }
)
"""Names of the type of a value that stands alone in an object: of MongoDB's extended JSON, of
DynamoDB, of Avro's unions in JSON, of Protobuf's."""
_GAP = {"NULL": True}
"""A value that is missing, of DynamoDB."""
_NAN = float("nan")
_LOST = object()
_COMPUTED = Cell(column="", read="number")


class _Place(NamedTuple):
    """One value of an input."""

    tensor: int
    names: tuple[str, ...]
    """How a sender may name it, the column first."""
    read: Callable[[Any], Any]
    gap: float | str
    allows_gap: bool
    own: str | None
    """Name of the input where it is another than the column's, such as `at.hour`: a sender may have
    computed it."""


class Layout(NamedTuple):
    """What the names of a row say."""

    keys: Sequence[str | None]
    """The name that each value of the inputs has; None: it is missing."""
    reads: Sequence[Callable[[Any], Any]]
    """What reads each value."""
    others: frozenset[str]
    """Names that are no column's."""
    is_known: bool
    """One of the names is a column's."""
    wrong: tuple[Reason, str] | None


class ColumnReader:
    """Reads rows of one task's table. A task whose inputs have no column names has none.

    Args:
        task: the task; its `cells` say how a value is read, for training and for serving.
    """

    def __init__(self, task: TaskSpec) -> None:
        self._task = task
        self._places = [
            place for t, spec in enumerate(task.inputs) for place in _places_of(t, spec)
        ]
        self.names = [*dict.fromkeys(place.names[0] for place in self._places)]
        """Of the columns, in the order of the inputs."""
        self.are_named = bool(self._places) and all(spec.columns for spec in task.inputs)
        self.have_paths = any("." in name for place in self._places for name in place.names)
        """Whether a name may be one within objects: `params.temperature`."""
        self._starts = [
            next((i for i, place in enumerate(self._places) if place.tensor == t), 0)
            for t in range(len(task.inputs))
        ]
        self._key_of = spellings([place.names for place in self._places])
        self._own_key_of = spellings([(p.own,) if p.own else () for p in self._places])
        self._most_letters = _LONGEST_NAMES + sum(map(len, self._key_of))
        self._near = NearNames(self.names)
        self._id_names = task.id_names or ()
        self._layouts: dict[tuple[str, ...], Layout] = {}
        self._latest: tuple[tuple[str, ...], Layout] | None = None
        """Of those that are not kept: the formats that a body may have ask for it in turn."""

    def layout(self, names: Iterable[str], *, may_be_misspelt: bool = True) -> Layout:
        """What rows with these names hold. A sender's rows all have the same names.

        Args:
            names: of a row.
            may_be_misspelt: whether to look for names that are nearly a column's. That takes some
                milliseconds at most, for names that are not known yet.
        """
        names = tuple(names)
        layout = self._layouts.get(names)
        if layout is not None:
            return layout
        if self._latest is not None and self._latest[0] == names:
            return self._latest[1]
        layout = self._find_layout(names, may_be_misspelt)
        if not may_be_misspelt:
            return layout
        is_long = len(names) > _MOST_OTHERS + len(self._key_of)
        if is_long or sum(map(len, names)) > self._most_letters:
            self._latest = names, layout
            return layout
        if len(self._layouts) >= _MOST_LAYOUTS:
            self._layouts.clear()
        self._layouts[names] = layout
        return layout

    def knows_any(self, names: Iterable[str]) -> bool:
        """Whether one of the names is a column's. Costs little, whatever the names are: a layout
        also looks for what may be misspelt."""
        return self.are_named and any(any(self._places_named(name)) for name in names)

    def has_all(self, names: Iterable[str]) -> bool:
        """Whether each column is among the names, once, or what was computed of it. Costs little,
        likewise."""
        found = [self._places_named(name) for name in names]
        given = [place for of_column, _ in found for place in of_column]
        all_given = {*given, *(place for _, computed in found for place in computed)}
        return (
            self.are_named and len({*given}) == len(given) and len(all_given) == len(self._places)
        )

    def read(self, row: Mapping[str, Any], *, may_be_misspelt: bool = True) -> ItemData:
        """The flat data of each input.

        Args:
            row: values by name: JSON values, or texts as a table has them.
            may_be_misspelt: as for `layout`.

        Raises:
            InvalidMessageError: a name is misspelt, a value is missing that must not be, or one
                can't be read as its column is.
        """
        layout = self.layout(row, may_be_misspelt=may_be_misspelt)
        if layout.wrong is not None:
            raise InvalidMessageError(*layout.wrong)
        flat = []
        for place, key, read in zip(self._places, layout.keys, layout.reads, strict=True):
            value = place.gap if key is None else read(row[key])
            if value is None:
                raise self._unreadable(place.tensor, str(key), row[str(key)])
            flat.append(value)
        if len(self._starts) == 1:
            return [flat]
        return [flat[a:b] for a, b in zip(self._starts, [*self._starts[1:], None], strict=True)]

    def _unreadable(self, tensor: int, name: str, given: Any) -> InvalidMessageError:
        places, _ = self._places_named(name)
        if not places:
            return InvalidMessageError(
                Reason.WRONG_DATATYPE,
                f"input {name[:40]!r} holds {str(given)[:40]!r}, which can't be read as a number",
            )
        place = next(self._places[i] for i in places if self._places[i].tensor == tensor)
        return InvalidMessageError(
            Reason.WRONG_DATATYPE,
            f"column {place.names[0]!r} holds {str(given)[:40]!r}, which can't be read as "
            f"{_kind(self._task.inputs[tensor], place)}",
        )

    def _find_layout(self, names: tuple[str, ...], may_be_misspelt: bool) -> Layout:
        given: dict[int, str] = {}
        computed: dict[int, str] = {}
        others, twice = [], None
        for name in names:
            of_column, of_input = self._places_named(name) if self.are_named else ((), ())
            if not of_column and not of_input:
                others.append(name)
            for known, places in ((given, of_column), (computed, of_input)):
                for place in places:
                    if place in known:
                        twice = known[place], name
                    known[place] = name
        reads = [
            _number if i in computed and i not in given else place.read
            for i, place in enumerate(self._places)
        ]
        given = computed | given
        keys = [given.get(i) for i in range(len(self._places))]
        wrong = self._wrong(given, others, twice, may_be_misspelt)
        return Layout(keys, reads, frozenset(others), bool(given), wrong)

    def _wrong(
        self,
        given: Mapping[int, str],
        others: Sequence[str],
        twice: tuple[str, str] | None,
        may_be_misspelt: bool,
    ) -> tuple[Reason, str] | None:
        """Why no row with these names can be served."""
        task = self._task.name
        if twice is not None:
            first, second = (name[:40] for name in twice)
            text = f"{first!r} and {second!r} are the same column; send one of them"
            return Reason.UNKNOWN_INPUT, text
        absent = [place for i, place in enumerate(self._places) if i not in given]
        names = {place.names[0] for place in absent}
        unknown = [name for name in others if name not in self._id_names]
        misspelt = self._near.find(unknown, names) if may_be_misspelt else None
        if misspelt is not None:
            name, column = misspelt
            return Reason.UNKNOWN_INPUT, (
                f"{name[:40]!r} is no column of task {task}, and column {column!r} is missing; "
                "if that is meant, send it by this name"
            )
        if not given:
            return Reason.MISSING_INPUT, (
                f"none of {_shown(others)} is a column of task {task}; it takes "
                f"{_shown(self.names)}"
            )
        needed = [place.names[0] for place in absent if not place.allows_gap]
        if needed:
            return Reason.MISSING_INPUT, (
                f"column {_shown(needed)} is missing; task {task} needs {_shown(self.names)}"
            )
        return None

    def _places_named(self, name: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The places that a name stands for as a column's, or as that of an input which the sender
        has computed: one of the two at most has any. An exact name goes before a folded one."""
        if name not in self._key_of and name not in self._own_key_of:
            name = "\0" + fold(name)
        places = self._key_of.get(name, ())
        return places, () if places else self._own_key_of.get(name, ())


def _places_of(tensor: int, spec: TensorSpec) -> list[_Place]:
    names = spec.columns or [f"{spec.name}[{i}]" for i in range(spec.size if spec.cells else 0)]
    kind = "number" if spec.datatype == "FP32" else "text"
    found = []
    for i, name in enumerate(names):
        cell = spec.cells[i] if spec.cells else Cell.model_validate({"column": name, "read": kind})
        gap: float | str = _NAN if spec.datatype == "FP32" else ""
        same = dict.fromkeys((cell.column, *(cell.aliases or ())))
        own = name if cell.column != name and spec.datatype == "FP32" else None
        found.append(_Place(tensor, tuple(same), _reader(cell), gap, spec.allow_missing, own))
    return found


def _reader(cell: Cell) -> Callable[[Any], Any]:
    """Reads one value; None for what can't be read. Numbers, which most are, cost little."""
    if cell.read != "number" or cell.missing:
        return lambda value: _read(cell, value)
    offset = cell.offset or 0.0

    def number(value: Any) -> float | str | None:
        if type(value) is float:
            return value - offset
        if type(value) is int:
            return as_float(value) - offset
        return _read(cell, value)

    return number


def _number(value: Any) -> float | str | None:
    return _read(_COMPUTED, value)


def _read(cell: Cell, value: Any) -> float | str | None:
    if value == _GAP:
        return read_cell(cell, None)
    for _ in range(2):  # {"value": 21.5, "unit": "C"}, {"Value": {"Type": 11, "Body": 21.5}}
        if type(value) is dict:
            names = (*_WRAPPED, *(_TYPES & value.keys() if len(value) == 1 else ()))
            value = next((value[name] for name in names if name in value), _LOST)
    if value is _LOST or isinstance(value, dict | list):
        return None
    return read_cell(cell, value)


def _shown(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return str([name[:40] for name in names[:MOST_NAMES]]) + more


def _kind(spec: TensorSpec, place: _Place) -> str:
    if spec.datatype == "BYTES":
        return "a text"
    cell = next((c for c in spec.cells or () if c.column == place.names[0]), None)
    if cell is None or cell.read == "number":
        return "a number"
    if cell.read == "seconds":
        return f"a duration; send {cell.date_format or 'H:MM:SS'}, or its seconds"
    return f"a date; send {cell.date_format or '2026-01-31T12:00:00'}"
