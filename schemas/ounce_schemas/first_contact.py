"""The first question to Kafka: its answer, or why there is none, as soon as that is known.

A client retries whatever goes wrong, a wrong password too, and then says only that no broker
answered. What it tells on the way says more. Works with any client that behaves as librdkafka's,
and imports none.
"""

import time
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from ounce_schemas.errors import BrokerError
from ounce_schemas.kafka_connection import Properties

_FIRST_SLICE_S = 1.0
"""To the first look for a refusal: where one broker of several refuses, another may answer. Then it
doubles, so that a slow answer is not lost."""
_MOST_S = 5.0
_HINTS = {
    "_AUTHENTICATION": ("Kafka at {} refuses the login", "check user, secret and --sasl-mechanism"),
    "_SSL": (
        "no trusted connection with Kafka at {}",
        "check --ssl-ca, --ssl-certificate, and that the broker's certificate names its host and "
        "has not expired",
    ),
}
"""By name of the errors that no retry mends: what failed, and what to do."""


class _Error(Protocol):
    """As `KafkaError`."""

    def name(self) -> str: ...
    def str(self) -> str: ...


class _Client(Protocol):
    """As `AdminClient`."""

    def list_topics(self, *, timeout: float) -> Any: ...
    def poll(self, timeout: float) -> int: ...


C = TypeVar("C", bound=_Client)


def first_contact(
    make: Callable[[dict[str, Any]], C],
    properties: Properties,
    timeout_s: float,
    failure: type[Exception],
    waiting: Callable[[str], None] = lambda text: None,
) -> tuple[C, Any]:
    """Make a client and ask it for the cluster's metadata.

    Args:
        make: makes a client of properties.
        properties: of the client, with `bootstrap.servers`.
        timeout_s: how long to wait for an answer; a refusal is raised sooner.
        failure: what the client raises, holding one error.
        waiting: told each time that it is tried again.

    Returns:
        The client, and the metadata.

    Raises:
        BrokerError: no answer in time, a refusal, or properties that can't be.
    """
    servers = properties["bootstrap.servers"]
    told: list[_Error] = []
    try:
        client = make({**properties, "error_cb": told.append})
    except failure as e:
        why = e.args[0].str().rpartition("client: ")[2]
        raise BrokerError(
            f"can't set up a connection with Kafka at {servers}: {why}; check the --ssl- files and "
            "their password"
        ) from e
    deadline_s, slice_s = time.monotonic() + timeout_s, _FIRST_SLICE_S
    while True:
        left_s = deadline_s - time.monotonic()
        try:
            return client, client.list_topics(timeout=min(slice_s, max(left_s, 0.001)))
        except failure as e:
            while client.poll(0):
                pass
            for error in told:
                # A broker that does not like our certificate says so after the handshake.
                name = "_SSL" if "SSL alert" in error.str() else error.name()
                if name in _HINTS:
                    what, hint = _HINTS[name]
                    raise BrokerError(f"{what.format(servers)} ({error.str()}); {hint}") from e
            if left_s <= slice_s:
                whys = [error.str() for error in told if error.name() != "_ALL_BROKERS_DOWN"]
                why = whys[-1] if whys else e.args[0].str()
                raise BrokerError(
                    f"no Kafka at {servers} within {timeout_s:g} s ({why}); start it, or check "
                    "--kafka and --security-protocol"
                ) from e
            waiting(f"no Kafka at {servers} yet, trying again")
            slice_s = min(2 * slice_s, _MOST_S)
