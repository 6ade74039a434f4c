"""`ounce control`: serve the control plane, and keep its keys."""

import signal
import socket
import time
from contextlib import closing
from types import FrameType
from typing import Any

import click
import uvicorn
from ounce_schemas.command import make_settings, settings_options
from ounce_schemas.errors import OunceError

from ounce_services.control.access.audit import Audit
from ounce_services.control.access.keys import Keys
from ounce_services.control.access.principal import Principal, Role
from ounce_services.control.api.app import make_app
from ounce_services.control.plane import Plane, make_plane
from ounce_services.control.settings import ControlSettings, DatabaseSettings
from ounce_services.control.store.database import Database

_HERE = Principal("command-line", Role.ADMIN)


@click.group("control")
def command() -> None:
    """Serve policies, models, workers and dead letters over HTTP, with a console for browsers.

    \b
    Examples:
      ounce control key make ann --role admin
      ounce control serve --kafka localhost:9092
    """


@command.command(epilog="Example: ounce control serve --kafka localhost:9092 --port 8080")
@settings_options(ControlSettings)
def serve(**values: Any) -> None:
    """Serve until stopped. The address is printed when it listens."""
    settings = make_settings(ControlSettings, values)
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
            timeout_graceful_shutdown=5,
            h11_max_incomplete_event_size=65_536,
        )
        for each in (signal.SIGINT, signal.SIGTERM):  # uvicorn raises it again once all is answered
            signal.signal(each, _end)
        uvicorn.Server(config).run(sockets=[listening])


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)


@command.group()
def key() -> None:
    """Make, list and revoke API keys, with access to the database.

    Example: ounce control key make ann --role admin
    """


@key.command("make", epilog="Example: ounce control key make acme-ci --role editor --tenant acme")
@click.argument("name")
@click.option(
    "--role", type=click.Choice([str(r) for r in Role]), required=True, help="What it may."
)
@click.option("--tenant", help="The only tenant whose objects it may see.  [default: all]")
@settings_options(DatabaseSettings)
def make_key(name: str, role: str, tenant: str | None, **values: Any) -> None:
    """Make a key for NAME, and print it: this once."""
    if not name.strip() or len(name) > 200 or not name.isprintable():
        raise click.UsageError(f"NAME {name!r} is not 1 to 200 printable characters")
    with (
        _database(values) as database,
        Audit(database).watch(_HERE, "key.make", f"{name} {role}") as note,
    ):
        text, made = Keys(database).make(name, Role(role), tenant)
        note(f"key {made.id}")
    click.echo(text)


@key.command("list", epilog="Example: ounce control key list")
@settings_options(DatabaseSettings)
def list_keys(**values: Any) -> None:
    """List all keys, without their secrets."""
    with _database(values) as database:
        keys = Keys(database).list(_HERE)
    for made in keys:
        at = time.strftime("%Y-%m-%d %H:%M", time.gmtime(made.created_ms / 1e3))
        state = "revoked" if made.revoked_ms else ""
        tenant = made.tenant or "all tenants"
        click.echo(f"{made.id}  {at}  {made.role:<6}  {tenant:<12}  {made.name}  {state}".rstrip())
    if not keys:
        click.echo("there is no key")


@key.command("revoke", epilog="Example: ounce control key revoke 3f2a91c0de4b5566")
@click.argument("id")
@settings_options(DatabaseSettings)
def revoke_key(id: str, **values: Any) -> None:
    """End the key of this ID, and everything that is logged in with it."""
    with _database(values) as database, Audit(database).watch(_HERE, "key.revoke", id):
        revoked = Keys(database).revoke(id, _HERE)
    click.echo(f"key {revoked.id} of {revoked.name} is revoked")


def nobody_can_log_in(plane: Plane) -> bool:
    """Whether there is neither a key, nor a provider of tokens, nor open access."""
    settings = plane.settings
    return not (settings.open or settings.provider or plane.gate.keys.list(_HERE))


def _database(values: dict[str, Any]) -> closing[Database]:
    return closing(Database(make_settings(DatabaseSettings, values).database))


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
