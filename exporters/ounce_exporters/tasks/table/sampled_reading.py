"""Reading a file that is larger than memory should hold: a sample of its rows.

Every row has the same chance, and the same file gives the same rows, so nothing depends on a
machine or a moment.
"""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from ounce_schemas.errors import DataError

MOST_CELLS = 40_000_000
"""Of a table in memory, which takes about 100 bytes for each while its models are made."""
MOST_BYTES = 400_000_000
"""Of a text file."""
_HEAD = 64
"""Lines that are always read: a preamble, the header, the first rows."""
_MOST_RECORD = 1_000_000
"""Bytes between two quotes: with more, a quote is no quote."""
_SEPARATORS = b",;\t|"
_WIDE = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Sampled:
    """A file's content, or a sample of its rows."""

    content: bytes
    notice: str | None
    """What to say of the sample; None where everything was read."""


def read_text(path: Path) -> Sampled:
    """The bytes of a text file, as they are, or unpacked and sampled where they are too many.

    Raises:
        OSError: it can't be read.
        DataError: it is too large, and in two bytes a character.
    """
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    share = _share(_open(path, packed=packed), path.stat().st_size, packed=packed)
    if share >= 1:
        return Sampled(path.read_bytes(), None)
    kept, n, n_kept = [], 0, 0
    chance = np.random.default_rng(0)
    with _open(path, packed=packed) as file:
        for i, record in enumerate(_records(file)):
            if i >= _HEAD:
                n += 1
                if chance.random() >= share:
                    continue
                n_kept += 1
            kept.append(record)
    return Sampled(b"".join(kept), _notice(n_kept, n))


def read_batches(path: Path) -> tuple[pa.Table, str | None]:
    """A Parquet file as a table, sampled where its cells are too many; and what to say of that.

    Raises:
        pyarrow.ArrowException, OSError: it can't be read.
    """
    with pq.ParquetFile(path) as file:
        n, width = file.metadata.num_rows, len(file.schema_arrow.names)
        share = MOST_CELLS / max(n * width, 1)
        if share >= 1:
            return pq.read_table(path), None
        chance = np.random.default_rng(0)
        parts = [
            batch.filter(pa.array(chance.random(len(batch)) < share))
            for batch in file.iter_batches(batch_size=max(1, 4_000_000 // width))
        ]
    table = pa.Table.from_batches(parts)
    return table, _notice(len(table), n)


def _notice(n_kept: int, n: int) -> str:
    return (
        f"{n_kept:,} of {n:,} rows are read, chosen by chance: more than {MOST_CELLS:,} cells or "
        f"{MOST_BYTES:,} bytes would take too much memory"
    )


def _open(path: Path, *, packed: bool) -> BinaryIO:
    # A GzipFile reads and iterates as a file does.
    return gzip.open(path) if packed else path.open("rb")  # type: ignore[return-value]


def _share(file: BinaryIO, size_bytes: int, *, packed: bool) -> float:
    """Share of the rows that may be read. Of a packed file all of it is counted."""
    with file:
        if not packed and size_bytes < MOST_BYTES and 2 * size_bytes < MOST_CELLS:
            return 1.0  # a cell and its separator take two bytes at least
        try:
            sample = file.read(_MOST_RECORD)
            total = len(sample)
            while packed and (part := file.read(1 << 24)):
                total += len(part)
        except (OSError, EOFError):
            return 1.0  # a damaged file is told of where it is read
    total = total if packed else size_bytes
    cells = sample.count(b"\n") + max(sample.count(s) for s in _SEPARATORS) or 1
    share = min(MOST_BYTES / max(total, 1), MOST_CELLS * len(sample) / cells / max(total, 1))
    if share < 1 and sample.startswith(_WIDE):
        raise DataError(f"{total:,} bytes of UTF-16 are too many: save the table as UTF-8")
    return share


def _records(file: BinaryIO) -> Iterator[bytes]:
    """Lines; those that a quoted text goes on over are one."""
    record, quotes = b"", 0
    for line in file:
        record += line
        quotes += line.count(b'"')
        if quotes % 2 == 0 or len(record) > _MOST_RECORD:
            yield record
            record, quotes = b"", 0
    if record:
        yield record
