"""What every response and every request goes through: security headers, sizes, and origins."""

import asyncio
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ounce_services.control.api.problems import problem

MOST_BODY_BYTES = 2 << 20
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # `no-referrer` makes browsers send forms with `Origin: null`
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_SAFE = {"GET", "HEAD", "OPTIONS"}


class SecurityHeaders:
    """Adds headers that keep browsers from doing what no page here needs."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


class SmallBodies:
    """Refuses bodies that are too large, whether or not they say so, or that come too slowly: they
    are kept before it is known who sends them.

    Args:
        app: what is shielded.
        body_s: a body must have come within so many seconds.
    """

    def __init__(self, app: ASGIApp, body_s: float = 60.0) -> None:
        self._app = app
        self._body_s = body_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        chunks: list[bytes] = []
        size, more = 0, True
        said = Headers(scope=scope).get("content-length", "0")
        if said.isdigit() and int(said) > MOST_BODY_BYTES:
            size = int(said)
        try:
            async with asyncio.timeout(self._body_s):
                while more and size <= MOST_BODY_BYTES:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return
                    chunks.append(message.get("body", b""))
                    size += len(chunks[-1])
                    more = message.get("more_body", False)
        except TimeoutError:
            text = f"the body did not come within {self._body_s:g} s"
            await problem(408, "Too slow", text)(scope, receive, send)
            return
        if size > MOST_BODY_BYTES:
            text = f"the body has more than {MOST_BODY_BYTES} bytes"
            await problem(413, "Too large", text)(scope, receive, send)
            return
        body = b"".join(chunks)
        is_read = False

        async def give() -> Message:
            nonlocal is_read
            if is_read:
                return await receive()
            is_read = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, give, send)


class SameOrigin:
    """Refuses changes that a page of another site asks a browser to make.

    Args:
        app: what is shielded.
        hosts: names by which this server may be called; empty: any. A page of another site can
            make its own name mean 127.0.0.1, and so call what listens there.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str] = frozenset()) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            host = headers.get("host", "")
            why = None
            if self._hosts and _name(host) not in self._hosts:
                why = "the server is not known by this name"
            elif scope["method"] not in _SAFE and not _is_ours(headers, host):
                why = "a page of another site asked for this"
            if why is not None:
                await problem(403, "Not permitted", why)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _name(host: str) -> str | None:
    """The name in a header `Host`."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:  # as of `[`
        return None


def _is_ours(headers: Headers, host: str) -> bool:
    """Whether no browser, or a page of ours, makes the call."""
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    # A proxy may speak TLS for this server, which then knows no scheme.
    return origin is None or (host != "" and origin in (f"http://{host}", f"https://{host}"))
