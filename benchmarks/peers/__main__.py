"""Ounce beside what people run today, in one run on one real broker.

Each peer runs in an environment of its own, which the first run makes under .peers; one that can't
be installed is named and left out. All answer the same digits with the same model, one after the
other, in another order each round, after one that is not counted. The broker and the client have
one processor, the peer the other one. Measured are answers per second to a backlog, and the time
from producing a request to reading its answer at a steady rate: the given one, or, where a peer
can't sustain that, seven tenths of its own rate.

Exit code 1 where Ounce failed, 0 otherwise.

Example: python -m benchmarks.peers --rounds 1 --peers ounce --peers quix --seconds 5
"""

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np

from benchmarks import results
from benchmarks.peers.aiokafka_loop import AIOKAFKA
from benchmarks.peers.base import Peer
from benchmarks.peers.comparison import Round, sustainable, tables
from benchmarks.peers.environment import PeerUnavailableError, prepare
from benchmarks.peers.faststream_tutorial import FASTSTREAM
from benchmarks.peers.measures import Field, PeerFailedError, measure_latency, measure_throughput
from benchmarks.peers.mlserver_kafka import MLSERVER
from benchmarks.peers.ounce_worker import OUNCE_JSON, OUNCE_RAW
from benchmarks.peers.quix_streams import QUIX
from benchmarks.worker.backlog import BROKER_CPU, broker
from benchmarks.worker.throughput import in_turn
from tests.support.kafka.jars import KafkaUnavailableError

OURS = (OUNCE_RAW, OUNCE_JSON)
PEERS = {peer.name: peer for peer in (*OURS, QUIX, FASTSTREAM, AIOKAFKA, MLSERVER)}


class Wanted(NamedTuple):
    """What is asked for."""

    models: Path
    rounds: int
    seconds: float
    """Of each measurement."""
    rate: float
    """Steady, requests per second."""


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True)
@click.option(
    "--peers", "names", type=click.Choice(list(PEERS)), multiple=True, default=tuple(PEERS),
    show_default=True, help="Who takes part; repeat for several.",
)  # fmt: skip
@click.option("--seconds", default=10.0, show_default=True, help="Of each measurement.")
@click.option("--rate", default=4000.0, show_default=True, help="Steady, requests per second.")
@results.models_option
@results.publish_option
def main(
    rounds: int, names: tuple[str, ...], seconds: float, rate: float, models: Path, publish: bool
) -> None:
    """Measure everybody in turn, and report."""
    split = models / "digits" / "test-split.npz"
    if not split.is_file():
        raise click.ClickException(
            f"no ladder in {models}/digits: make it with `ounce train digits --models {models}`"
        )
    ready, left_out = _prepare([PEERS[name] for name in dict.fromkeys(names)])
    try:
        measured = _compare(ready, left_out, Wanted(models, rounds, seconds, rate)) if ready else {}
    except KafkaUnavailableError as e:
        raise click.ClickException(str(e)) from e
    present = [(PEERS[name], of_it) for name, of_it in measured.items() if of_it]
    if present:
        found = tables(present, [ours.name for ours in OURS])
        results.report("peers", found, publish=publish)
    for name, why in left_out.items():
        click.echo(f"{name}: {why.splitlines()[0]}", err=True)
    sys.exit(1 if any(ours.name in left_out for ours in OURS) else 0)


def _prepare(peers: list[Peer]) -> tuple[dict[str, Path], dict[str, str]]:
    """The Python of each peer, and why some have none."""
    ready: dict[str, Path] = {}
    left_out: dict[str, str] = {}
    for peer in peers:
        try:
            ready[peer.name] = prepare(peer)
        except PeerUnavailableError as e:
            left_out[peer.name] = f"can't be installed and is left out: {e}"
            click.echo(f"{peer.name}: {left_out[peer.name]}", err=True)
    return ready, left_out


def _compare(
    ready: dict[str, Path], left_out: dict[str, str], wanted: Wanted
) -> dict[str, list[Round]]:
    """The rounds of each peer; who fails is noted in `left_out`."""
    inputs = np.load(wanted.models / "digits" / "test-split.npz")["input"]
    measured: dict[str, list[Round]] = {name: [] for name in ready}
    _leave_the_peers_processor()
    with broker() as servers:
        field = Field(servers, wanted.models.resolve(), inputs, wanted.seconds)
        for number in range(wanted.rounds + 1):
            # A fresh broker is slow for some seconds, until Java has compiled what it does.
            warms_up = number == 0
            for name in [*ready][:1] if warms_up else in_turn([*ready], number - 1):
                try:
                    found = _measure(field, PEERS[name], ready[name], wanted.rate)
                except PeerFailedError as e:
                    left_out[name] = f"failed in round {number}: {e}"
                    click.echo(f"{name}: {left_out[name]}", err=True)
                    continue
                if not warms_up:
                    measured[name].append(found)
                told = "to warm the broker, not counted" if warms_up else f"round {number}"
                click.echo(f"{told}: {name}: {found}")
    return measured


def _measure(field: Field, peer: Peer, python: Path, rate: float) -> Round:
    throughput = measure_throughput(field, peer, python)
    steady = measure_latency(field, peer, python, sustainable(throughput, rate))
    return Round(throughput, steady)


def _leave_the_peers_processor() -> None:
    """The client's threads stay beside the broker."""
    if BROKER_CPU is not None:
        with suppress(AttributeError, OSError):
            os.sched_setaffinity(0, {int(BROKER_CPU)})


if __name__ == "__main__":
    main()
