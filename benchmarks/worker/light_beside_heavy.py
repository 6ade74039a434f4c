"""Light messages with tight deadlines while heavy ones run: with and without lanes for long calls.

A pipeline serves digits on this thread as a worker does, but without a broker, whose own delays
would hide what is measured. Light messages come one by one, at random, and have 5 ms; heavy ones,
which need the largest model, come in bursts that take the given share of one core. Rounds with and
without lanes take turns in one process; each reports its light messages' time from arrival to
publishing, and what is reported in the end is the ratio of the two of one round.

Example: python -m benchmarks.worker.light_beside_heavy --rounds 5
"""

import gc
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import msgspec
import numpy as np
from ounce_edge.models.catalogue import Ladder, load_ladder
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_edge.pipeline.edition import Edition
from ounce_edge.pipeline.lanes import Lanes
from ounce_edge.pipeline.pipeline import Pipeline
from ounce_edge.wire.records import Outgoing
from ounce_schemas.policy import Policy
from ounce_schemas.prediction import Prediction

from benchmarks import results
from benchmarks.results import Table
from tests.support.edge.ladders import FakeRecord

LIGHT_MS, HEAVY_MS = 5.0, 200.0
LIGHT_FLOOR, HEAVY_FLOOR = 0.9, 0.975
BURST = 64
POLICY = Policy(cascades=False)


@dataclass(frozen=True)
class Load:
    """What a round sends."""

    light_per_s: float
    heavy_share: float
    """Of one core."""
    seconds: float


@dataclass(frozen=True)
class Round:
    """What became of one round's messages."""

    light_ms: np.ndarray
    heavy_ms: np.ndarray
    heavy_floors_met: float

    @property
    def in_time(self) -> float:
        """Share of the light messages."""
        return float((self.light_ms <= LIGHT_MS).mean())

    def p(self, percent: float) -> float:
        """Percentile of the light messages' time, milliseconds."""
        return float(np.percentile(self.light_ms, percent))

    def __str__(self) -> str:
        return (
            f"light p50 {self.p(50):.2f} ms, p99 {self.p(99):.2f} ms, {self.in_time:.1%} in time; "
            f"heavy p50 {np.percentile(self.heavy_ms, 50):.0f} ms, "
            f"p99 {np.percentile(self.heavy_ms, 99):.0f} ms, floors met {self.heavy_floors_met:.1%}"
        )


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--rounds", default=5, show_default=True, help="Rounds of each.")
@click.option("--seconds", default=4.0, show_default=True, help="Of a round.")
@click.option("--lanes", "n_lanes", default=1, show_default=True, help="Held against none.")
@click.option("--rate", default=200.0, show_default=True, help="Light messages per second.")
@click.option("--load", default=0.5, show_default=True, help="Of one core, by heavy messages.")
@results.models_option
@results.publish_option
def main(  # noqa: PLR0913
    rounds: int,
    seconds: float,
    n_lanes: int,
    rate: float,
    load: float,
    models: Path,
    publish: bool,
) -> None:
    """Print each round, and the ratios."""
    ladder = load_ladder(models, "digits", OnnxCpuRuntime())
    inputs = np.load(models / "digits" / "test-split.npz")["input"].astype("<f4")
    bodies = [row.tobytes() for row in inputs]
    gc.freeze()  # this and the following as a worker does
    gc.set_threshold(200_000, 20, 100)
    sys.setswitchinterval(0.0005)
    found: dict[int, list[Round]] = {0: [], n_lanes: []}
    for number in range(rounds):
        for n in (0, n_lanes) if number % 2 else (n_lanes, 0):
            found[n].append(_round(ladder, bodies, n, Load(rate, load, seconds), number))
            click.echo(f"round {number + 1}: lanes {n}: {found[n][-1]}")
    table = table_of(found, load)
    results.report("light_beside_heavy", {"light-beside-heavy": table}, publish=publish)


