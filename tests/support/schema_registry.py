"""A schema registry over HTTP, as much of Confluent's interface as is asked for."""

import json
import os
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

REAL = "OUNCE_SCHEMA_REGISTRY_URL"
"""Names a real registry that tests use instead, such as Apicurio's `/apis/ccompat/v7`."""


_LONGEST_S = 60.0


class OwnRegistry:
    """Keeps schemas by id, and counts what it is asked.

    Attributes:
        url: what a worker is told.
        asked: paths, in order.
        gate: answers wait while it is not set.
        broken: an answer in place of all others: a status and a body.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self.broken: tuple[int, bytes] | None = None
        self.headers: list[Mapping[str, str]] = []
        self._schemas: list[dict[str, Any]] = []
        own = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                own.asked.append(self.path)
                own.headers.append(dict(self.headers))
                own.gate.wait(_LONGEST_S)
                self._answer(*(own.broken or own._find(self.path)))

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self._answer(200, own._add(self.path, body))

            def _answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        serve = self._server.serve_forever
        threading.Thread(target=serve, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        """Stop."""
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()

    def _add(self, path: str, body: dict[str, Any]) -> bytes:
        subject = path.split("/")[2]
        version = 1 + sum(each["subject"] == subject for each in self._schemas)
        self._schemas.append({**body, "subject": subject, "version": version})
        return json.dumps({"id": len(self._schemas)}).encode()

    def _find(self, path: str) -> tuple[int, bytes]:
        parts = path.split("?")[0].split("/")
        if parts[1] == "schemas":
            number = int(parts[3])
            found = self._schemas[number - 1] if 0 < number <= len(self._schemas) else None
        else:
            key = parts[2], int(parts[4])
            found = next((s for s in self._schemas if (s["subject"], s["version"]) == key), None)
        if found is None:
            return 404, b'{"error_code": 40403, "message": "Schema not found"}'
        if found["schemaType"] == "AVRO":  # which a registry leaves out
            found = {k: v for k, v in found.items() if k != "schemaType"}
        return 200, json.dumps(found).encode()


@contextmanager
def registry_url() -> Iterator[str]:
    """Of a registry to write to: a real one where the environment names it."""
    real = os.environ.get(REAL)
    if real:
        yield real
        return
    own = OwnRegistry()
    yield own.url
    own.close()


def register(
    url: str,
    subject: str,
    schema: str,
    kind: str = "AVRO",
    references: Mapping[str, str] | None = None,
) -> int:
    """Add a schema.

    Args:
        url: of the registry.
        subject: to add it to.
        schema: its text.
        kind: AVRO, PROTOBUF or JSON.
        references: subjects by the names that the schema has for them; their first versions.

    Returns:
        Its id.
    """
    named = [{"name": n, "subject": s, "version": 1} for n, s in (references or {}).items()]
    request = urllib.request.Request(
        f"{url}/subjects/{subject}/versions",
        json.dumps({"schema": schema, "schemaType": kind, "references": named}).encode(),
        {"Content-Type": "application/vnd.schemaregistry.v1+json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return int(json.load(answer)["id"])
