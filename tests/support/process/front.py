"""A running `ounce http`."""

import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.process.child import Child, free_port
from tests.support.process.served import Served
from tests.support.process.worker import OUNCE

UNHURRIED = ("--task=digits", "--grace-s=120")
"""No busy machine makes an answer too late."""


class Told(NamedTuple):
    """What a caller hears."""

    status: int
    body: Any
    """Of JSON what it holds, else bytes."""
    headers: Mapping[str, str]


class FrontProcess(Served):
    """A front; a context manager that waits until it is ready and stops it.

    Args:
        kafka: bootstrap servers.
        log: file for its output.
        options: further options of `ounce http`.
        env: further variables of its environment.
    """

    def __init__(
        self,
        kafka: str,
        log: Path,
        options: Sequence[str] = UNHURRIED,
        env: Mapping[str, str] | None = None,
    ) -> None:
        port, self.http_port = free_port(), free_port()
        child = Child(
            [OUNCE, "http", f"--kafka={kafka}", f"--port={self.http_port}",
             f"--metrics-port={port}", *options],
            log=log,
            env={**os.environ, **(env or {})},
        )  # fmt: skip
        super().__init__(child, port)

    def ask(
        self, body: bytes, headers: Mapping[str, str] | None = None, task: str = "digits"
    ) -> Told:
        """Call `infer`, and wait for what comes."""
        return self.call(f"/v2/models/{task}/infer", body, headers)

    def call(
        self, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Told:
        """Call a path: `POST` with a body, else `GET`."""
        url = f"http://127.0.0.1:{self.http_port}{path}"
        call = urllib.request.Request(url, body, {**(headers or {})})
        try:
            with urllib.request.urlopen(call, timeout=120) as answer:
                return _told(answer.status, answer.read(), answer.headers)
        except urllib.error.HTTPError as e:
            with e:
                return _told(e.code, e.read(), e.headers)


def _told(status: int, body: bytes, headers: Any) -> Told:
    is_json = headers["content-type"] == "application/json"
    return Told(status, json.loads(body) if is_json else body, dict(headers))
