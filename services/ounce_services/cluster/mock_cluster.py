"""librdkafka's mock cluster by its C interface: confluent_kafka gives no access to it."""

import ctypes
from typing import Any

from confluent_kafka import cimpl
from ounce_schemas.errors import BrokerError

_PRODUCER = 0
_ERROR_BYTES = 512
_Handle, _Text = ctypes.c_void_p, ctypes.c_char_p
_SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "conf_new": (_Handle, []),
    "conf_set": (ctypes.c_int, [_Handle, _Text, _Text, _Text, ctypes.c_size_t]),
    "new": (_Handle, [ctypes.c_int, _Handle, _Text, ctypes.c_size_t]),
    "destroy": (None, [_Handle]),
    "mock_cluster_new": (_Handle, [_Handle, ctypes.c_int]),
    "mock_cluster_bootstraps": (_Text, [_Handle]),
    "mock_cluster_destroy": (None, [_Handle]),
    "mock_group_initial_rebalance_delay_ms": (None, [_Handle, ctypes.c_int32]),
    "mock_partition_delete_records": (
        ctypes.c_int,
        [_Handle, _Text, ctypes.c_int32, ctypes.c_int64],
    ),
}
"""Result and arguments by function, without `rd_kafka_`."""


class MockCluster:
    """One broker. It listens on a port of 127.0.0.1 that was free.

    Raises:
        BrokerError: this librdkafka lacks one of the functions, or makes no client.
    """

    def __init__(self) -> None:
        self._call = _open_library()
        error = ctypes.create_string_buffer(_ERROR_BYTES)
        config = self._call["conf_new"]()
        self._call["conf_set"](config, b"log_level", b"2", error, _ERROR_BYTES)
        self._client = self._call["new"](_PRODUCER, config, error, _ERROR_BYTES)
        if not self._client:
            raise BrokerError(f"the embedded broker did not start: {error.value.decode()}")
        self._cluster = self._call["mock_cluster_new"](self._client, 1)
        if not self._cluster:
            self._call["destroy"](self._client)
            raise BrokerError("the embedded broker did not start: it finds no free port")
        # Else a group waits 3 s for more members before its first one may read.
        self._call["mock_group_initial_rebalance_delay_ms"](self._cluster, 0)
        servers: bytes = self._call["mock_cluster_bootstraps"](self._cluster)
        self.bootstrap_servers = servers.decode()

    def delete_records(self, topic: str, partition: int, before: int) -> None:
        """Forget what is before an offset, which must not be before the partition's first."""
        self._call["mock_partition_delete_records"](
            self._cluster, topic.encode(), partition, before
        )

    def close(self) -> None:
        """End it, and cut its clients off. A second call does nothing."""
        cluster, self._cluster = self._cluster, None
        if cluster:
            self._call["mock_cluster_destroy"](cluster)
            self._call["destroy"](self._client)


def _open_library() -> dict[str, Any]:
    """The functions, from confluent_kafka's own module: so they are of its clients' librdkafka."""
    library = ctypes.CDLL(cimpl.__file__)
    functions = {}
    for name, (result, arguments) in _SIGNATURES.items():
        try:
            function = library[f"rd_kafka_{name}"]
        except AttributeError as e:
            raise BrokerError(
                f"the embedded broker needs rd_kafka_{name}, which this librdkafka lacks: install "
                "confluent-kafka 2.15 or later as a wheel, or use a Kafka"
            ) from e
        function.restype, function.argtypes = result, arguments
        functions[name] = function
    return functions
