"""Serves the control plane until it is stopped."""

import signal
import socket
from contextlib import closing
from types import FrameType

import click
import uvicorn
from ounce_schemas.errors import OunceError

from ounce_services.control.access.principal import COMMAND_LINE
from ounce_services.control.api.app import make_app
from ounce_services.control.connections import Connection
from ounce_services.control.plane import Plane, make_plane
from ounce_services.control.settings import ControlSettings

_LAST_ANSWERS_S = 25
"""Calls under way have so long at the end: longer than one waits for a database that is frozen."""


def run(settings: ControlSettings) -> None:
    """Serve; the address is printed when it listens.

    Raises:
        OunceError: it can't listen, or its database can't be opened.
    """
    plane = make_plane(settings)
    with closing(plane.database):
        if nobody_can_log_in(plane):
            click.echo(
                "nobody can log in yet: make a key, `ounce control key make NAME --role admin`",
                err=True,
            )
        try:
            listening = socket.create_server(
                (settings.host, settings.port), family=_family(settings.host)
            )
        except OSError as e:
            raise OunceError(
                f"can't listen on {settings.host} port {settings.port}: {e.strerror or e}"
            ) from e
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        click.echo(f"control plane and console: http://{host}:{listening.getsockname()[1]}/")
        config = uvicorn.Config(
            make_app(plane),
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_LAST_ANSWERS_S,
            http=Connection,
            h11_max_incomplete_event_size=65_536,
        )
        for each in (signal.SIGINT, signal.SIGTERM):  # uvicorn raises it again once all is answered
            signal.signal(each, _end)
        uvicorn.Server(config).run(sockets=[listening])


def nobody_can_log_in(plane: Plane) -> bool:
    """Whether there is neither a key, nor a provider of tokens, nor open access."""
    settings = plane.settings
    return not (settings.open or settings.provider or plane.gate.keys.list(COMMAND_LINE))


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
