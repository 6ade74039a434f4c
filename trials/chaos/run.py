"""One run: a broker, workers and devices, faults, and the accounts afterwards."""

import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from confluent_kafka import IsolationLevel
from ounce_schemas.topics import dead_letters_topic, predictions_topic, requests_topic
from ounce_services.devices.samples import read_samples
from ounce_services.devices.targets import read_default_mix

from tests.support.kafka.topics import OwnTopics
from tests.support.process.child import free_port
from trials.chaos.accounting import Read, account
from trials.chaos.broker import ChaosKafka
from trials.chaos.conductor import Conductor
from trials.chaos.fleet import ChaosFleet
from trials.chaos.outcome import Delivery, Outcome, Plan, outcomes_by_kind
from trials.chaos.proxy import Proxy
from trials.chaos.reading import (
    Observer,
    committed,
    ends,
    read_all,
    wait_for_open_transactions,
)
from trials.chaos.recovery import Recovery
from trials.chaos.replay import LadderReplay
from trials.chaos.stage import Stage
from trials.chaos.vigil import Vigil
from trials.chaos.workers import Slot, Supervisor, supported_options

TASK = "digits"
_GROUP = "chaos"
_N_WORKERS, _N_SPARE = 3, 2
_READY_S = 60.0
_SETTLE_S = 150.0
"""After the last fault, until all is answered: a transaction that nobody ends takes a minute."""
_STOP_S = 40.0
_BROKER = {
    "group.min.session.timeout.ms": 1000,
    "log.retention.ms": -1,  # record timestamps may be days old
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": 1000,
}


def run(plan: Plan, logs: Path, tell: Callable[[str], None]) -> Outcome:
    """Run to the end, and leave nothing behind but `logs`.

    Args:
        plan: what to do.
        logs: folder to make; workers and broker log there.
        tell: is told what happens.

    Raises:
        KafkaUnavailableError: this machine can't run Kafka.
        RuntimeError: the run itself did not work.
    """
    options = supported_options()
    adjustable = "--session-timeout-ms" in options
    session_s = plan.session_s if adjustable else 10.0
    faults = plan.schedule(session_s)
    outcome = Outcome(plan, session_s, faults)
    samples = read_samples(plan.models, TASK)
    mix = read_default_mix(plan.models, TASK)
    replay = LadderReplay(plan.models, TASK)
    logs.mkdir(parents=True)
    ports = [free_port() for _ in range(_N_WORKERS + _N_SPARE)]
    with ExitStack() as stack:
        proxy = stack.enter_context(Proxy())
        broker_thread = stack.enter_context(ThreadPoolExecutor(1))
        broker = ChaosKafka(properties=_BROKER, proxies=ports)
        stack.callback(_close_broker, broker, broker_thread, logs, outcome)
        broker_thread.submit(broker.start).result()
        servers = broker.bootstrap_servers
        OwnTopics(servers).of_task(TASK, plan.partitions)
        slots = [
            Slot(f"worker-{i}", proxy.link(port, behind), port, wanted=i < _N_WORKERS)
            for i, (port, behind) in enumerate(zip(ports, broker.proxied_ports, strict=True))
        ]
        supervisor = Supervisor(slots, lambda name: _worker_options(plan, name, options), logs)
        stack.callback(supervisor.close)
        observer = Observer(servers, TASK, plan.partitions)
        stack.callback(observer.stop)
        fleet = ChaosFleet(servers, samples, mix, seed=plan.seed, rate_per_s=plan.rate_per_s)
        stack.callback(fleet.abandon)
        stage = Stage(
            broker=broker,
            broker_thread=broker_thread,
            supervisor=supervisor,
            fleet=fleet,
            group=_GROUP,
            topic=requests_topic(TASK),
            session_s=session_s,
            assignor="roundrobin" if plan.are_named else "cooperative-sticky",
        )
        vigil = Vigil(fleet.delivered, observer.settled, supervisor.ask, tell)
        conductor = Conductor(stage, tell, vigil.look)
        stack.callback(conductor.close)
        observer.start()
        fleet.start()
        _await(lambda: bool(observer.settled), _READY_S, conductor, "no worker answers")
        began_s = time.monotonic()
        last_s = faults[-1].at_s if faults else 0.0
        conductor.run(faults, timeout_s=last_s + 120.0)
        _linger(conductor, 2.0)
        fleet.stop()
        outcome.lasted_s = time.monotonic() - began_s
        _settle(outcome, fleet, observer, conductor)
        supervisor.stop_all(_STOP_S)
        tell("all workers stopped; reading everything")
        if not wait_for_open_transactions(servers, _answers(), plan.partitions, 90.0):
            outcome.problems.append("a transaction is still open 90 s after the workers ended")
        time.sleep(0.5)
        observer.stop()
        outcome.accounting = account(
            requests_topic(TASK),
            replay.labels,
            Read(
                *(
                    read_all(servers, topic, plan.partitions)
                    for topic in (requests_topic(TASK), *_answers())
                )
            ),
            replay,
            committed(servers, _GROUP, requests_topic(TASK), plan.partitions),
        )
        _check_ends(outcome, servers, fleet)
    outcome.missed, outcome.exits = conductor.missed, supervisor.exits
    recovery = Recovery(fleet.delivered, observer.settled)
    outcome.by_kind = outcomes_by_kind(conductor.happened, recovery, session_s + 1.0)
    return outcome


