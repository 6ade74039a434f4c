"""What a call does: a request goes to Kafka, and its answer comes back."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from aiohttp import HttpVersion11, web
from ounce_schemas.request import HEADER_ID

from ounce_edge.front.asking import deadline_ms, make_record
from ounce_edge.front.certified import certified_headers
from ounce_edge.front.replying import Reply, read_reply
from ounce_edge.front.sending import Place
from ounce_edge.front.settings import HttpSettings
from ounce_edge.front.statuses import NotAnsweredError
from ounce_edge.front.unpacking import Unpacker
from ounce_edge.front.waiting import NOBODY, Came, Ticket, Waiting
from ounce_edge.gateway.arrivals import KafkaRecord
from ounce_edge.wire.requests.sent_ids import sent_id

_BODY_S = 30.0


class Sends(Protocol):
    """As `Sender`."""

    def send(self, record: KafkaRecord) -> "asyncio.Future[Place]":
        """Send a request; where Kafka holds it, once it does."""


class Reads(Protocol):
    """As `AnswerReader`."""

    def trouble(self, task: str) -> str | None:
        """Why a task can't be asked; None where it can."""


class Serves(Protocol):
    """As `Workers`."""

    def check(self, task: str) -> None:
        """Look whether a call may be answered."""

    def admit(self, task: str) -> float:
        """Let a request be sent; when."""

    def note_answer(self, task: str, admitted_s: float) -> None:
        """A worker has answered a call."""

    def trouble(self, task: str) -> str | None:
        """Why nobody seems to serve a task; None where somebody may."""


class Calls:
    """Calls of the front, on the event loop.

    Args:
        settings: limits.
        sender: sends requests.
        reader: whether answers would be seen.
        workers: whether somebody serves.
        waiting: who waits.
        body_s: so long a caller may take to send its body.
    """

    def __init__(
        self,
        settings: HttpSettings,
        sender: Sends,
        reader: Reads,
        workers: Serves,
        waiting: Waiting,
        body_s: float = _BODY_S,
    ) -> None:
        self._settings = settings
        self._sender, self._reader, self._waiting = sender, reader, waiting
        self._workers = workers
        self._body_s = body_s
        self.n_open = 0
        """Calls that are not answered yet."""
        self._held_bytes = 0
        self._most_bytes = round(settings.max_waiting_mb * 1e6)

    async def ask(
        self, task: str, call: web.Request, more: Sequence[tuple[str, str]] = ()
    ) -> Reply:
        """Send a request, and wait for its answer.

        Args:
            task: that is asked.
            call: as it came.
            more: headers that count instead of those of the call.

        Raises:
            NotAnsweredError: there is no answer.
        """
        if trouble := self._reader.trouble(task):
            raise NotAnsweredError(503, trouble)
        self._workers.check(task)
        with self._holding() as held:
            body = await self._body(call, held)
            with self._waiting.wait() as ticket:
                record = self._record(task, call, body, ticket.reply, more)
                admitted_s = self._workers.admit(task)
                sent = self._sender.send(record)
                sent.add_done_callback(partial(_hand_on, ticket))
                came = await self._answer(task, record, sent, ticket)
        self._workers.note_answer(task, admitted_s)
        return read_reply(came.body, came.headers)

    async def leave(self, task: str, call: web.Request) -> str:
        """Send a request whose answer nobody waits for, once Kafka has it.

        Returns:
            The id that its answer will have.

        Raises:
            NotAnsweredError: Kafka does not have it.
        """
        with self._holding() as held:
            record = self._record(task, call, await self._body(call, held), NOBODY)
            place = await self._sender.send(record)
        named = sent_id(dict(record.headers).get(HEADER_ID) or b"", record.value or b"")
        return named or "-".join(map(str, place))

    async def _answer(
        self, task: str, record: KafkaRecord, sent: "asyncio.Future[Place]", ticket: Ticket
    ) -> Came:
        limit_s = deadline_ms(record) / 1e3 + self._settings.grace_s
        try:
            async with asyncio.timeout(limit_s):
                return await ticket.answer
        except TimeoutError:
            if not sent.done():
                raise NotAnsweredError(
                    503, f"Kafka has not confirmed the request within {limit_s:g} s"
                ) from None
            why = self._workers.trouble(task) or "is a worker of the task running?"
            raise NotAnsweredError(
                504, f"no answer within {limit_s:g} s, the deadline and --grace-s; {why}"
            ) from None

    def _record(
        self,
        task: str,
        call: web.Request,
        body: bytes,
        reply: bytes,
        more: Sequence[tuple[str, str]] = (),
    ) -> KafkaRecord:
        now_ms = round(time.time() * 1e3)
        certified: list[tuple[str, str]] = []
        if self._settings.device_from_certificate:
            certified = certified_headers(call.get_extra_info("peercert") or {}, call.headers)
        headers = [*call.headers.items(), *more, *certified]
        record = make_record(task, body, headers, call.remote or "", reply, now_ms)
        if record.size_bytes > self._settings.max_message_bytes:
            raise self._too_large(f"body of {len(body)} bytes with its headers")
        return record

    async def _body(self, call: web.Request, held: "_Held") -> bytes:
        """The body of a call. What it takes counts as it comes: who only says that it will be
        large, and sends nothing, takes no room from others."""
        unpacker = Unpacker(call.headers.get("content-encoding", ""))
        most = self._settings.max_message_bytes
        if call.content_length is not None and call.content_length > most:
            raise self._too_large(f"body of {call.content_length} bytes")
        pieces: list[bytes] = []
        n_packed = 0
        await _go_on(call)
        try:
            async with asyncio.timeout(self._body_s):
                async for packed in call.content.iter_any():
                    piece = unpacker.feed(packed, most + 1 - held.n_bytes)
                    pieces.append(piece)
                    held.n_bytes += len(piece)
                    self._held_bytes += len(piece)
                    n_packed += len(packed)  # it may hold nothing, and never end
                    if max(held.n_bytes, n_packed) > most:
                        raise self._too_large(f"body of {max(held.n_bytes, n_packed)} bytes")
                    if self._held_bytes > max(self._most_bytes, held.n_bytes):
                        text = "bodies that wait are too large together (--max-waiting-mb)"
                        raise NotAnsweredError(429, text)
        except TimeoutError:
            text = f"the body did not come within {self._body_s:g} s"
            raise NotAnsweredError(408, text) from None
        unpacker.finish()
        return b"".join(pieces)

    @contextmanager
    def _holding(self) -> Iterator["_Held"]:
        """Count a call and its body while it lasts."""
        held = _Held()
        self.n_open += 1
        try:
            yield held
        finally:
            self.n_open -= 1
            self._held_bytes -= held.n_bytes

    def _too_large(self, what: str) -> NotAnsweredError:
        most = self._settings.max_message_bytes
        return NotAnsweredError(413, f"a {what} is over --max-message-bytes {most}; send less")


@dataclass(slots=True)
class _Held:
    """What a call holds."""

    n_bytes: int = 0


async def _go_on(call: web.Request) -> None:
    """Tell a caller who asks first (`Expect: 100-continue`) that its body is wanted."""
    if call.version >= HttpVersion11 and call.headers.get("expect"):
        await call.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        call.writer.output_size = 0  # of the answer nothing is written yet


def _hand_on(ticket: Ticket, sent: "asyncio.Future[Place]") -> None:
    """Who waits for an answer hears that Kafka did not take the request."""
    error = None if sent.cancelled() else sent.exception()
    if error is not None and not ticket.answer.done():
        ticket.answer.set_exception(error)
