"""Workers of another version of Ounce beside those of this one, on the same topics: does it go on?

Two workers of the other version serve digits. They are replaced one by one by workers of this
version, then back. Each version writes a policy while workers of both serve. Devices ask all the
time. Every request must have an answer, each worker must follow each policy, and the version that
serves must explain what it has decided, also in a folder where the other one has recorded.

Exit code 1 where that is not so.

Example: git worktree add ../older v0.1.0 && python -m trials.upgrade --other ../older
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import click
from ounce_schemas.topics import control_topics, decisions_topic, events_topic

from benchmarks import results
from tests.support.kafka.apache_kafka import ApacheKafka
from tests.support.kafka.topics import OwnTopics
from tests.support.process.worker import OUNCE, PATIENT, Device, Worker

_HERE = Path(__file__).resolve().parents[1]
_PACKAGES = "schemas", "edge", "exporters", "services"
_RATE_PER_S, _BESIDE_S = 100, 8.0
_BODY = b"[" + b",".join([b"0"] * 64) + b"]"


class Version:
    """Commands of a checkout, run with the packages that are installed here.

    Args:
        name: in what is said.
        folder: of the checkout.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.env = {"PYTHONPATH": ":".join(str(folder / package) for package in _PACKAGES)}

    def run(self, *words: str | Path) -> str:
        """What a command prints.

        Raises:
            RuntimeError: it fails.
        """
        done = subprocess.run(
            [OUNCE, *map(str, words)],
            env={**os.environ, **self.env},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{self.name}: ounce {words[0]}: {done.stderr or done.stdout}")
        return done.stdout


class Load:
    """Devices that ask all the time, as long as the context lasts."""

    def __init__(self, servers: str) -> None:
        self.device = Device(servers)
        self.n_sent = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send)

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Ask no more."""
        self._stop.set()
        self._thread.join()

    def _send(self) -> None:
        while not self._stop.wait(1 / _RATE_PER_S):
            headers = [("ce_id", b"%d" % self.n_sent), PATIENT]
            self.device.send(_BODY, headers, b"%d" % (self.n_sent % 50))
            self.n_sent += 1
        self.device.flush()


class Fleet:
    """Two places for workers, of either version.

    Args:
        servers: of Kafka.
        models: folder of the ladder.
        folder: for logs, recorded decisions and kept policies.
        options: of every worker.
    """

    def __init__(self, servers: str, models: Path, folder: Path, options: Sequence[str]) -> None:
        self._servers, self._models, self._folder = servers, models, folder
        self._options = options
        self.decisions = folder / "decisions"
        self.workers: dict[int, Worker] = {}

    def put(self, place: int, version: Version) -> None:
        """A worker of this version takes a place, after the one before has ended in order."""
        self.leave(place)
        # What another version kept, this one finds at its start.
        options = ["--follow-policies", f"--state={self._folder / str(place)}"]
        options += [f"--decisions={self.decisions}", *self._options]
        log = self._folder / f"worker-{place}-{time.strftime('%H%M%S')}-{version.name}.log"
        worker = Worker(self._servers, self._models, log, options, env=version.env)
        self.workers[place] = worker
        worker.wait_until_ready()

    def leave(self, place: int) -> None:
        """Empty a place.

        Raises:
            RuntimeError: the worker did not end in order.
        """
        worker = self.workers.pop(place, None)
        if worker is not None and (code := worker.child.stop(60)) != 0:
            raise RuntimeError(f"a worker ended with {code}:\n{worker.child.log_tail()}")

    def policies(self) -> list[str]:
        """Which version of the policy each worker serves under."""
        return [
            line.split('"')[1]
            for worker in self.workers.values()
            for line in worker.get("/metrics")[1].splitlines()
            if line.startswith("ounce_policy_info{")
        ]


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--other",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Checkout of the other version.",
)
@click.option(
    "--delivery", default="exactly-once", type=click.Choice(["at-least-once", "exactly-once"])
)
@results.models_option
def main(other: Path, delivery: str, models: Path) -> None:
    """Replace, write, and count."""
    old, new = Version("other", other.resolve()), Version("this", _HERE)
    folder = Path(tempfile.mkdtemp(prefix="ounce-upgrade-"))
    click.echo(f"logs in {folder}")
    faults: list[str] = []
    with ExitStack() as stack:
        servers = stack.enter_context(ApacheKafka(runs_shortly=True)).bootstrap_servers
        topics = OwnTopics(servers)
        topics.of_task("digits", 4)
        topics.make([events_topic(), decisions_topic()])
        topics.make(control_topics(), config={"cleanup.policy": "compact"})
        fleet = Fleet(servers, models, folder, [f"--delivery={delivery}"])
        for place in range(2):
            stack.callback(fleet.leave, place)
            fleet.put(place, old)
        load = stack.enter_context(Load(servers))
        n_written = 0
        for after in (new, old):
            for place in range(2):
                fleet.put(place, after)
                for writer in (old, new):
                    n_written += 1
                    faults += _change_policy(fleet, writer, servers, folder, n_written)
                time.sleep(_BESIDE_S)
            faults += _explain(after, fleet, load.n_sent - _RATE_PER_S)
        load.stop()
        faults += _count(load, delivery)
    for fault in faults:
        click.echo(f"FAULT {fault}")
    sys.exit(1 if faults else 0)


def _explain(version: Version, fleet: Fleet, number: int) -> list[str]:
    """The version whose workers serve explains an answer; what is wrong where it can't."""
    words = "--task=digits", f"--decisions={fleet.decisions}", f"--id={number}"
    try:
        told = version.run("explain", *words)
    except RuntimeError as e:
        return [str(e).strip()]
    click.echo(f"{version.name} explains {number}: {told.splitlines()[0]}")
    return []


def _change_policy(
    fleet: Fleet, writer: Version, servers: str, folder: Path, number: int
) -> list[str]:
    """One version writes a policy; what is wrong where not all workers follow."""
    file = folder / "policy.yaml"
    file.write_text(f"min_accuracy: {0.5 + number / 1000}\n")
    writer.run("policy", "apply", file, f"--kafka={servers}", f"--base={number - 1}", "--force")
    until_s = time.monotonic() + 30
    while (found := fleet.policies()) != [f"v{number}"] * len(fleet.workers):
        if time.monotonic() > until_s:
            return [f"{writer.name} wrote v{number}, workers have {found}"]
        time.sleep(0.2)
    click.echo(f"{writer.name} wrote v{number}: {len(found)} workers follow")
    return []


def _count(load: Load, delivery: str) -> list[str]:
    """What is wrong with the answers."""
    load.device.read(load.n_sent)
    load.device.read_rest()
    ids = Counter(json.loads(m.value() or b"")["id"] for m in load.device.predictions)
    n_letters = len(load.device.dead_letters)
    repeated = ids.total() - len(ids)
    click.echo(f"{load.n_sent} sent, {len(ids)} answered, {repeated} again, {n_letters} refused")
    faults = []
    if len(ids) != load.n_sent or n_letters:
        faults.append(f"{load.n_sent - len(ids)} requests have no answer, {n_letters} are refused")
    if repeated and delivery == "exactly-once":
        faults.append(f"{repeated} answers came twice")
    return faults


if __name__ == "__main__":
    main()
