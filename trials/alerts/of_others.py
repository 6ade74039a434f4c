"""Faults of gateways and HTTP fronts, by the alert that tells of each."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

from tests.support.kafka.certificates import Authority
from tests.support.process.front import FrontProcess
from tests.support.process.small_disk import SmallDisk
from trials.alerts.stand import BODY, Broken, Scene, Stand


def gateway_gone(stand: Stand) -> Scene:
    """A gateway is killed."""
    stand.gateway().child.kill()
    yield Broken("gateway")
    stand.gateway()
    yield None


def cut_off(stand: Stand) -> Scene:
    """Kafka stands still."""
    stand.gateway()
    with _standing(stand):
        for _ in range(3):
            stand.publish(2)
        yield Broken("(?i)kafka")
    yield None


def without_mqtt(stand: Stand) -> Scene:
    """The MQTT broker is gone."""
    stand.gateway()
    assert stand.mosquitto is not None
    stand.mosquitto.kill()
    yield Broken("(?i)mqtt", fails=["mosquitto_sub"])
    stand.mosquitto.start()
    yield None


def fills(stand: Stand) -> Scene:
    """Kafka stands still until the store is nearly full."""
    stand.gateway("--max-store-mb=1")
    with _standing(stand):
        stand.publish(44)
        yield Broken("gateway-store|Filesystem")
    yield None


def store_fails(stand: Stand) -> Scene:
    """The disk of the store is full, and Kafka stands still."""
    disk = SmallDisk(stand.folder / "gateway-store", 9000)
    with ExitStack() as stack:
        stack.enter_context(disk)
        gateway = stand.gateway()
        disk.hold(gateway.child.pid)
        with _standing(stand):
            for _ in range(20):
                if gateway.value_of("ounce_gateway_store_failing"):
                    break
                threading.Thread(target=stand.publish, args=(50,), daemon=True).start()
                gateway.wait_until_counted("ounce_gateway_messages_total")
            yield Broken("(?s)Filesystem.*can't be written")
            disk.grow(200_000)
        yield None
        gateway.child.kill()


def drops(stand: Stand) -> Scene:
    """Kafka stands still until the store is full."""
    stand.gateway("--max-store-mb=1")
    with _standing(stand):
        stand.publish(80)
        yield Broken("(?s)=> .*dropped")
    yield None


def front_gone(stand: Stand) -> Scene:
    """A front is killed."""
    stand.front().child.kill()
    yield Broken("http")
    stand.front()
    yield None


def front_not_ready(stand: Stand) -> Scene:
    """Kafka stands still."""
    front = stand.front("--patience-s=1")
    with _standing(stand), _calling(front):
        yield Broken("(?i)kafka")
    yield None


def unanswered(stand: Stand) -> Scene:
    """No worker serves the task."""
    worker = stand.worker()
    worker.child.stop()
    front = stand.front()
    with _calling(front):
        yield Broken('status="50[34]"', fails=["ounce status"])
        stand.worker()
        yield None


def unreadable(stand: Stand) -> Scene:
    """The file of a front's certificate holds none."""
    own = Authority(stand.folder).sign("gateway", host="localhost")
    stand.front(f"--tls-certificate={own.certificate}", f"--tls-key={own.key}")
    content = own.certificate.read_bytes()
    own.certificate.write_bytes(b"")
    yield Broken(r"(?s)gateway\.pem.*[Cc]ould not|unable to load", fails=["openssl"])
    own.certificate.write_bytes(content)
    yield None


@contextmanager
def _standing(stand: Stand) -> Iterator[None]:
    """Kafka does nothing meanwhile."""
    stand.kafka.freeze()
    try:
        yield
    finally:
        stand.kafka.thaw()


@contextmanager
def _calling(front: FrontProcess) -> Iterator[None]:
    """Callers ask meanwhile."""
    is_over = threading.Event()

    def call() -> None:
        while not is_over.wait(0.2):
            front.ask(BODY)

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    try:
        yield
    finally:
        is_over.set()
        for caller in callers:
            caller.join()


SCENES: Mapping[str, Callable[[Stand], Scene]] = {
    "OunceCertificateUnreadable": unreadable,
    "OunceGatewayGone": gateway_gone,
    "OunceGatewayCutOff": cut_off,
    "OunceGatewayWithoutMqtt": without_mqtt,
    "OunceGatewayStoreFills": fills,
    "OunceGatewayStoreFails": store_fails,
    "OunceGatewayDrops": drops,
    "OunceHttpGone": front_gone,
    "OunceHttpNotReady": front_not_ready,
    "OunceHttpUnanswered": unanswered,
}
