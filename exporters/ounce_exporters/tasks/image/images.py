"""The pixels of all images of a task: from files, or from the rows of a table."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from ounce_edge.wire.formats.image_file import MOST_PIXELS, image_size, read_pixels
from ounce_schemas.errors import DataError, InvalidMessageError, Reason
from ounce_schemas.task import TensorSpec
from ounce_schemas.wording import counted
from pandas.api.types import is_numeric_dtype

from ounce_exporters.tasks.image.folders import is_image_name
from ounce_exporters.tasks.table.options import TableOptions
from ounce_exporters.tasks.table.rows import TableRows

IMAGE_INPUT = "image"
MOST_SIDE = 64
"""Pixels of the longer side where nobody says more: an item is a message."""
_MOST_BYTES = 4_000_000_000
"""Of all pixels together."""
_MOST_UNREADABLE = 0.1
"""Share of the files; of more, the table or folder is another than was meant."""
_LOOKED_AT = 20


@dataclass(frozen=True)
class Images:
    """What a task of images is made of."""

    tensor: TensorSpec
    values: NDArray[np.uint8]
    """Array of shape (n_items, height, width, channels)."""
    rows: TableRows
    """Those that have an image."""
    notices: tuple[str, ...]


def find_images(
    path: Path, rows: TableRows, target: str | None, options: TableOptions
) -> Images | None:
    """The images of a table: files that a column of paths names, or rows of pixels.

    Args:
        path: the table, or a folder of classes; paths are relative to it.
        rows: of the table.
        target: what is predicted.
        options: `image` says the size, and that rows hold pixels where no column names files.

    Returns:
        None where the table has none.

    Raises:
        DataError: files or pixels can't be used.
    """
    column = _path_column(rows.frame, target, options)
    if column is None and options.image is None:
        return None
    if column is not None:
        return _of_files(path, rows, column, target, options)
    return _of_rows(rows, target, options)


def _path_column(frame: pd.DataFrame, target: str | None, options: TableOptions) -> str | None:
    said = [name for name, kind in options.columns.items() if kind == "image"]
    found = said or [
        name
        for name in map(str, frame)
        if name != target and name not in (*options.columns, *options.without)
        if not is_numeric_dtype(frame[name]) and _are_paths(frame[name])
    ]
    if len(found) > 1:
        raise DataError(
            f"columns {', '.join(map(repr, found[:5]))} all name images: say which one is read "
            "with --columns NAME=image"
        )
    return found[0] if found else None


def _are_paths(column: pd.Series) -> bool:
    # The first few tell nearly always; then gaps are looked past.
    if not all(map(is_image_name, filter(None, column.iloc[:_LOOKED_AT].to_list()))):
        return False
    present = column[column != ""]
    return len(present) > 0 and all(map(is_image_name, present.iloc[:_LOOKED_AT]))


def _of_files(
    path: Path, rows: TableRows, column: str, target: str | None, options: TableOptions
) -> Images:
    first = path if path.is_dir() else path.parent
    other = first if options.test is None else options.test
    other = other if other.is_dir() else other.parent
    names = rows.frame[column].tolist()
    files = [(first if i < rows.n_first else other) / name for i, name in enumerate(names)]
    bad: dict[int, str] = {}
    sizes = []
    for i, file in enumerate(files):
        try:
            sizes.append(image_size(file.read_bytes()))
        except (OSError, InvalidMessageError) as e:
            bad[i] = _reason(e)
    shape = _shape(sizes, options)
    _check_memory(len(files), shape)
    pixels = np.zeros((len(files), *shape), np.uint8)
    large: list[str] = []
    for i, file in enumerate(files):
        try:
            if i not in bad:
                pixels[i], served = _read(file.read_bytes(), shape)
                large += [f"{files[i]}: {served}"] if served else []
        except (OSError, InvalidMessageError) as e:
            bad[i] = _reason(e)
    notices = [f"column {column!r} names images: models read {_told(shape)}"]
    if bad:
        i = min(bad)
        line = f"{len(bad)} of {len(files)} images can't be read, the first {files[i]}: {bad[i]}"
        if len(bad) > _MOST_UNREADABLE * len(files):
            raise DataError(f"{line}. Mend or remove them")
        notices.append(f"{line}; they are left out")
    if large:
        notices.append(
            f"{counted(len(large), 'image teaches', 'images teach')}, but workers take none "
            f"such: {large[0]}"
        )
    notices += _unused(rows.frame, {column, target}, options)
    kept = np.array([i not in bad for i in range(len(files))])
    return Images(_tensor(shape), pixels[kept], _kept(rows, kept), tuple(notices))


def _read(file: bytes, shape: tuple[int, int, int]) -> tuple[NDArray[np.uint8], str]:
    """The pixels, and why a worker would not read them; empty where it would."""
    try:
        return read_pixels(file, shape), ""
    except InvalidMessageError as e:
        if e.reason is not Reason.TOO_LARGE:
            raise
        return read_pixels(file, shape, MOST_PIXELS), e.text


def _of_rows(rows: TableRows, target: str | None, options: TableOptions) -> Images:
    assert options.image is not None
    height, width, channels = options.image
    left_out = {target, options.unit, options.time, options.by, *options.without}
    left_out |= {name for name, kind in options.columns.items() if kind == "ignore"}
    names = [name for name in rows.frame if name not in left_out]
    shape = (height, width, channels or (3 if len(names) == 3 * height * width else 1))
    if len(names) != np.prod(shape):
        raise DataError(
            f"--image {height}x{width} needs {height * width} columns of grey pixels or "
            f"{3 * height * width} of colours; the table has {len(names)} beside the target: name "
            "what is no pixel with --without"
        )
    _check_memory(len(rows.frame), shape)
    pixels = np.empty((len(rows.frame), len(names)), np.uint8)
    for i, name in enumerate(names):
        pixels[:, i] = _as_pixels(rows.frame[name])
    notices = (f"each row holds the pixels of an image: models read {_told(shape)}",)
    return Images(_tensor(shape), pixels.reshape(-1, *shape), rows, notices)


def _as_pixels(column: pd.Series) -> NDArray[np.uint8]:
    values = pd.to_numeric(column, errors="coerce").to_numpy(np.float64)
    wrong = ~((values >= 0) & (values <= 255) & (values == np.floor(values)))
    if wrong.any():
        found = column.iloc[int(wrong.argmax())]
        raise DataError(
            f"column {column.name!r} holds {str(found)[:40]!r}: pixels are whole numbers from 0 "
            "to 255"
        )
    return values.astype(np.uint8)


def _shape(sizes: Sequence[tuple[int, int, int]], options: TableOptions) -> tuple[int, int, int]:
    """What all files are brought to: the size that is said, else the median one."""
    if not sizes:
        return (1, 1, 1)  # no file can be read: that is said next
    height, width = (float(np.median([size[i] for size in sizes])) for i in (0, 1))
    channels = max(size[2] for size in sizes)
    if options.image is not None:
        return options.image[0], options.image[1], options.image[2] or channels
    scale = min(1.0, MOST_SIDE / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale)), channels


def _check_memory(n: int, shape: tuple[int, int, int]) -> None:
    n_bytes = n * int(np.prod(shape, dtype=np.int64))
    if n_bytes > _MOST_BYTES:
        raise DataError(
            f"{n} images of {_told(shape)} take {n_bytes / 1e9:.1f} GB, and may take "
            f"{_MOST_BYTES / 1e9:.0f}: give a smaller size with --image HEIGHTxWIDTH"
        )


def _told(shape: tuple[int, int, int]) -> str:
    height, width, channels = shape
    return f"{height} x {width} pixels, {'grey' if channels == 1 else 'in colour'}"


def _tensor(shape: tuple[int, int, int]) -> TensorSpec:
    return TensorSpec(name=IMAGE_INPUT, datatype="UINT8", shape=shape, minimum=0, maximum=255)


def _unused(frame: pd.DataFrame, used: set[str | None], options: TableOptions) -> list[str]:
    used = used | {options.unit, options.time, options.by, *options.without}
    unused = [name for name in frame if name not in used]
    if not unused:
        return []
    return [
        f"columns {', '.join(map(repr, unused[:5]))} are no inputs: models read the image alone"
    ]


def _kept(rows: TableRows, kept: NDArray[np.bool_]) -> TableRows:
    target = replace(rows.target, values=rows.target.values[kept])
    frame = rows.frame[kept].reset_index(drop=True)
    return replace(rows, frame=frame, n_first=int(kept[: rows.n_first].sum()), target=target)


def _reason(error: Any) -> str:
    if isinstance(error, InvalidMessageError):
        return error.text
    return str(error.strerror or error)
