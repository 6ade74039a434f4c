"""Schemas from a registry that speaks Confluent's HTTP interface, each asked for once.

A worker that serves has no time to wait: a look-up has a limit, what is not there is remembered for
a minute, and a registry that is away is left in peace for ten seconds.
"""

import base64
import json
import queue
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import quote

from ounce_schemas.errors import InvalidMessageError, Reason

from ounce_edge.broker.proto_files import descriptor_set
from ounce_edge.wire.formats.schemas import Schema

_TIMEOUT_S = 1.0
_ABSENT_S = 60.0
_AWAY_S = 10.0
_MOST_ABSENT = 1000
"""Look-ups without success in `_ABSENT_S`: ids of a stream of noise don't take all time."""
_MOST_BYTES = 4_000_000
_MOST_NEEDED = 100


class _Failure(NamedTuple):
    reason: Reason
    text: str
    until_s: float


class SchemaRegistry:
    """Asks a registry.

    Args:
        url: before `/schemas/ids/...`.
        login: user and password, where it asks for them.
        context: of TLS; None: the system's authorities.
        timeout_s: limit of one look-up, in seconds.
        clock: seconds.
    """

    def __init__(
        self,
        url: str,
        login: tuple[str, str] | None = None,
        context: ssl.SSLContext | None = None,
        timeout_s: float = _TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Accept": "application/vnd.schemaregistry.v1+json, application/json"}
        if login is not None:
            token = base64.b64encode(":".join(login).encode()).decode()
            self._headers["Authorization"] = f"Basic {token}"
        self._context = context
        self._timeout_s = timeout_s
        self._clock = clock
        self._known: dict[int, Schema] = {}
        self._absent: dict[int, _Failure] = {}
        self._away: _Failure | None = None

    def schema(self, schema_id: int) -> Schema:
        """As `Schemas` says."""
        known = self._known.get(schema_id)
        if known is not None:
            return known
        failure = self._remembered(schema_id)
        if failure is None:
            found = self._look_up(schema_id)
            if isinstance(found, Schema):
                return found
            failure = found
            if failure.reason is Reason.UNKNOWN_SCHEMA:
                self._absent[schema_id] = failure
            else:
                self._away = failure
        raise InvalidMessageError(failure.reason, failure.text)

    def _remembered(self, schema_id: int) -> _Failure | None:
        now_s = self._clock()
        if self._away is not None and self._away.until_s > now_s:
            return self._away
        absent = self._absent.get(schema_id)
        if absent is not None and absent.until_s > now_s:
            return absent
        if len(self._absent) >= _MOST_ABSENT:
            self._absent = {i: f for i, f in self._absent.items() if f.until_s > now_s}
        if len(self._absent) >= _MOST_ABSENT:
            text = f"schema {schema_id} is not asked for: {_MOST_ABSENT} others were not there"
            return _Failure(Reason.UNKNOWN_SCHEMA, text, now_s)
        return None

    def _look_up(self, schema_id: int) -> Schema | _Failure:
        """Ask, on a thread of its own: names that don't resolve and answers that trickle in have
        limits that nobody can set otherwise."""
        answers: queue.SimpleQueue[Schema | Exception] = queue.SimpleQueue()

        def ask() -> None:
            try:
                found = self._known[schema_id] = self._fetch(schema_id)  # also when it is late
                answers.put(found)
            except Exception as e:
                answers.put(e)

        threading.Thread(target=ask, name="schema-registry", daemon=True).start()
        try:
            found = answers.get(timeout=self._timeout_s)
        except queue.Empty:
            found = TimeoutError(f"no answer in {self._timeout_s:g} s")
        if isinstance(found, Schema):
            return found
        now_s = self._clock()
        if isinstance(found, urllib.error.HTTPError) and found.code == 404:
            text = f"the registry at {self._url} has no schema {schema_id}"
            return _Failure(Reason.UNKNOWN_SCHEMA, text, now_s + _ABSENT_S)
        if isinstance(found, ValueError):
            text = f"what the registry at {self._url} says of schema {schema_id}: {found}"
            return _Failure(Reason.UNKNOWN_SCHEMA, text, now_s + _ABSENT_S)
        return _Failure(
            Reason.REGISTRY_AWAY,
            f"schema {schema_id} can't be had, the registry at {self._url} fails: {found!r}; "
            "replay this record when it is back",
            now_s + _AWAY_S,
        )

    def _fetch(self, schema_id: int) -> Schema:
        path = f"/schemas/ids/{schema_id}"
        document = self._get(path)
        kind = str(document.get("schemaType") or "AVRO")
        if kind == "PROTOBUF":
            document = self._get(f"{path}?format=serialized")
            needed = self._needed(document, "?format=serialized")
            return Schema(kind, descriptor_set(document["schema"], needed))
        needed = self._needed(document) if kind == "AVRO" else {}
        return Schema(
            kind, document["schema"].encode(), tuple(text.encode() for text in needed.values())
        )

    def _needed(self, document: dict[str, Any], form: str = "") -> dict[str, str]:
        """Texts of the schemas that a document names, by name, each behind those that it names."""
        found: dict[str, str] = {}

        def add(document: dict[str, Any], depth: int) -> None:
            for part in document.get("references") or ():
                if part["name"] in found:
                    continue
                if depth > _MOST_NEEDED or len(found) >= _MOST_NEEDED:
                    raise ValueError(f"it names more than {_MOST_NEEDED} others")
                subject = quote(part["subject"], safe="")
                other = self._get(f"/subjects/{subject}/versions/{int(part['version'])}{form}")
                add(other, depth + 1)
                found[part["name"]] = other["schema"]

        add(document, 0)
        return found

    def _get(self, path: str) -> dict[str, Any]:
        request = urllib.request.Request(self._url + path, headers=self._headers)
        with urllib.request.urlopen(
            request, timeout=self._timeout_s, context=self._context
        ) as answer:
            text = answer.read(_MOST_BYTES + 1)
        if len(text) > _MOST_BYTES:
            raise ValueError(f"over {_MOST_BYTES} bytes")
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            raise ValueError(f"no JSON, {text[:40]!r}") from None
        if not isinstance(document, dict) or not isinstance(document.get("schema"), str):
            raise ValueError(f"no schema, {text[:40]!r}")
        return document
