"""Looking at several workers, again and again."""

from collections.abc import Mapping, Sequence

import click

from ounce_services.workers.growth import Look
from ounce_services.workers.pages import Page, PageError, base_url, read_pages

DEFAULT_ADDRESS = "localhost:9464"

Looks = Mapping[str, Look | PageError]
"""By address of the worker."""


def checked_addresses(given: Sequence[str]) -> list[str]:
    """Addresses of a command line, each once; without any, the usual one of this machine.

    Raises:
        click.UsageError: one is none.
    """
    addresses = list(dict.fromkeys(given or (DEFAULT_ADDRESS,)))
    try:
        for address in addresses:
            base_url(address)
    except PageError as e:
        raise click.UsageError(str(e)) from e
    return addresses


def look_at(addresses: Sequence[str], timeout_s: float, before: Looks | None = None) -> Looks:
    """Look at some workers.

    Args:
        addresses: of them.
        timeout_s: how long to wait for a page.
        before: the look before; figures are of the time since then.
    """
    pages = read_pages(addresses, timeout_s)
    return {
        address: Look(page, _page(before, address)) if isinstance(page, Page) else page
        for address, page in zip(addresses, pages, strict=True)
    }


def _page(before: Looks | None, address: str) -> Page | None:
    look = (before or {}).get(address)
    return look.now if isinstance(look, Look) else None
