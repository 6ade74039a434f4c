"""A version of a model is published that is worse than its card says: what does it harm, how long?

One worker on a real Kafka serves digits and follows the registry. Devices ask for an accuracy of
0.95, and a fifth of the answers gets a label two seconds later. In turn a version of the model that
answers most is published, whose card promises what that of the good one does. At the end of each
turn the release before is restored.

Example: python -m trials.bad_versions --only wrong --seconds 30
"""

import json
import shutil
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
from ounce_schemas.documents import TASK_FILE
from ounce_schemas.topics import models_topic

from benchmarks import results
from benchmarks.results import Table
from tests.support.edge.bad_versions import make_crashing, make_no_number, make_slow, make_wrong
from tests.support.kafka.apache_kafka import ApacheKafka
from tests.support.kafka.topics import OwnTopics
from tests.support.process.command import ounce
from tests.support.process.worker import Device, Worker

MODEL = "mlp"
KINDS: Mapping[str, tuple[str, Callable[[Path], None]]] = {
    "wrong": ("wrong in a fifth of its answers", make_wrong),
    "slow": ("five times as slow", make_slow),
    "no-number": ("no number in a fifth of its answers", make_no_number),
    "crashing": ("ends the process on one request of fifty", make_crashing),
}
_FLOOR, _LABEL_SHARE, _LABEL_DELAY_S, _RATE = 0.95, 0.2, 2.0, 200
_WARM_S, _LAST_S = 5.0, 3.0


class Load:
    """Devices that ask all the time; what comes back is read, and a share of it labelled.

    Args:
        device: sends and reads.
        bodies: of the requests, in turn.
        truth: their classes.
    """

    def __init__(self, device: Device, bodies: Sequence[bytes], truth: Sequence[int]) -> None:
        self._device, self._bodies, self._truth = device, bodies, truth
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send)
        self._labels: deque[tuple[float, int]] = deque()
        self._n_read = 0
        self.n_sent = 0

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def close(self) -> None:
        """Ask no more."""
        self._stop.set()
        self._thread.join()

    def read(self) -> None:
        """Read what is there, and send the labels that are due."""
        self._device.read_more()
        now_s = time.monotonic()
        for message in self._device.predictions[self._n_read :]:
            i = int(json.loads(message.value() or b"")["id"])
            if i % 10 < _LABEL_SHARE * 10:
                self._labels.append((now_s + _LABEL_DELAY_S, i))
        self._n_read = len(self._device.predictions)
        while self._labels and self._labels[0][0] <= now_s:
            i = self._labels.popleft()[1]
            self._device.label(json.dumps({"id": str(i), "label": str(self.true(i))}))

    def true(self, i: int) -> int:
        """Class of a request."""
        return self._truth[i % len(self._truth)]

    def _send(self) -> None:
        began_s = time.monotonic()
        while not self._stop.wait(0.005):
            while self.n_sent < (time.monotonic() - began_s) * _RATE:
                i = self.n_sent
                headers = [("ce_id", b"%d" % i), ("ce_minaccuracy", b"%g" % _FLOOR)]
                self._device.send(self._bodies[i % len(self._bodies)], headers, b"%d" % (i % 50))
                self.n_sent = i + 1
        self._device.flush()


class Harm(NamedTuple):
    """What a version did."""

    answers: int
    """That it had a part in."""
    wrong: int
    """Of these."""
    late: int
    """Of all since it was published."""
    unanswered: int
    """Dead letters."""
    served_s: float
    """From its first answer to its last one."""
    told: Sequence[str]
    """Kinds of the events since it was published."""


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--only", multiple=True, type=click.Choice([*KINDS]), help="Without any: all.")
@click.option("--seconds", default=40.0, show_default=True, help="From publishing to restoring.")
@results.models_option
@results.publish_option
def main(only: Sequence[str], seconds: float, models: Path, publish: bool) -> None:
    """Try each kind on a broker of its own."""
    rows: list[list[results.Cell]] = []
    for kind in only or KINDS:
        with tempfile.TemporaryDirectory() as scratch:
            harm = try_version(KINDS[kind][1], models, Path(scratch), seconds)
        click.echo(f"{kind}: {harm}")
        rows.append(
            [
                KINDS[kind][0],
                harm.answers,
                harm.wrong,
                harm.late,
                harm.unanswered,
                f"{harm.served_s:.1f}",
                ", ".join(dict.fromkeys(harm.told)),
            ]
        )
    columns = ["version", "answers of it", "wrong", "late", "dead letters", "served for, s", "told"]
    note = (
        f"{_RATE} requests a second that ask for an accuracy of {_FLOOR:g}; "
        f"{_LABEL_SHARE:.0%} get a label {_LABEL_DELAY_S:g} s after their answer; "
        f"{seconds:g} s from `ounce models publish` to `restore`. Late are all answers meanwhile."
    )
    results.report("bad_versions", {"bad-versions": Table(columns, rows, note)}, publish=publish)