def table_of(found: Mapping[int, Sequence[Round]], load: float) -> Table:
    """Medians of the rounds with and without lanes, and the ratios of two of one round."""

    def median(rounds: Sequence[Round], of: Callable[[Round], float]) -> float:
        return statistics.median(map(of, rounds))

    rows: list[list[results.Cell]] = [
        [
            str(n),
            f"{median(rounds, lambda r: r.in_time):.1%}",
            f"{median(rounds, lambda r: r.p(50)):.1f}",
            f"{median(rounds, lambda r: r.p(99)):.1f}",
            f"{median(rounds, lambda r: float(np.median(r.heavy_ms))):.0f}",
        ]
        for n, rounds in found.items()
    ]
    told = []
    for percent in (50, 99):
        ratios = [a.p(percent) / b.p(percent) for a, b in zip(*found.values(), strict=True)]
        told.append(
            f"p{percent} without lanes over with them in one round: "
            f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        )
    columns = [
        "model threads", f"light answers within {LIGHT_MS:g} ms", "light, median, ms",
        "light, p99, ms", "heavy, ms",
    ]  # fmt: skip
    note = (
        f"The heavy messages come in bursts that take {load:.0%} of a core, and have {HEAVY_MS:g} "
        f"ms. Medians of {len(ratios)} rounds. Light messages, {'; '.join(told)}."
    )
    return Table(columns, rows, note)


def _round(ladder: Ladder, bodies: list[bytes], n_lanes: int, load: Load, seed: int) -> Round:
    lanes = Lanes(n_lanes)
    serving = Pipeline(Edition(ladder, POLICY.for_task("digits")), lanes=lanes)
    arrivals = _arrivals(serving, load, seed)
    published: list[tuple[float, Sequence[bytes | None]]] = []

    def publish(outgoing: Outgoing) -> None:
        published.append((time.perf_counter(), outgoing.values))

    arrived_s: list[float] = []
    start_s = time.perf_counter()
    while arrivals or serving.n_open:
        now_s = time.perf_counter() - start_s
        came = []
        while arrivals and arrivals[-1][0] <= now_s:
            at_s, is_heavy = arrivals.pop()
            i = len(arrived_s)
            headers = [
                ("ce_id", b"%d-%s" % (i, b"heavy" if is_heavy else b"light")),
                ("ce_maxlatencyms", b"%g" % (HEAVY_MS if is_heavy else LIGHT_MS)),
                ("ce_minaccuracy", b"%g" % (HEAVY_FLOOR if is_heavy else LIGHT_FLOOR)),
            ]
            stamp_ms = int((time.time() - (now_s - at_s)) * 1e3)
            body = bodies[i % len(bodies)]
            came.append(FakeRecord(body, headers, offset_=i, timestamp_ms=stamp_ms))
            arrived_s.append(start_s + at_s)
        if came:
            serving.admit(came, publish)
        if serving.due_in_s() == 0.0:
            serving.step(publish)
        else:
            next_s = arrivals[-1][0] - now_s if arrivals else load.seconds
            lanes.wait(max(min(serving.due_in_s(), next_s), 0.0))
    lanes.close()
    times: dict[str, list[float]] = {"light": [], "heavy": []}
    floors_met = []
    for at_s, values in published:
        for value in values:
            answer = msgspec.json.decode(value or b"", type=Prediction)
            number, kind = answer.id.split("-")
            times[kind].append((at_s - arrived_s[int(number)]) * 1e3)
            if kind == "heavy":
                floors_met.append(answer.parameters.floor_met)
    return Round(np.array(times["light"]), np.array(times["heavy"]), statistics.mean(floors_met))


def _arrivals(serving: Pipeline, load: Load, seed: int) -> list[tuple[float, bool]]:
    """Seconds from the start and whether it is heavy, of each message, the last one first."""
    view = serving.plans.view(time.perf_counter())
    largest = view.ranking(BURST).always_best
    every_s = view.calls[largest, BURST].expected_ms / 1e3 / load.heavy_share
    rng = np.random.default_rng(seed)
    light_s = np.cumsum(rng.exponential(1 / load.light_per_s, int(load.light_per_s * load.seconds)))
    bursts_s = np.arange(0.0, load.seconds, every_s)
    messages = [(at_s, False) for at_s in light_s.tolist()]
    messages += [(at_s, True) for at_s in bursts_s.tolist() for _ in range(BURST)]
    return sorted(messages, reverse=True)


if __name__ == "__main__":
    main()
