"""A broker with an address for each worker, so that each can be cut off by itself."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from tests.support.kafka.apache_kafka import ApacheKafka
from tests.support.process.child import free_port


class ChaosKafka(ApacheKafka):
    """Listens for each of `proxies` on a port of its own, `proxied_ports`, in the same order.

    Args:
        proxies: ports on 127.0.0.1; a client that comes through one is told to stay on it.
        properties: of the broker, over the usual ones.
    """

    runs_shortly = False
    """Whether it is of a trial's short version, which is over before Java compiles twice."""

    def __init__(
        self,
        proxies: Sequence[int] = (),
        properties: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        self._proxies = proxies
        self._changes = properties
        self.proxied_ports = [free_port() for _ in proxies]
        super().__init__(runs_shortly=self.runs_shortly)

    @property
    def log(self) -> Path:
        """The file that it logs to; removed with its data."""
        return self._folder / "kafka.log"

    @property
    def data(self) -> Path:
        """The folder that holds its data; removed when it is closed."""
        return self._folder / "data"

    def _properties(self) -> dict[str, object]:
        usual = super()._properties()
        names = [f"PROXY{i}" for i in range(len(self._proxies))]
        protocols = [f"{name}:PLAINTEXT" for name in ("PLAINTEXT", "CONTROLLER", *names)]
        return {
            **usual,
            "listeners": f"{usual['listeners']}{_listeners(names, self.proxied_ports)}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap_servers}"
            f"{_listeners(names, self._proxies)}",
            "listener.security.protocol.map": ",".join(protocols),
            **self._changes,
        }


def _listeners(names: Sequence[str], ports: Sequence[int]) -> str:
    each = zip(names, ports, strict=True)
    return "".join(f",{name}://127.0.0.1:{port}" for name, port in each)