def try_version(make: Callable[[Path], None], models: Path, scratch: Path, seconds: float) -> Harm:
    """Publish a bad version, wait, and restore the release before.

    Args:
        make: changes the good version.
        models: folder of the ladders.
        scratch: for logs and stores.
        seconds: to wait.
    """
    with np.load(models / "digits" / "test-split.npz") as arrays:
        bodies = [row.tobytes() for row in arrays["input"].astype("<f4")]
        truth = arrays["targets"].tolist()
    bad = scratch / "bad" / MODEL
    shutil.copytree(models / "digits" / MODEL, bad)
    shutil.copy(models / "digits" / TASK_FILE, bad.parent)
    make(bad)
    with ExitStack() as stack:
        kafka = stack.enter_context(ApacheKafka(runs_shortly=True))
        kafka.start()
        servers = kafka.bootstrap_servers
        topics = OwnTopics(servers)
        topics.of_task("digits", partitions=2)
        topics.make([models_topic()], config={"cleanup.policy": "compact"})
        places = [f"--store={scratch / 'store'}", f"--kafka={servers}"]
        good = _models("publish", models / "digits", *places)
        kept = stack.enter_context(_Kept(servers, scratch))
        device = Device(servers)
        stack.callback(device.close)
        load = Load(device, bodies, truth)
        load.start()
        stack.callback(load.close)

        def serve(for_s: float) -> None:
            until_s = time.monotonic() + for_s
            while time.monotonic() < until_s:
                load.read()
                kept.look()

        serve(_WARM_S)
        n_before, n_log = len(device.predictions), len(kept.log.read_text())
        _models("publish", bad, *places)
        serve(seconds)
        _models("restore", "digits", good.split()[1], *places)
        serve(_LAST_S)
        told = kept.log.read_text()[n_log:]
        return _harm(load, device, n_before, bad, told)


def _harm(load: Load, device: Device, n_before: int, bad: Path, told: str) -> Harm:
    version = json.loads((bad / "card.json").read_text())["version"]
    answers = wrong = late = 0
    times: list[int] = []
    for answer, message in zip(
        device.answers()[n_before:], device.predictions[n_before:], strict=True
    ):
        late += not answer.parameters.deadline_met
        if answer.model_version == version:
            answers += 1
            label: Any = answer.outputs[0].data[0]
            wrong += label != str(load.true(int(answer.id)))
            times.append((message.timestamp() or (0, 0))[1])
    served_s = (max(times) - min(times)) / 1e3 if times else 0.0
    kinds = [line.split("event=")[1].split()[0] for line in told.splitlines() if "event=" in line]
    return Harm(answers, wrong, late, len(device.dead_letters), served_s, kinds)


class _Kept:
    """A worker that is started again when it ends; a context manager."""

    def __init__(self, servers: str, scratch: Path) -> None:
        self.log = scratch / "log"
        options = [
            f"--models-store={scratch / 'store'}",
            "--models-unsigned",
            f"--models-cache={scratch / 'cache'}",
        ]
        self._make = lambda: Worker(servers, scratch / "nowhere", self.log, options)
        self._worker = self._make()

    def __enter__(self) -> "_Kept":
        self._worker.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._worker.child.stop()

    def look(self) -> None:
        if not self._worker.child.running:
            self._worker = self._make()


def _models(*arguments: object) -> str:
    done = ounce("models", *map(str, arguments))
    if done.code:
        raise click.ClickException(done.stderr)
    return done.stdout


if __name__ == "__main__":
    main()
