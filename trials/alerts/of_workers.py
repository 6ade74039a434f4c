"""Faults of workers and of their broker, by the alert that tells of each."""

import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Mapping

from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from ounce_schemas.documents import MODEL_FILE
from ounce_schemas.topics import dead_letters_topic, predictions_topic, requests_topic

from tests.support.edge.fatal_models import HANGS, image, make_fatal
from tests.support.kafka.topics import configure
from tests.support.process.wait import wait_until
from tests.support.process.worker import OUNCE, Worker
from trials.alerts.stand import PARTITIONS, TASK, Broken, Scene, Stand

_PREDICTIONS, _LETTERS = predictions_topic(TASK), dead_letters_topic(TASK)
_SMALL, _USUAL = 100, 1_048_588
"""Bytes of a record."""


class Asking:
    """Requests that come all the time, until it is told otherwise."""

    def __init__(self, stand: Stand, **headers: str) -> None:
        self.headers: Mapping[str, str] = headers
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send, args=(stand,))
        self._thread.start()

    def _send(self, stand: Stand) -> None:
        while not self._stop.wait(0.1):
            stand.send(10, self.headers)

    def stop(self) -> None:
        """No more."""
        self._stop.set()
        self._thread.join()


def gone(stand: Stand) -> Scene:
    """A worker is killed; another one takes its place."""
    stand.worker().child.kill()
    yield Broken("catalogue", fails=["curl"])
    stand.worker()
    yield None


def stuck(stand: Stand) -> Scene:
    """A model does not come back from a call."""
    models = stand.folder / "own"
    shutil.copytree(stand.models / TASK, models / TASK)
    make_fatal(models / TASK / "mlp")
    policy = stand.folder / "policy.yaml"
    policy.write_text("tasks: {digits: {allow: [mlp]}}\n")
    stand.worker(f"--policy={policy}", models=models)
    producer = Producer({"bootstrap.servers": stand.servers})
    producer.produce(requests_topic(TASK), image(HANGS))
    producer.flush(30)
    yield Broken("no progress for .* restart this worker")
    stand.worker()
    yield None


def blocked(stand: Stand) -> Scene:
    """Another producer leaves a transaction open, and requests pile up behind it."""
    producer = Producer({"bootstrap.servers": stand.servers, "transactional.id": "a-stranger",
                         "transaction.timeout.ms": 600_000})  # fmt: skip
    stand.worker()
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(requests_topic(TASK), b"[]", partition=1)
    producer.flush(30)
    asking = Asking(stand)
    told = yield Broken("a-stranger|CurrentTransactionStartOffset|ounce.digits.requests +1")
    asking.stop()
    starts = [start for one in told for start in re.findall(r"\t(\d+)\s*$", one.text, re.M)]
    if starts:  # the runbook's own way
        abort = stand.runbook.run(
            "kafka-transactions.sh --bootstrap-server localhost:9092 abort --topic "
            f"ounce.digits.requests --partition 1 --start-offset {starts[0]}",
            stand.names(),
        )
        assert abort.code == 0, abort
    else:
        producer.abort_transaction(30)
    yield None


def takes_nothing(stand: Stand) -> Scene:
    """The broker stands still while the worker answers."""
    stand.worker()
    stand.send(50_000)
    stand.kafka.freeze()
    yield Broken("(?i)kafka.* not answer", fails=["kafka-topics.sh"])
    stand.kafka.thaw()
    yield None


def _n_served(worker: Worker) -> float:
    served = re.findall(r"^ounce_messages_total\{.*\} (\S+)", worker.get("/metrics")[1], re.M)
    return sum(map(float, served))


