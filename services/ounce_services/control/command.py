"""`ounce control`: serve the control plane, and keep its keys."""

import time
from contextlib import closing
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click
from ounce_schemas.command import make_settings, settings_options

from ounce_services.control.access.principal import Role
from ounce_services.control.settings import ControlSettings, DatabaseSettings

if TYPE_CHECKING:
    from ounce_services.control.key_keeping import KeyKeeper


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
    import_module("python_multipart")  # FastAPI lacks it with an error that names no extra
    # Imported here: it takes a second, and help and wrong options need none of it.
    from ounce_services.control.serving import run

    run(settings)


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
    with _keeper(values) as keeper:
        click.echo(keeper.make(name, Role(role), tenant))


@key.command("list", epilog="Example: ounce control key list")
@settings_options(DatabaseSettings)
def list_keys(**values: Any) -> None:
    """List all keys, without their secrets."""
    with _keeper(values) as keeper:
        keys = keeper.all()
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
    with _keeper(values) as keeper:
        revoked = keeper.revoke(id)
    click.echo(f"key {revoked.id} of {revoked.name} is revoked")


def _keeper(values: dict[str, Any]) -> "closing[KeyKeeper]":
    settings = make_settings(DatabaseSettings, values)
    from ounce_services.control.key_keeping import KeyKeeper  # here, as in `serve`

    return closing(KeyKeeper(settings))
