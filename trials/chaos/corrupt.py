"""Records that can't be served, one of each kind."""

import json
import random
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trials.chaos.accounting import CORRUPT

_JSON = ("content-type", b"application/json")


class CorruptRecord(NamedTuple):
    """What to publish."""

    key: bytes
    value: bytes | None
    headers: list[tuple[str, bytes | None]]


def _tensor(data: object, **changes: object) -> bytes:
    of = {"name": "input", "shape": [1, 64], "datatype": "FP32", "data": data} | changes
    return json.dumps({"inputs": [of]}).encode()


def corrupt_record(rng: random.Random, good: NDArray[np.float32], number: int) -> CorruptRecord:
    """The `number`-th of a run.

    Args:
        rng: chooses its kind.
        good: an input that could be served, shape (64,); most are made of it.
    """
    raw, flat = good.astype("<f4").tobytes(), good.tolist()
    holes = good.astype("<f4")
    holes[3] = np.nan
    id = ("ce_id", b"corrupt-%d" % number)
    kinds: list[tuple[str, bytes | None, list[tuple[str, bytes | None]]]] = [
        ("no-json", b"{not json", [_JSON, id]),
        ("half-json", _tensor(flat)[:-40], [_JSON]),
        ("datatype", _tensor((good * 0.5 + 0.25).tolist(), datatype="INT64"), [_JSON, id]),
        ("shape", _tensor(flat, shape=[8, 8]), [_JSON]),
        ("length", _tensor(flat[:-1]), [_JSON, id]),
        ("name", _tensor(flat, name="image"), [_JSON]),
        ("bytes", raw[:-4], []),
        ("long", raw * 100, [id]),
        ("noise", rng.randbytes(rng.randrange(1, 250)), []),
        ("nan", holes.tobytes(), [id]),
        ("id", raw, [("ce_id", b"\xff\xfe")]),
        ("deadline", raw, [id, ("ce_maxlatencyms", b"-1")]),
        ("floor", raw, [id, ("ce_minaccuracy", b"very")]),
        ("content-type", raw, [id, ("content-type", b"image/png")]),
        ("null", None, [id]),
        ("empty", b"", []),
    ]
    kind, value, headers = rng.choice(kinds)
    return CorruptRecord(b"%b-%b-%d" % (CORRUPT, kind.encode(), number), value, headers)
