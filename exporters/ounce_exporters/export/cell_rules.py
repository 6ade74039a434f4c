"""How cells of a table are read, in words, for a model's page."""

from collections.abc import Sequence

from ounce_schemas.cells import DATE_PARTS, Cell, as_text
from ounce_schemas.task import TensorSpec

_SHOWN = 20


def cell_rows(tensors: Sequence[TensorSpec]) -> list[list[str]]:
    """Name, column and rule of each input that is not just the number in the cell."""
    return [
        [name, cell.column, rule]
        for tensor in tensors
        for name, cell in zip(tensor.columns or (), tensor.cells or (), strict=True)
        if (rule := _rule(cell)) != "number"
    ]


def _rule(cell: Cell) -> str:
    if cell.read == "text":
        texts = cell.texts or ()
        shown = ", ".join(f"`{text}`" for text in texts[:_SHOWN])
        more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
        return f"text; known are {shown}{more}" if texts else "text"
    if cell.read == "sentence":
        return "text, byte by byte"
    if cell.read == "seconds":
        written = cell.date_format or "H:MM:SS"
        return f"seconds of a duration or a time of day, written as `{written}`, or a number"
    if cell.read != "number":
        written = f", written as `{cell.date_format}`" if cell.date_format else ""
        return f"{cell.read} of a date ({DATE_PARTS[cell.read]}){written}"
    parts = ["number"]
    if cell.decimal == ",":
        parts.append("with a decimal comma")
    if cell.unit:
        parts.append(f"in {cell.unit}")
    if cell.offset:
        parts.append(f"less {as_text(cell.offset)}")
    return ", ".join(parts)
