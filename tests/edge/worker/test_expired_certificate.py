"""A certificate that has expired is refused before anything is sent."""

import socket
import ssl
import threading
from contextlib import suppress
from pathlib import Path

from tests.support.kafka.certificates import Authority
from tests.support.kafka.logins import (
    fails,
)


def test_an_expired_certificate_is_refused(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.sign("broker", host="localhost", days=-1)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)

    def serve(listening: socket.socket) -> None:
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            with client, suppress(OSError):  # it refuses the certificate, or resets the line
                context.wrap_socket(client, server_side=True).close()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=[listening], daemon=True)
        thread.start()
        port = listening.getsockname()[1]
        error = fails(
            *("--task=digits", f"--kafka=localhost:{port}", "--metrics-port=0"),
            *("--security-protocol=ssl", f"--ssl-ca={authority.certificate}"),
            env={},
        )
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(60)
    assert "no trusted connection with Kafka" in error
    assert "has not expired" in error
