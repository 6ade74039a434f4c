"""TLS with the MQTT broker: its PEM files are read anew for each connection."""

import socket
import ssl
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from ounce_edge.broker.certificates import expiry_s
from ounce_edge.gateway.settings import GatewaySettings

_HANDSHAKE_S = 10.0


class MqttTls(ssl.SSLContext):
    """What makes connections. Files that were replaced count from the next one on.

    Args:
        settings: name the files.

    Raises:
        OSError: they can't be used.
    """

    def __new__(cls, settings: GatewaySettings) -> "MqttTls":
        """Of the kind that clients use: it checks certificates and names."""
        return super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self.trouble: str | None = None
        """Why the last connection was none, until that is told."""
        self._read()

    def wrap_socket(self, sock: socket.socket, *args: Any, **more: Any) -> ssl.SSLSocket:
        """See ssl; the handshake is done.

        Raises:
            OSError: the files can't be used, or one side does not trust the other.
        """
        try:
            wrapped = self._read().wrap_socket(sock, *args, **more)
            try:
                wrapped.settimeout(_HANDSHAKE_S)
                wrapped.do_handshake()
            except OSError:
                wrapped.close()
                raise
        except OSError as e:
            why = getattr(e, "verify_message", None) or getattr(e, "reason", None)
            self.trouble = str(why or e.strerror or e)
            raise
        return wrapped

    def _read(self) -> ssl.SSLContext:
        ca, own = self._settings.mqtt_ca, self._settings.mqtt_certificate
        context = ssl.create_default_context(cafile=None if ca is None else str(ca))
        if own is not None:
            context.load_cert_chain(own, self._settings.mqtt_key)
        return context


def mqtt_expiries(settings: GatewaySettings) -> Iterator[tuple[str, Callable[[], float]]]:
    """By setting: what tells when the first certificate expires that its file holds now, in
    seconds since 1970; NaN where it can't be read."""
    files = {"mqtt_ca": settings.mqtt_ca, "mqtt_certificate": settings.mqtt_certificate}
    for name, path in files.items():
        if path is not None:
            yield name, partial(expiry_s, path)
