"""What reading a request costs in each format: the decoder alone, in turn in one process.

Polls of the same rows are decoded in every format. The least time of all rounds counts: other work
on the machine only slows.

Example: python -m benchmarks.worker.formats --rounds 300
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import click
import numpy as np
from ounce_edge.wire.records import Columns, Headers, Record
from ounce_edge.wire.requests.decoding import Decoder
from ounce_schemas.policy import Policy
from ounce_schemas.task import TaskSpec, TensorSpec

from benchmarks import results
from benchmarks.results import Table
from benchmarks.routing.overhead import request

NAMES = ("Temperature", "Humidity", "Light", "CO2", "HumidityRatio")
ROW = (23.18, 27.27, 426.0, 721.25, 0.0048)
TASK = TaskSpec(
    name="room",
    kind="classification",
    description="Five numbers",
    inputs=(TensorSpec(name="input", datatype="FP32", shape=(5,), columns=NAMES),),
    labels=("empty", "full"),
)
POLL = 100
PLAIN = "V2 JSON"
WITH_ID = "V2 JSON with an id"
AT_LEAST_TWO = click.IntRange(min=2)


class Sent(NamedTuple):
    """What a sender writes of one row."""

    body: bytes
    headers: Headers


def _v2(i: int, **more: str) -> bytes:
    tensor = {"name": "input", "shape": [1, 5], "datatype": "FP32", "data": ROW}
    return json.dumps({**more, "inputs": [tensor]}).encode()


def _flat(i: int, **more: str) -> bytes:
    return json.dumps({**dict(zip(NAMES, ROW, strict=True)), **more}).encode()


def _event(i: int, content_type: str) -> Headers:
    values = {
        "ce_specversion": "1.0", "ce_type": "reading", "ce_source": "/room/7",
        "ce_id": f"reading-{i}", "ce_maxlatencyms": "20", "ce_minaccuracy": "0.9",
        "content-type": content_type,
    }  # fmt: skip
    return [(name, value.encode()) for name, value in values.items()]


RAW = np.array(ROW, "<f4").tobytes()
CSV = ",".join(map(str, ROW)).encode()
FORMATS: Mapping[str, Callable[[int], Sent]] = {
    "raw": lambda i: Sent(RAW, ()),
    "raw, CloudEvents headers": lambda i: Sent(RAW, _event(i, "application/octet-stream")),
    PLAIN: lambda i: Sent(_v2(i), ()),
    WITH_ID: lambda i: Sent(_v2(i, id=f"reading-{i}"), ()),
    "V2 JSON, CloudEvents headers": lambda i: Sent(_v2(i), _event(i, "application/json")),
    "flat JSON": lambda i: Sent(_flat(i), ()),
    "flat JSON with an id": lambda i: Sent(_flat(i, id=f"reading-{i}"), ()),
    "flat JSON, CloudEvents headers": lambda i: Sent(_flat(i), _event(i, "application/json")),
    "flat JSON with other names": lambda i: Sent(_flat(i, site="a"), ()),
    "CSV": lambda i: Sent(CSV, ()),
    "CloudEvents, structured": lambda i: Sent(
        b'{"specversion":"1.0","id":"%d","source":"/r","type":"t","data":%b}' % (i, _flat(i)), ()
    ),
}
AGAINST = {"flat JSON": PLAIN, "flat JSON with an id": WITH_ID}


def polls() -> Mapping[str, Sequence[Record]]:
    """The records of one poll in each format."""
    found = {}
    for name, write in FORMATS.items():
        sent = [write(i) for i in range(POLL)]
        found[name] = [request(i, s.body, list(s.headers), 1_000_000) for i, s in enumerate(sent)]
    return found


def measure(rounds: int) -> Mapping[str, float]:
    """Microseconds a message in each format, the least of all rounds.

    Raises:
        RuntimeError: a format is not understood.
    """
    decoder, records = Decoder(TASK, Policy().for_task(TASK.name)), polls()
    best = dict.fromkeys(FORMATS, np.inf)
    for _ in range(rounds):
        for name, poll in records.items():
            began_s = time.perf_counter()
            batch, rejected = decoder.decode(Columns.of(poll), 1_000_010.0)
            spent_s = time.perf_counter() - began_s
            if rejected or len(batch) != POLL:
                raise RuntimeError(f"{name} is refused: {rejected[0][1].text}")
            best[name] = min(best[name], spent_s / POLL * 1e6)
    return best


def table_of(best: Mapping[str, float]) -> Table:
    """One row a format."""
    rows: list[list[results.Cell]] = [
        [name, f"{us:.2f}", f"{best[AGAINST[name]] / us:.2f}" if name in AGAINST else ""]
        for name, us in best.items()
    ]
    columns = ["format", "µs a message", "throughput of V2 JSON with the same"]
    return Table(columns, rows, f"Polls of {POLL} rows of five numbers; least of all rounds.")


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--rounds", type=AT_LEAST_TWO, default=300, show_default=True, help="In turn.")
@results.publish_option
def main(rounds: int, publish: bool) -> None:
    """Print and write the table."""
    table = table_of(measure(rounds))
    results.report("formats", {"formats": table}, publish=publish)


if __name__ == "__main__":
    main()