def lost(stand: Stand) -> Scene:
    """While no worker runs, the topic drops what it holds."""
    worker = stand.worker()
    stand.send(20)
    wait_until(lambda: _n_served(worker) == 20, worker.child.log_tail)
    worker.child.stop()  # it commits them
    stand.send(50)
    admin = AdminClient({"bootstrap.servers": stand.servers})
    ends = [TopicPartition(requests_topic(TASK), p, -1) for p in range(PARTITIONS)]
    for done in admin.delete_records(ends).values():
        done.result(30)
    stand.worker()
    yield Broken(r"(?s)=> [1-9].*Dynamic configs for topic ounce\.digits\.requests")
    yield None


def set_aside(stand: Stand) -> Scene:
    """The topics of answers and of dead letters take no record."""
    stand.worker()
    for topic in (_PREDICTIONS, _LETTERS):
        configure(stand.servers, topic, max_message_bytes=_SMALL)
    stand.send(20)
    yield Broken(r"(?s)set aside.*max\.message\.bytes=100")
    for topic in (_PREDICTIONS, _LETTERS):
        configure(stand.servers, topic, max_message_bytes=_USUAL)
    yield None


def late(stand: Stand) -> Scene:
    """Messages have less time than any model takes."""
    stand.worker()
    asking = Asking(stand, maxlatencyms="0.01")
    yield Broken(r'task="digits"')
    asking.headers = {}
    yield None
    asking.stop()


def below_floor(stand: Stand) -> Scene:
    """Messages ask for more accuracy than any plan has."""
    stand.worker()
    asking = Asking(stand, minaccuracy="0.99999")
    yield Broken("ounce_highest_floor")
    asking.headers = {}
    yield None
    asking.stop()


def refused(stand: Stand) -> Scene:
    """The topic of answers takes none; dead letters say so."""
    stand.worker()
    configure(stand.servers, _PREDICTIONS, max_message_bytes=_SMALL)
    asking = Asking(stand)
    yield Broken('reason="answer-refused"')
    configure(stand.servers, _PREDICTIONS, max_message_bytes=_USUAL)
    yield None
    asking.stop()


def stale_policy(stand: Stand) -> Scene:
    """A version of the policy permits no model."""
    stand.worker("--follow-policies", f"--state={stand.folder}/state")
    _apply(stand, "tasks: {digits: {allow: [no-such-model]}}\n")
    yield Broken(r"(?s)is refused.*ounce_policy_stale", fails=["ounce policy status"])
    _apply(stand, "{}\n")
    yield None


def _apply(stand: Stand, policy: str) -> None:
    file = stand.folder / "policy.yaml"
    file.write_text(policy)
    subprocess.run(
        [OUNCE, "policy", "apply", file, f"--kafka={stand.servers}", "--force",
         f"--models={stand.models}"],
        check=True, capture_output=True,
    )  # fmt: skip


def stale_models(stand: Stand) -> Scene:
    """The file of a model is another than its card says."""
    models = stand.folder / "own"
    shutil.copytree(stand.models / TASK, models / TASK)
    stand.worker(models=models)
    file = models / TASK / "mlp" / MODEL_FILE
    content = file.read_bytes()
    file.with_suffix(".new").write_bytes(content[:-1])
    file.with_suffix(".new").replace(file)
    yield Broken("ounce_models_refused.*=> 1", fails=["ounce models"])
    file.with_suffix(".new").write_bytes(content)
    file.with_suffix(".new").replace(file)
    yield None


SCENES: Mapping[str, Callable[[Stand], Scene]] = {
    "OunceNoWorker": gone,
    "OunceWorkerGone": gone,
    "OunceWorkerStuck": stuck,
    "OunceLagGrows": blocked,
    "OuncePartitionBlocked": blocked,
    "OunceBrokerTakesNothing": takes_nothing,
    "OunceRequestsLost": lost,
    "OunceRequestsSetAside": set_aside,
    "OunceDeadlinesMissed": late,
    "OunceFloorsMissed": below_floor,
    "OunceAnswersFail": refused,
    "OuncePolicyStale": stale_policy,
    "OunceModelsStale": stale_models,
}