def _answers() -> tuple[str, str]:
    return predictions_topic(TASK), dead_letters_topic(TASK)


def _worker_options(plan: Plan, name: str, options: str) -> Sequence[str]:
    chosen = [
        f"--task={TASK}",
        f"--models={plan.models}",
        f"--group={_GROUP}",
        "--metrics-port=0",
        "--metrics-host=127.0.0.1",
    ]
    if "--delivery" in options:
        chosen.append(f"--delivery={plan.delivery}")
    if "--name" in options and plan.are_named:
        chosen.append(f"--name={name}")
    if "--session-timeout-ms" in options:
        chosen.append(f"--session-timeout-ms={int(plan.session_s * 1e3)}")
    return chosen


def _close_broker(
    broker: ChaosKafka, thread: ThreadPoolExecutor, logs: Path, outcome: Outcome
) -> None:
    """On the broker's own thread, so that a start that still runs is over. Where a guarantee was
    broken, its data is kept: it shows which transactions there were."""
    thread.submit(broker.kill).result()
    if not outcome.is_good:
        shutil.copytree(broker.data, logs / "kafka-data", dirs_exist_ok=True)
    log = broker.log
    if log.exists():
        shutil.copy(log, logs / "kafka.log")
    broker.close()


def _await(met: Callable[[], bool], timeout_s: float, conductor: Conductor, error: str) -> None:
    deadline = time.monotonic() + timeout_s
    while not met():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{error} within {timeout_s:g} s")
        conductor.tick()
        time.sleep(0.05)


def _linger(conductor: Conductor, seconds: float) -> None:
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        conductor.tick()
        time.sleep(0.05)


def _settle(outcome: Outcome, fleet: ChaosFleet, observer: Observer, conductor: Conductor) -> None:
    """Wait until all is answered; where that does not happen, the run goes on to the accounts."""
    deadline = time.monotonic() + _SETTLE_S
    while left := fleet.delivered.keys() - observer.settled.keys():
        if time.monotonic() > deadline:
            some = ", ".join(sorted(left)[:5])
            outcome.problems.append(
                f"{len(left)} inputs have no answer {_SETTLE_S:g} s after the last fault: {some}"
            )
            return
        if observer.failure is not None:
            raise RuntimeError("the observer failed") from observer.failure
        _linger(conductor, 0.3)


def _check_ends(outcome: Outcome, servers: str, fleet: ChaosFleet) -> None:
    """What the accounts can't see: inputs that the broker lost, and offsets left behind."""
    plan = outcome.plan
    n_delivered = len(fleet.delivered)
    if fleet.undelivered:
        outcome.problems.append(f"{len(fleet.undelivered)} inputs given up: {fleet.undelivered[0]}")
    if outcome.accounting.n_inputs < n_delivered:
        n = outcome.accounting.n_inputs
        outcome.problems.append(f"the broker took {n_delivered} inputs and holds {n}")
    topic = requests_topic(TASK)
    end = ends(servers, topic, plan.partitions, IsolationLevel.READ_UNCOMMITTED)
    at = committed(servers, _GROUP, topic, plan.partitions)
    behind = {p: f"{at[p]} of {end[p]}" for p in end if at[p] < end[p]}
    if behind:
        notes = outcome.problems if plan.delivery is Delivery.EXACTLY_ONCE else outcome.remarks
        notes.append(f"workers left in order, but committed less than all: {behind}")
