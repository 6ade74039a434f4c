"""What is made of the measurements. Pure."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.peers.base import Peer
from benchmarks.peers.measures import Steady
from benchmarks.results import Cell, Table

SUSTAINED = 0.7
"""Share of a peer's throughput at which it is held to keep up."""


@dataclass(frozen=True)
class Round:
    """What one round showed of a peer."""

    throughput: float
    """Answers per second to a backlog."""
    steady: Steady

    def __str__(self) -> str:
        steady = self.steady
        kept = (
            ""
            if steady.kept_up
            else f", not kept up: {steady.prompt_share:.0%} answered within a second"
        )
        return (
            f"{self.throughput:,.0f}/s; at {steady.rate:,.0f}/s p50 {steady.p50_ms:.1f} ms, "
            f"p99 {steady.p99_ms:.1f} ms{kept}"
        )


def sustainable(throughput: float, rate: float) -> float:
    """The rate, or what a peer of this throughput can keep up with."""
    return rate if throughput * SUSTAINED >= rate else round(throughput * SUSTAINED, -1)


def tables(
    measured: Sequence[tuple[Peer, Sequence[Round]]], ours: Sequence[str]
) -> dict[str, Table]:
    """Both tables.

    Args:
        measured: peers and their rounds; one failed where it has fewer rounds than others.
        ours: names of those that the others are compared with, by the same kind of body.
    """
    rates = {peer.body: rounds for peer, rounds in measured if peer.name in ours}
    throughput: list[list[Cell]] = []
    latency: list[list[Cell]] = []
    for peer, rounds in measured:
        each = [found.throughput for found in rounds]
        median = statistics.median(each)
        times = None
        if peer.name not in ours and peer.body in rates:
            other = statistics.median(found.throughput for found in rates[peer.body])
            times = f"{other / median:.1f}"
        spread = f"{round(min(each)):,} to {round(max(each)):,}"
        throughput.append([peer.title, peer.body, round(median), spread, times])
        steady = [found.steady for found in rounds]
        latency.append(
            [
                peer.title,
                peer.body,
                round(statistics.median(s.rate for s in steady)),
                f"{statistics.median(s.p50_ms for s in steady):.1f}",
                f"{statistics.median(s.p99_ms for s in steady):.1f}",
                f"{sum(s.kept_up for s in steady)} of {len(steady)} rounds",
            ]
        )
    n = max(len(rounds) for _, rounds in measured)
    limited = [
        f"{peer.name} has {peer.in_flight} requests at a time under way, instead of a backlog."
        for peer, _ in measured
        if peer.in_flight is not None
    ]
    return {
        "peers-throughput": Table(
            ["what", "bodies", "backlog, messages/s", "range", "Ounce, times as fast"],
            throughput,
            " ".join([f"Medians of {n} rounds in turn.", *limited]),
        ),
        "peers-latency": Table(
            ["what", "bodies", "steady rate, messages/s", "p50, ms", "p99, ms", "kept up in"],
            latency,
            "From producing a request to reading its answer. A lower rate stands where a peer's "
            f"throughput is too small: {SUSTAINED:.0%} of it.",
        ),
    }
