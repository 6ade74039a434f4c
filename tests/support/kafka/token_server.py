"""A token endpoint of OpenID Connect: client credentials in, an unsigned token out."""

import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


class TokenServer:
    """A context manager.

    Args:
        secrets: by client.

    Attributes:
        url: where to ask.
        scopes: asked for so far.
    """

    def __init__(self, secrets: dict[str, str]) -> None:
        self.scopes: list[str] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = self.rfile.read(int(self.headers["content-length"])).decode()
                server.scopes += [w[6:] for w in form.split("&") if w.startswith("scope=")]
                login = self.headers.get("authorization", "").removeprefix("Basic ")
                client, _, secret = base64.b64decode(login).decode().partition(":")
                is_known = secrets.get(client) == secret
                body = {"access_token": _token(client)} if is_known else {"error": "unauthorized"}
                self.send_response(200 if is_known else 401)
                self.send_header("content-type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.url = f"http://127.0.0.1:{self._server.server_port}/token"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _token(subject: str) -> str:
    now_s = int(time.time())
    claims = {"sub": subject, "iat": now_s, "exp": now_s + 600, "scope": "kafka"}
    return f"{_encode({'alg': 'none', 'typ': 'JWT'})}.{_encode(claims)}."


def _encode(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
