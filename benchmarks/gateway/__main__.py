"""What a gateway carries on one core, what it keeps, and whether live messages stay in time.

Example: python -m benchmarks.gateway --outage-s 20 --backlog 20000
"""

import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np

from benchmarks.gateway.accounting import account, share_within
from benchmarks.gateway.stage import Stage, result_of
from benchmarks.results import Cell, Table, publish_option, report
from tests.support.process.wait import wait_until

DEADLINE_S = 0.1
WARM = 2000
"""Messages before the line is cut: a broker that has just started is slow."""
LIMIT_S = 120.0
LEAST_PER_S = 1000
"""Stored messages that are waited for take no longer than at this pace."""
STORE_MB = 20_000
"""Of an outage of ten minutes nothing is dropped."""


class Live(NamedTuple):
    """Messages beside a backlog."""

    n: int
    per_s: float


def throughput(folder: Path, devices: int, per_s: float, seconds: float) -> list[Cell]:
    """A steady load: what was offered, forwarded, and what it took of a core."""
    with Stage(folder) as stage:
        count = int(per_s * seconds)
        before_s, began_s = stage.look(), time.monotonic()
        sent = result_of(stage.load(devices=devices, count=count, per_s=per_s))
        stage.far.wait_for(count, LIMIT_S)
        took_s, used_s = time.monotonic() - began_s, stage.look() - before_s
        found = account(stage.far.arrivals, count, devices)
        return [
            devices,
            round(sent["per_s"]),
            round(found.n_sent - found.n_lost),
            found.n_lost,
            round(100 * used_s / took_s),
            round(stage.most_mb),
        ]


def outage(folder: Path, devices: int, per_s: float, away_s: float) -> list[Cell]:
    """Kafka goes away under load, and the gateway is killed twice meanwhile."""
    with Stage(folder, [f"--max-store-mb={STORE_MB}"]) as stage:
        count = int(per_s * (away_s + 10))
        load = stage.load(devices=devices, count=count, per_s=per_s)
        time.sleep(3)
        stage.kafka.kill()
        for _ in range(2):
            time.sleep(away_s / 3)
            stage.kill_gateway()
        time.sleep(away_s / 3)
        most_stored = stage.gateway.value_of("ounce_gateway_stored_records")
        stage.kafka.start()
        sent = result_of(load)
        stage.far.wait_for(count, LIMIT_S + count / LEAST_PER_S)
        stage.look()
        found = account(stage.far.arrivals, count, devices)
        return [
            devices,
            away_s,
            sent["acknowledged"],
            round(most_stored),
            found.n_lost,
            found.n_repeated,
            found.n_out_of_order,
            round(stage.most_mb),
        ]


def backlog(folder: Path, order: str, devices: int, stored: int, live: Live) -> list[Cell]:
    """Live messages while a backlog is sent: their answers' round trip, held against 100 ms."""
    with Stage(folder, [f"--order={order}"], answers=True) as stage:
        metric, log = stage.gateway.value_of, stage.gateway.child.log_tail
        result_of(stage.load(devices=devices, count=WARM, per_s=live.per_s))
        stage.far.wait_for(WARM, LIMIT_S)
        stage.kafka.freeze()  # a line that is cut leaves a broker warm
        result_of(stage.load(devices=devices, first=WARM, count=1))
        wait_until(lambda: metric("ounce_gateway_kafka_away") == 1, log, LIMIT_S)
        result_of(stage.load(devices=devices, first=WARM + 1, count=stored - 1, per_s=5000))
        wait_until(lambda: metric("ounce_gateway_stored_records") >= stored, log, LIMIT_S)
        stage.kafka.thaw()
        wait_until(lambda: not metric("ounce_gateway_kafka_away"), log, LIMIT_S)
        began_s, first = time.monotonic(), WARM + stored
        load = stage.load(devices=devices, first=first, count=live.n, per_s=live.per_s, listen=True)
        stage.far.wait_for(first, LIMIT_S + stored / LEAST_PER_S)
        drained_s = time.monotonic() - began_s
        latencies_s = result_of(load)["latencies_s"]
        stage.far.wait_for(first + live.n, LIMIT_S)
        stage.look()
        found = account(stage.far.arrivals, first + live.n, devices)
        return [
            order,
            stored,
            round(drained_s, 1),
            live.n,
            round(100 * share_within(latencies_s, DEADLINE_S, live.n), 1),
            round(1e3 * float(np.median(latencies_s or [np.nan])), 1),
            found.n_lost,
            found.n_out_of_order,
            round(stage.most_mb),
        ]


@click.command(context_settings={"show_default": True})
@click.option("--devices", type=int, default=10_000, help="Devices that send in turn.")
@click.option("--per-s", type=float, default=5000.0, help="Messages a second.")
@click.option("--seconds", type=float, default=20.0, help="Length of the steady load.")
@click.option("--outage-s", type=float, default=600.0, help="Seconds that Kafka is away.")
@click.option("--backlog", "stored", type=int, default=100_000, help="Messages stored.")
@click.option("--live-per-s", type=float, default=500.0, help="Live messages beside them.")
@publish_option
def main(  # noqa: PLR0913  one for each option
    devices: int,
    per_s: float,
    seconds: float,
    outage_s: float,
    stored: int,
    live_per_s: float,
    publish: bool,
) -> None:
    """Measure a gateway on one core, between a real mosquitto and a real Kafka.

    All takes about half an hour. What is measured so far is kept in `results` on the way.

    Example: python -m benchmarks.gateway --outage-s 60
    """
    live = Live(round(live_per_s * stored / 5000), live_per_s)
    measures = {
        "gateway-throughput": lambda folder: Table(
            ["devices", "sent a second", "in Kafka", "lost", "% of a core", "MB at most"],
            [throughput(folder, devices, per_s, seconds)],
        ),
        "gateway-outage": lambda folder: Table(
            ["devices", "Kafka away, s", "acknowledged", "stored at its end", "lost", "repeated",
             "out of order", "MB at most"],
            [outage(folder, devices, per_s, outage_s)],
            "The gateway is killed (`kill -9`) twice while Kafka is away.",
        ),
        "gateway-backlog": lambda folder: Table(
            ["order", "stored", "sent within s", "live", "% answered in 100 ms", "p50 ms", "lost",
             "out of order", "MB at most"],
            [backlog(folder / f"{order}-{n}", order, devices, n, live)
             for order, n in (("device", 1), ("device", stored), ("live", stored))],
            f"{live_per_s:.0f} live messages a second of the devices that have stored ones; "
            "what answers does it at once. The first row is without a backlog.",
        ),
    }  # fmt: skip
    tables: dict[str, Table] = {}
    with tempfile.TemporaryDirectory(prefix="ounce-gateway-") as folder:
        for name, measure in measures.items():
            before = [*tables]
            tables[name] = measure(Path(folder) / name)
            is_last = len(tables) == len(measures)
            report("gateway", tables, publish=publish and is_last, shown=before)


if __name__ == "__main__":
    main()
